"""Pages of tags and segments."""

from __future__ import annotations

from django.urls import path

from tags.web import segment_builder, segment_urls, tag_urls

urlpatterns = [
    *tag_urls.urlpatterns,
    path("segments/new/", segment_builder.segment_new, name="segment_new"),
    path("segments/preview/", segment_builder.segment_preview, name="segment_preview"),
    path("segments/counts/", segment_builder.segment_counts, name="segment_counts"),
    path("segments/explain/", segment_builder.segment_explain, name="segment_explain"),
    path("segments/members/", segment_builder.segment_members_found, name="segment_members_found"),
    path("segments/<int:segment_id>/edit/", segment_builder.segment_edit, name="segment_edit"),
    *segment_urls.urlpatterns,
]
