"""Pages of members."""

from __future__ import annotations

from django.urls import include, path

from members.web import attributes, member_list, member_pages, organisation_pages

urlpatterns = [
    path("", include("members.web.import_urls")),
    path("", include("members.web.task_urls")),
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
    path("stores/", organisation_pages.store_list, name="store_list"),
    path("stores/new/", organisation_pages.store_edit, name="store_new"),
    path("stores/<int:store_id>/", organisation_pages.store_edit, name="store_edit"),
    path("stores/staff/new/", organisation_pages.staff_edit, name="staff_new"),
    path("stores/staff/<int:staff_id>/", organisation_pages.staff_edit, name="staff_edit"),
    path("stores/regions/new/", organisation_pages.region_edit, name="region_new"),
    path("stores/regions/<int:region_id>/", organisation_pages.region_edit, name="region_edit"),
]
