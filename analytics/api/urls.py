"""API routes of analytics."""

from __future__ import annotations

from django.urls import path

from analytics.api import model_tags, views

urlpatterns = [
    path("analytics/summary", views.SummaryView.as_view(), name="api_analytics_summary"),
    path("analytics/rfm", views.RfmView.as_view(), name="api_analytics_rfm"),
    path("analytics/rfm/runs", views.RfmRunsView.as_view(), name="api_analytics_rfm_runs"),
    path("analytics/lifecycle", views.LifecycleView.as_view(), name="api_analytics_lifecycle"),
    path("analytics/model-tags", model_tags.ModelTagsView.as_view(), name="api_analytics_model_tags"),
]
