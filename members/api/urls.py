"""API routes of members."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from members.api import attributes, consents, event_types, facts, members

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
    # What members can do, by name.
    path("event-types", event_types.EventTypeListView.as_view(), name="api_event_type_list"),
    path("event-types/<int:type_id>", event_types.EventTypeView.as_view(), name="api_event_type"),
]
