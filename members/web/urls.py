"""Pages of members."""

from __future__ import annotations

from django.urls import include, path

from members.web import (
    attributes,
    earning,
    member_list,
    member_pages,
    membership_plans,
    organisation_pages,
    tier_members,
    tiers,
)

urlpatterns = [
    path("", include("members.web.import_urls")),
    path("members/", member_list.member_list, name="member_list"),
    path("members/count/", member_list.member_count, name="member_count"),
    path("members/filters/", member_list.member_filters, name="member_filters"),
    path("members/export/", member_list.member_export, name="member_export"),
    path("members/exports/<int:job_id>/", member_list.member_export_file, name="member_export_file"),
    path("members/<int:member_id>/", member_pages.member_detail, name="member_detail"),
    path("members/<int:member_id>/edit/", member_pages.member_edit, name="member_edit"),
    path("members/<int:member_id>/consent/", member_pages.member_consent, name="member_consent"),
    path(
        "members/<int:member_id>/identities/<int:identity_id>/reveal/",
        member_pages.member_reveal,
        name="member_reveal",
    ),
    path("earning/", earning.earning_list, name="earning_list"),
    path("earning/new/", earning.earning_new, name="earning_new"),
    path("earning/preview/", earning.earning_preview, name="earning_preview"),
    path("earning/<int:rule_id>/", earning.earning_detail, name="earning_detail"),
    path("earning/<int:rule_id>/edit/", earning.earning_edit, name="earning_edit"),
    path("earning/<int:rule_id>/<slug:act>/", earning.earning_act, name="earning_act"),
    path("earning/trials/<int:trial_id>/", earning.earning_trial, name="earning_trial"),
    path("earning/orders/<uuid:order_id>/", earning.earning_order, name="earning_order"),
    path("members/<int:member_id>/tier/", tier_members.member_tier, name="member_tier"),
    path("members/<int:member_id>/tier/set/", tier_members.member_tier_set, name="member_tier_set"),
    path("members/<int:member_id>/memberships/", tier_members.member_membership, name="member_membership"),
    path("tiers/", tiers.tier_list, name="tier_list"),
    path("tiers/edit/", tiers.tier_edit, name="tier_edit"),
    path("tiers/rows/", tiers.tier_rows, name="tier_rows"),
    path("tiers/preview/", tiers.tier_preview_part, name="tier_preview"),
    path("memberships/", membership_plans.plan_list, name="plan_list"),
    path("memberships/new/", membership_plans.plan_new, name="plan_new"),
    path("memberships/<str:key>/", membership_plans.plan_edit, name="plan_edit"),
    path("attributes/", attributes.attribute_list, name="attribute_list"),
    path("attributes/new/", attributes.attribute_new, name="attribute_new"),
    path("attributes/<int:attribute_id>/", attributes.attribute_edit, name="attribute_edit"),
    path("attributes/<int:attribute_id>/delete/", attributes.attribute_delete, name="attribute_delete"),
    path("stores/", organisation_pages.store_list, name="store_list"),
    path("stores/new/", organisation_pages.store_edit, name="store_new"),
    path("stores/<int:store_id>/", organisation_pages.store_edit, name="store_edit"),
    path("stores/staff/new/", organisation_pages.staff_edit, name="staff_new"),
    path("stores/staff/<int:staff_id>/", organisation_pages.staff_edit, name="staff_edit"),
    path("stores/regions/new/", organisation_pages.region_edit, name="region_new"),
    path("stores/regions/<int:region_id>/", organisation_pages.region_edit, name="region_edit"),
]
