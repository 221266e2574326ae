"""Pages of benefits."""

from __future__ import annotations

from django.urls import path

from members.web import benefit_panel, benefit_partners, benefit_redeem, benefits

urlpatterns = [
    path("benefits/", benefits.benefit_list, name="benefit_list"),
    path("benefits/new/", benefits.benefit_new, name="benefit_new"),
    path("benefits/sentence/", benefits.benefit_sentence, name="benefit_sentence"),
    path("benefits/redeem/", benefit_redeem.benefit_redeem, name="benefit_redeem"),
    path("benefits/partners/", benefit_partners.partner_list, name="partner_list"),
    path("benefits/partners/new/", benefit_partners.partner_edit, name="partner_new"),
    path("benefits/partners/<int:partner_id>/", benefit_partners.partner_edit, name="partner_edit"),
    path("benefits/partners/<int:partner_id>/settlement/", benefit_partners.settlement, name="partner_settlement"),
    path("benefits/<int:benefit_id>/", benefits.benefit_detail, name="benefit_detail"),
    path("benefits/<int:benefit_id>/edit/", benefits.benefit_edit, name="benefit_edit"),
    path("benefits/<int:benefit_id>/codes/", benefits.benefit_codes, name="benefit_codes"),
    path("benefits/<int:benefit_id>/<str:act>/", benefits.benefit_act, name="benefit_act"),
    path("members/<int:member_id>/benefits/<str:act>/", benefit_panel.member_benefit_act, name="member_benefit_act"),
    path("members/<int:member_id>/claims/<uuid:claim_id>/qr.svg", benefit_panel.claim_qr, name="claim_qr"),
]
