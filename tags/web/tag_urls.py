"""Pages of tags and tag rules."""

from __future__ import annotations

from django.urls import path

from tags.web import catalogue, lists, mirroring, rules, tag_detail, tagging

urlpatterns = [
    path("tags/", catalogue.tag_list, name="tag_list"),
    path("tags/new/", catalogue.tag_edit, name="tag_new"),
    path("tags/<int:tag_id>/", tag_detail.tag_detail, name="tag_detail"),
    path("tags/<int:tag_id>/activity/", tag_detail.tag_activity, name="tag_activity"),
    path("tags/<int:tag_id>/edit/", catalogue.tag_edit, name="tag_edit"),
    path("tags/<int:tag_id>/archive/", tag_detail.tag_archive, name="tag_archive"),
    path("tags/<int:tag_id>/merge/", tag_detail.tag_merge, name="tag_merge"),
    path("tags/groups/new/", catalogue.group_edit, name="tag_group_new"),
    path("tags/groups/<int:group_id>/", catalogue.group_edit, name="tag_group_edit"),
    path("tags/groups/<int:group_id>/<slug:act>/", catalogue.group_act, name="tag_group_act"),
    path("tags/bulk/", tagging.bulk_tag, name="bulk_tag"),
    path("tags/members/<int:member_id>/", tagging.member_tags, name="member_tags"),
    path("tags/by-list/", lists.tag_by_list, name="tag_by_list"),
    path("tags/by-list/<str:token>/", lists.tag_list_check, name="tag_list_check"),
    path("tags/rules/", rules.rule_list, name="rule_list"),
    path("tags/rules/new/", rules.rule_new, name="rule_new"),
    path("tags/rules/trial/", rules.rule_trial, name="rule_trial"),
    path("tags/rules/presets/<str:key>/", rules.rule_preset, name="rule_preset"),
    path("tags/rules/<int:rule_id>/", rules.rule_detail, name="rule_detail"),
    path("tags/rules/<int:rule_id>/edit/", rules.rule_edit, name="rule_edit"),
    path("tags/rules/<int:rule_id>/try/", rules.rule_try, name="rule_try"),
    path("tags/rules/<int:rule_id>/<slug:act>/", rules.rule_act, name="rule_act"),
    path("tags/wecom/", mirroring.tag_mapping, name="tag_mapping"),
    path("tags/wecom/mapping.csv", mirroring.tag_mapping_file, name="tag_mapping_file"),
    path("tags/wecom/load/", mirroring.tag_mapping_load, name="tag_mapping_load"),
]
