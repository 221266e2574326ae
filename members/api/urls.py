"""API routes of members."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from members.api import attributes, consents, earning, facts, members, memberships, tiers

urlpatterns: list[URLPattern | URLResolver] = [
    # Facts come in.
    path("events/batch", facts.EventBatchView.as_view(), name="api_event_batch"),
    path("orders/batch", facts.OrderBatchView.as_view(), name="api_order_batch"),
    path("refunds/batch", facts.RefundBatchView.as_view(), name="api_refund_batch"),
    path("members/batch", facts.MemberBatchView.as_view(), name="api_member_batch"),
    path("consents/batch", consents.ConsentBatchView.as_view(), name="api_consent_batch"),
    # Members are read and changed.
    path("members", members.MemberListView.as_view(), name="api_member_list"),
    path("members/<int:member_id>", members.MemberDetailView.as_view(), name="api_member_detail"),
    path("members/<int:member_id>/timeline", members.MemberTimelineView.as_view(), name="api_member_timeline"),
    path("members/<int:member_id>/orders", members.MemberOrdersView.as_view(), name="api_member_orders"),
    # The brand's own fields of a profile.
    path("attributes", attributes.AttributeListView.as_view(), name="api_attribute_list"),
    path("attributes/<int:attribute_id>", attributes.AttributeView.as_view(), name="api_attribute"),
    # What earns points, and why an order earned what it did.
    path("earning/rules", earning.EarningRuleListView.as_view(), name="api_earning_rule_list"),
    path("earning/rules/<int:rule_id>", earning.EarningRuleView.as_view(), name="api_earning_rule"),
    path(
        "earning/rules/<int:rule_id>/activate", earning.EarningRuleActivateView.as_view(), name="api_earning_activate"
    ),
    path("earning/rules/<int:rule_id>/pause", earning.EarningRulePauseView.as_view(), name="api_earning_pause"),
    path("earning/rules/<int:rule_id>/end", earning.EarningRuleEndView.as_view(), name="api_earning_end"),
    path("earning/rules/<int:rule_id>/trials", earning.EarningTrialListView.as_view(), name="api_earning_trial_list"),
    path("earning/trials/<int:trial_id>", earning.EarningTrialView.as_view(), name="api_earning_trial"),
    path("orders/<uuid:order_id>/earning", earning.OrderEarningView.as_view(), name="api_order_earning"),
    # The membership ladder, tiers of members, paid memberships.
    path("tiers", tiers.LadderView.as_view(), name="api_tiers"),
    path("tiers/versions", tiers.LadderVersionsView.as_view(), name="api_tier_versions"),
    path("tiers/preview", tiers.LadderPreviewView.as_view(), name="api_tier_preview"),
    path("members/<int:member_id>/tier", tiers.MemberTierView.as_view(), name="api_member_tier"),
    path("members/<int:member_id>/tier/history", tiers.MemberTierHistoryView.as_view(), name="api_member_tier_history"),
    path("members/<int:member_id>/tier/replay", tiers.MemberTierReplayView.as_view(), name="api_member_tier_replay"),
    path("membership-plans", memberships.PlanListView.as_view(), name="api_membership_plans"),
    path("membership-plans/<str:key>", memberships.PlanView.as_view(), name="api_membership_plan"),
    path("members/<int:member_id>/memberships", memberships.MembershipListView.as_view(), name="api_memberships"),
    path(
        "members/<int:member_id>/memberships/refund",
        memberships.MembershipRefundView.as_view(),
        name="api_membership_refund",
    ),
    path(
        "members/<int:member_id>/memberships/auto-renew",
        memberships.MembershipRenewalView.as_view(),
        name="api_membership_auto_renew",
    ),
]
