"""API routes of tags and segments."""

from __future__ import annotations

from django.urls import path

from tags.api import views

urlpatterns = [
    path("tag-groups", views.TagGroupListView.as_view(), name="api_tag_groups"),
    path("tags", views.TagListView.as_view(), name="api_tags"),
    path("tags/<int:tag_id>/members", views.TagMembersView.as_view(), name="api_tag_members"),
    path("segments", views.SegmentListView.as_view(), name="api_segments"),
    path("segments/preview", views.SegmentPreviewView.as_view(), name="api_segment_preview"),
    path("segments/<int:segment_id>/members", views.SegmentMembersView.as_view(), name="api_segment_members"),
    path("conditions/fields", views.ConditionFieldsView.as_view(), name="api_condition_fields"),
    path("conditions/schema", views.ConditionSchemaView.as_view(), name="api_condition_schema"),
]
