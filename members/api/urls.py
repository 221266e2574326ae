"""API routes of members."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from members.api import consents, facts

urlpatterns: list[URLPattern | URLResolver] = [
    # Facts come in.
    path("events/batch", facts.EventBatchView.as_view(), name="api_event_batch"),
    path("orders/batch", facts.OrderBatchView.as_view(), name="api_order_batch"),
    path("refunds/batch", facts.RefundBatchView.as_view(), name="api_refund_batch"),
    path("members/batch", facts.MemberBatchView.as_view(), name="api_member_batch"),
    path("consents/batch", consents.ConsentBatchView.as_view(), name="api_consent_batch"),
    # Members are read.
    path("members", include("members.api.member_urls")),
]
