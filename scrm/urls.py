"""The composition root: every part's addresses."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from scrm.api.documentation import api_docs

urlpatterns = [
    # First, because facts come by it: patterns are tried in order.
    path("api/v1/", include("scrm.api.urls")),
    path("", include("scrm.console.urls")),
    path("", include("members.web.urls")),
    path("", include("tags.web.urls")),
    path("", include("analytics.web.urls")),
    path("", include("campaigns.web.urls")),
    path("v1/", include("members.api.tracking_urls")),
    path("api/docs/", api_docs, name="api_docs"),
    path("accounts/", include("allauth.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
    path("admin/", admin.site.urls),
]

# Problem documents under /api/, pages elsewhere.
handler400 = "scrm.api.problems.bad_request"
handler403 = "scrm.api.problems.permission_denied"
handler404 = "scrm.api.problems.page_not_found"
handler500 = "scrm.api.problems.server_error"
