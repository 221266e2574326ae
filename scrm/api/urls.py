"""The API root: /api/v1/."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [
    path("", include("members.api.urls")),
    path("", include("tags.api.urls")),
    path("", include("analytics.api.urls")),
    path("", include("campaigns.api.urls")),
]
