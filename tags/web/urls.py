"""Pages of tags and segments."""

from __future__ import annotations

from django.urls import path

from tags.web import catalogue, segment_builder, segments, tagging

urlpatterns = [
    path("tags/", catalogue.tag_list, name="tag_list"),
    path("tags/new/", catalogue.tag_edit, name="tag_new"),
    path("tags/<int:tag_id>/", catalogue.tag_edit, name="tag_edit"),
    path("tags/<int:tag_id>/archive/", catalogue.tag_archive, name="tag_archive"),
    path("tags/groups/new/", catalogue.group_edit, name="tag_group_new"),
    path("tags/groups/<int:group_id>/", catalogue.group_edit, name="tag_group_edit"),
    path("tags/bulk/", tagging.bulk_tag, name="bulk_tag"),
    path("tags/members/<int:member_id>/", tagging.member_tags, name="member_tags"),
    path("segments/", segments.segment_list, name="segment_list"),
    path("segments/new/", segment_builder.segment_new, name="segment_new"),
    path("segments/preview/", segment_builder.segment_preview, name="segment_preview"),
    path("segments/<int:segment_id>/", segments.segment_detail, name="segment_detail"),
    path("segments/<int:segment_id>/edit/", segment_builder.segment_edit, name="segment_edit"),
    path("segments/<int:segment_id>/<slug:act>/", segments.segment_act, name="segment_act"),
]
