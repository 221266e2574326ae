"""API routes of members."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from members.api import attributes, benefit_claims, benefits, consents, facts, members, memberships, tiers

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
    # The membership ladder, tiers of members, paid memberships.
    path("tiers", tiers.LadderView.as_view(), name="api_tiers"),
    path("tiers/versions", tiers.LadderVersionsView.as_view(), name="api_tier_versions"),
    path("tiers/preview", tiers.LadderPreviewView.as_view(), name="api_tier_preview"),
    path("members/<int:member_id>/tier", tiers.MemberTierView.as_view(), name="api_member_tier"),
    path("members/<int:member_id>/tier/history", tiers.MemberTierHistoryView.as_view(), name="api_member_tier_history"),
    path("members/<int:member_id>/tier/replay", tiers.MemberTierReplayView.as_view(), name="api_member_tier_replay"),
    path("membership-plans", memberships.PlanListView.as_view(), name="api_membership_plans"),
    path("membership-plans/<str:benefit_key>", memberships.PlanView.as_view(), name="api_membership_plan"),
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
