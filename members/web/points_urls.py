"""Pages of points."""

from __future__ import annotations

from django.urls import path, re_path

from members.web import points_adjusting, points_pages, points_policies

urlpatterns = [
    path("points/", points_pages.points_ledger_page, name="points_ledger"),
    path("points/export/", points_pages.points_export_start, name="points_export"),
    path("points/exports/<int:job_id>/", points_pages.points_export_file, name="points_export_file"),
    path("points/members/<int:member_id>/", points_pages.member_points, name="member_points"),
    path("points/members/<int:member_id>/adjust/", points_adjusting.points_adjust, name="points_adjust"),
    path("points/members/<int:member_id>/holds/void/", points_pages.points_hold_void, name="points_hold_void"),
    path("points/adjustments/", points_adjusting.adjustment_list, name="adjustment_list"),
    path("points/adjustments/<int:adjustment_id>/file/", points_adjusting.adjustment_file, name="adjustment_file"),
    re_path(
        r"^points/adjustments/(?P<adjustment_id>[0-9]{1,18})/(?P<decision>approve|reject)/$",
        points_adjusting.adjustment_decide,
        name="adjustment_decide",
    ),
    path("points/currencies/", points_policies.currency_list, name="currency_list"),
    path("points/currencies/new/", points_policies.currency_new, name="currency_new"),
    path("points/currencies/<str:key>/", points_policies.currency_edit, name="currency_edit"),
    path("points/liability/", points_policies.points_liability_page, name="points_liability"),
    path("points/liability/count/", points_policies.points_liability_count, name="points_liability_count"),
]
