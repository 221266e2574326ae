"""Pages of campaigns."""

from __future__ import annotations

from django.urls import URLPattern, path

from campaigns.web import tracking

urlpatterns: list[URLPattern] = [
    path("t/o/<str:token>.gif", tracking.track_open, name="track_open"),
    path("t/c/<str:token>", tracking.track_click, name="track_click"),
    path("t/u/<str:token>", tracking.unsubscribe, name="unsubscribe"),
]
