"""The API root: /api/v1/."""

from __future__ import annotations

from django.urls import include, path

from scrm.api.documentation import OpenApiView

urlpatterns = [
    path("openapi.json", OpenApiView.as_view(), name="openapi"),
    path("", include("members.api.urls")),
    path("", include("tags.api.urls")),
    path("", include("analytics.api.urls")),
    path("", include("campaigns.api.urls")),
]
