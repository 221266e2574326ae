"""API routes under `members`: reading and changing profiles."""

from __future__ import annotations

from django.urls import path

from members.api import members

urlpatterns = [
    path("", members.MemberListView.as_view(), name="api_member_list"),
    path("/<int:member_id>", members.MemberDetailView.as_view(), name="api_member_detail"),
    path("/<int:member_id>/timeline", members.MemberTimelineView.as_view(), name="api_member_timeline"),
    path("/<int:member_id>/orders", members.MemberOrdersView.as_view(), name="api_member_orders"),
]
