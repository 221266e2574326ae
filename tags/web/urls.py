"""Pages of tags and segments."""

from __future__ import annotations

from django.urls import path

from tags.web import segment_builder, segments, tag_urls

urlpatterns = [
    *tag_urls.urlpatterns,
    path("segments/", segments.segment_list, name="segment_list"),
    path("segments/new/", segment_builder.segment_new, name="segment_new"),
    path("segments/preview/", segment_builder.segment_preview, name="segment_preview"),
    path("segments/counts/", segment_builder.segment_counts, name="segment_counts"),
    path("segments/explain/", segment_builder.segment_explain, name="segment_explain"),
    path("segments/members/", segment_builder.segment_members_found, name="segment_members_found"),
    path("segments/<int:segment_id>/", segments.segment_detail, name="segment_detail"),
    path("segments/<int:segment_id>/edit/", segment_builder.segment_edit, name="segment_edit"),
    path("segments/<int:segment_id>/<slug:act>/", segments.segment_act, name="segment_act"),
]
