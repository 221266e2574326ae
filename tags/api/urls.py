"""API routes of tags and segments."""

from __future__ import annotations

from django.urls import path

from tags.api import conditions, rules, segment_parts, segments, tags

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
    path("tag-rules", rules.TagRuleListView.as_view(), name="api_tag_rules"),
    path("tag-rules/dry-run", rules.TagRuleDryRunView.as_view(), name="api_tag_rule_dry_run"),
    path("tag-rules/replay", rules.TagRuleReplayView.as_view(), name="api_tag_rule_replay"),
    path("tag-rules/<int:rule_id>", rules.TagRuleView.as_view(), name="api_tag_rule"),
    path("tag-rules/<int:rule_id>/enable", rules.TagRuleEnableView.as_view(), name="api_tag_rule_enable"),
    path("tag-rules/<int:rule_id>/pause", rules.TagRulePauseView.as_view(), name="api_tag_rule_pause"),
    path("segments", segments.SegmentListView.as_view(), name="api_segments"),
    path("segments/preview", segments.SegmentPreviewView.as_view(), name="api_segment_preview"),
    path("segments/overlap", segment_parts.SegmentOverlapView.as_view(), name="api_segment_overlap"),
    path("segments/<int:segment_id>", segments.SegmentView.as_view(), name="api_segment"),
    path("segments/<int:segment_id>/archive", segments.SegmentArchiveView.as_view(), name="api_segment_archive"),
    path("segments/<int:segment_id>/restore", segments.SegmentRestoreView.as_view(), name="api_segment_restore"),
    path("segments/<int:segment_id>/snapshot", segment_parts.SegmentSnapshotView.as_view(), name="api_segment_freeze"),
    path("segments/<int:segment_id>/split", segment_parts.SegmentSplitView.as_view(), name="api_segment_split"),
    path("segments/<int:segment_id>/follow", segment_parts.SegmentFollowView.as_view(), name="api_segment_follow"),
    path("segments/<int:segment_id>/sizes", segment_parts.SegmentSizesView.as_view(), name="api_segment_sizes"),
    path(
        "segments/<int:segment_id>/dependents",
        segment_parts.SegmentDependentsView.as_view(),
        name="api_segment_dependents",
    ),
    path("segments/<int:segment_id>/members", segments.SegmentMembersView.as_view(), name="api_segment_members"),
    path("conditions/fields", conditions.ConditionFieldsView.as_view(), name="api_condition_fields"),
    path("conditions/schema", conditions.ConditionSchemaView.as_view(), name="api_condition_schema"),
]
