"""Pages of segments apart from the builder."""

from __future__ import annotations

from django.urls import path

from tags.web import overlap, segment_lists, segments

urlpatterns = [
    path("segments/", segments.segment_list, name="segment_list"),
    path("segments/templates/", segments.segment_templates, name="segment_templates"),
    path("segments/overlap/", overlap.segment_overlap, name="segment_overlap"),
    path("segments/lists/new/", segment_lists.segment_list_new, name="segment_list_new"),
    path("segments/lists/pick/", segment_lists.segment_pick, name="segment_pick"),
    path("segments/<int:segment_id>/", segments.segment_detail, name="segment_detail"),
    path("segments/<int:segment_id>/members/", segment_lists.segment_members, name="segment_members"),
    path("segments/<int:segment_id>/import/", segment_lists.segment_import, name="segment_import"),
    path("segments/<int:segment_id>/export/", segments.segment_export, name="segment_export"),
    path("segments/<int:segment_id>/<slug:act>/", segments.segment_act, name="segment_act"),
]
