"""API routes of members."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from members.api import (
    attributes,
    benefit_claims,
    benefits,
    checkins,
    consents,
    earning,
    event_types,
    facts,
    member_links,
    members,
    memberships,
    points,
    points_adjustments,
    points_reading,
    tasks,
    tiers,
)

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
    path("members/<int:member_id>/link", member_links.MemberLinkView.as_view(), name="api_member_link"),
    path("members/<int:member_id>/timeline", members.MemberTimelineView.as_view(), name="api_member_timeline"),
    path("members/<int:member_id>/orders", members.MemberOrdersView.as_view(), name="api_member_orders"),
    # Benefits: the catalogue, partners, and what members do with them.
    path("benefits", benefits.BenefitListView.as_view(), name="api_benefits"),
    path("benefits/<int:benefit_id>", benefits.BenefitView.as_view(), name="api_benefit"),
    path("benefits/<int:benefit_id>/activate", benefits.BenefitActivateView.as_view(), name="api_benefit_activate"),
    path("benefits/<int:benefit_id>/end", benefits.BenefitEndView.as_view(), name="api_benefit_end"),
    path("benefits/<int:benefit_id>/codes", benefits.BenefitCodesView.as_view(), name="api_benefit_codes"),
    path("partners", benefits.PartnerListView.as_view(), name="api_partners"),
    path("partners/<int:partner_id>", benefits.PartnerView.as_view(), name="api_partner"),
    path("partners/<int:partner_id>/settlement", benefits.SettlementView.as_view(), name="api_settlement"),
    path("benefit-codes/verify", benefit_claims.CodeVerifyView.as_view(), name="api_benefit_verify"),
    path("benefit-codes/redeem", benefit_claims.CodeRedeemView.as_view(), name="api_benefit_redeem"),
    path("members/<int:member_id>/benefits", benefit_claims.MemberBenefitsView.as_view(), name="api_member_benefits"),
    path(
        "members/<int:member_id>/benefits/<str:benefit_key>/claim", benefit_claims.ClaimView.as_view(), name="api_claim"
    ),
    path(
        "members/<int:member_id>/benefits/<str:benefit_key>/use",
        benefit_claims.UseView.as_view(),
        name="api_benefit_use",
    ),
    path(
        "members/<int:member_id>/benefits/<str:benefit_key>/issue", benefit_claims.IssueView.as_view(), name="api_issue"
    ),
    path("members/<int:member_id>/claims", benefit_claims.MemberClaimsView.as_view(), name="api_member_claims"),
    *(
        path(f"members/<int:member_id>/claims/<uuid:claim_id>/{act}", view.as_view(), name=f"api_claim_{act}")
        for act, view in (
            ("redeem", benefit_claims.ClaimRedeemView),
            ("void", benefit_claims.ClaimVoidView),
            ("return", benefit_claims.ClaimReturnView),
        )
    ),
    # The brand's own fields of a profile.
    path("attributes", attributes.AttributeListView.as_view(), name="api_attribute_list"),
    path("attributes/<int:attribute_id>", attributes.AttributeView.as_view(), name="api_attribute"),
    # What members can do, by name.
    path("event-types", event_types.EventTypeListView.as_view(), name="api_event_type_list"),
    path("event-types/<int:type_id>", event_types.EventTypeView.as_view(), name="api_event_type"),
    # Points are booked, read and corrected.
    path("points/earn", points.EarnView.as_view(), name="api_points_earn"),
    path("points/spend", points.SpendView.as_view(), name="api_points_spend"),
    path("points/hold", points.HoldView.as_view(), name="api_points_hold"),
    path("points/post", points.PostView.as_view(), name="api_points_post"),
    path("points/void", points.VoidView.as_view(), name="api_points_void"),
    path("points/refund", points.RefundView.as_view(), name="api_points_refund"),
    path("points/reverse", points.ReverseView.as_view(), name="api_points_reverse"),
    path("points/balance", points_reading.PointsBalanceView.as_view(), name="api_points_balance"),
    path("points/lots", points_reading.PointsLotsView.as_view(), name="api_points_lots"),
    path("points/entries", points_reading.PointsEntryListView.as_view(), name="api_points_entries"),
    path("points/liability", points_reading.PointsLiabilityView.as_view(), name="api_points_liability"),
    path("points/adjust", points_adjustments.PointsAdjustView.as_view(), name="api_points_adjust"),
    path("points/adjustments", points_adjustments.AdjustmentListView.as_view(), name="api_adjustment_list"),
    path("points/adjustments/<int:adjustment_id>", points_adjustments.AdjustmentView.as_view(), name="api_adjustment"),
    path(
        "points/adjustments/<int:adjustment_id>/attachment",
        points_adjustments.AdjustmentFileView.as_view(),
        name="api_adjustment_file",
    ),
    path(
        "points/adjustments/<int:adjustment_id>/approve",
        points_adjustments.AdjustmentApproveView.as_view(),
        name="api_adjustment_approve",
    ),
    path(
        "points/adjustments/<int:adjustment_id>/reject",
        points_adjustments.AdjustmentRejectView.as_view(),
        name="api_adjustment_reject",
    ),
    path("points/currencies", points_adjustments.CurrencyListView.as_view(), name="api_currency_list"),
    path("points/currencies/<str:key>", points_adjustments.CurrencyView.as_view(), name="api_currency"),
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
    path("tiers/trials", tiers.LadderTrialListView.as_view(), name="api_tier_trial_list"),
    path("tiers/trials/<int:trial_id>", tiers.LadderTrialView.as_view(), name="api_tier_trial"),
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
    # Tasks and check-in.
    path("tasks", tasks.TaskListView.as_view(), name="api_task_list"),
    path("tasks/preview", tasks.TaskPreviewView.as_view(), name="api_task_preview"),
    path("tasks/<int:task_id>", tasks.TaskView.as_view(), name="api_task"),
    path("tasks/<int:task_id>/state", tasks.TaskStateView.as_view(), name="api_task_state"),
    path("tasks/<int:task_id>/funnel", tasks.TaskFunnelView.as_view(), name="api_task_funnel"),
    path("members/<int:member_id>/tasks", tasks.MemberTasksView.as_view(), name="api_member_tasks"),
    path("members/<int:member_id>/tasks/<int:task_id>", tasks.MemberTaskView.as_view(), name="api_member_task"),
    path(
        "members/<int:member_id>/tasks/<int:task_id>/claim",
        tasks.MemberTaskClaimView.as_view(),
        name="api_member_task_claim",
    ),
    path("checkin-calendars", checkins.CalendarListView.as_view(), name="api_checkin_calendar_list"),
    path("checkin-calendars/<int:calendar_id>", checkins.CalendarView.as_view(), name="api_checkin_calendar"),
    path("members/<int:member_id>/checkins", checkins.MemberCheckInsView.as_view(), name="api_member_checkins"),
    path("members/<int:member_id>/checkins/makeup", checkins.MemberMakeUpView.as_view(), name="api_member_makeup"),
]
