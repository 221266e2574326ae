"""API routes of analytics."""

from __future__ import annotations

from django.urls import path

from analytics.api import views

urlpatterns = [
    path("analytics/summary", views.SummaryView.as_view(), name="api_analytics_summary"),
    path("analytics/rfm", views.RfmView.as_view(), name="api_analytics_rfm"),
    path("analytics/rfm/runs", views.RfmRunsView.as_view(), name="api_analytics_rfm_runs"),
    path("analytics/lifecycle", views.LifecycleView.as_view(), name="api_analytics_lifecycle"),
]
