"""Pages of members."""

from __future__ import annotations

from django.urls import include, path

from members.web import attributes, event_types, member_list, member_pages, my_benefits, my_pages, my_tasks, organisation_pages

urlpatterns = [
    path("", include("members.web.import_urls")),
    # A member's own pages, by a signed link.
    path("my/<str:token>/", my_pages.my_card, name="my_card"),
    path("my/<str:token>/points/", my_pages.my_points, name="my_points"),
    path("my/<str:token>/benefits/", my_benefits.my_benefits, name="my_benefits"),
    path("my/<str:token>/benefits/claim/", my_benefits.my_benefit_claim, name="my_benefit_claim"),
    path("my/<str:token>/benefits/<uuid:claim_id>/", my_benefits.my_benefit_code, name="my_benefit_code"),
    path("my/<str:token>/tasks/", my_tasks.my_tasks, name="my_tasks"),
    path("my/<str:token>/tasks/<int:task_id>/claim/", my_tasks.my_task_claim, name="my_task_claim"),
    path("my/<str:token>/check-in/", my_tasks.my_check_in, name="my_check_in"),
    path("my/<str:token>/check-in/make-up/", my_tasks.my_make_up, name="my_make_up"),
    path("", include("members.web.points_urls")),
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
    path("attributes/", attributes.attribute_list, name="attribute_list"),
    path("attributes/new/", attributes.attribute_new, name="attribute_new"),
    path("attributes/<int:attribute_id>/", attributes.attribute_edit, name="attribute_edit"),
    path("attributes/<int:attribute_id>/delete/", attributes.attribute_delete, name="attribute_delete"),
    path("event-types/", event_types.event_type_list, name="event_type_list"),
    path("event-types/new/", event_types.event_type_new, name="event_type_new"),
    path("event-types/<int:type_id>/", event_types.event_type_edit, name="event_type_edit"),
    path("stores/", organisation_pages.store_list, name="store_list"),
    path("stores/new/", organisation_pages.store_edit, name="store_new"),
    path("stores/<int:store_id>/", organisation_pages.store_edit, name="store_edit"),
    path("stores/staff/new/", organisation_pages.staff_edit, name="staff_new"),
    path("stores/staff/<int:staff_id>/", organisation_pages.staff_edit, name="staff_edit"),
    path("stores/regions/new/", organisation_pages.region_edit, name="region_new"),
    path("stores/regions/<int:region_id>/", organisation_pages.region_edit, name="region_edit"),
]
