"""API routes of tags and segments."""

from __future__ import annotations

from django.urls import path

from tags.api import segments, tags

urlpatterns = [
    path("tag-groups", tags.TagGroupListView.as_view(), name="api_tag_groups"),
    path("tags", tags.TagListView.as_view(), name="api_tags"),
    path("tags/<int:tag_id>/members", tags.TagMembersView.as_view(), name="api_tag_members"),
    path("segments", segments.SegmentListView.as_view(), name="api_segments"),
    path("segments/preview", segments.SegmentPreviewView.as_view(), name="api_segment_preview"),
    path("segments/<int:segment_id>/members", segments.SegmentMembersView.as_view(), name="api_segment_members"),
    path("conditions/fields", segments.ConditionFieldsView.as_view(), name="api_condition_fields"),
    path("conditions/schema", segments.ConditionSchemaView.as_view(), name="api_condition_schema"),
]
