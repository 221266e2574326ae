"""Routes of the tracking calls: /v1/…"""

from __future__ import annotations

from django.urls import path

from members.api.tracking import TrackingBatchView, TrackingView
from members.rules.tracking import CALLS

urlpatterns = [
    path("batch", TrackingBatchView.as_view(), name="tracking_batch"),
    *(path(call, TrackingView.as_view(call=call), name=f"tracking_{call}") for call in CALLS),
]
