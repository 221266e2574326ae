"""API routes of tags and segments."""

from __future__ import annotations

from django.urls import path

from tags.api import segments, tags

urlpatterns = [
    path("tag-groups", tags.TagGroupListView.as_view(), name="api_tag_groups"),
    path("tags", tags.TagListView.as_view(), name="api_tags"),
    path("tag-groups/<int:group_id>", tags.TagGroupView.as_view(), name="api_tag_group"),
    path("tags/<int:tag_id>", tags.TagView.as_view(), name="api_tag"),
    path("tags/<int:tag_id>/archive", tags.TagArchiveView.as_view(), name="api_tag_archive"),
    path("tags/<int:tag_id>/restore", tags.TagRestoreView.as_view(), name="api_tag_restore"),
    path("tags/<int:tag_id>/merge", tags.TagMergeView.as_view(), name="api_tag_merge"),
    path("tags/<int:tag_id>/dependents", tags.TagDependentsView.as_view(), name="api_tag_dependents"),
    path("tags/<int:tag_id>/members", tags.TagMembersView.as_view(), name="api_tag_members"),
    path("segments", segments.SegmentListView.as_view(), name="api_segments"),
    path("segments/preview", segments.SegmentPreviewView.as_view(), name="api_segment_preview"),
    path("segments/<int:segment_id>/members", segments.SegmentMembersView.as_view(), name="api_segment_members"),
    path("conditions/fields", segments.ConditionFieldsView.as_view(), name="api_condition_fields"),
    path("conditions/schema", segments.ConditionSchemaView.as_view(), name="api_condition_schema"),
]
