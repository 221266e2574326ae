"""The composition root: every part's addresses."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("scrm.console.urls")),
    path("", include("members.web.urls")),
    path("", include("tags.web.urls")),
    path("", include("analytics.web.urls")),
    path("", include("campaigns.web.urls")),
    path("api/v1/", include("scrm.api.urls")),
    path("accounts/", include("allauth.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
    path("admin/", admin.site.urls),
]
