"""API routes of analytics."""

from __future__ import annotations

from django.urls import path

from analytics.api import model_tags, views, workbench

urlpatterns = [
    path("analytics/summary", views.SummaryView.as_view(), name="api_analytics_summary"),
    path("analytics/rfm", views.RfmView.as_view(), name="api_analytics_rfm"),
    path("analytics/rfm/runs", views.RfmRunsView.as_view(), name="api_analytics_rfm_runs"),
    path("analytics/lifecycle", views.LifecycleView.as_view(), name="api_analytics_lifecycle"),
    path("analytics/model-tags", model_tags.ModelTagsView.as_view(), name="api_analytics_model_tags"),
    path("analytics/rfm/models", workbench.RfmModelsView.as_view(), name="api_rfm_models"),
    path("analytics/rfm/models/<int:model_id>", workbench.RfmModelView.as_view(), name="api_rfm_model"),
    path(
        "analytics/rfm/models/<int:model_id>/versions",
        workbench.RfmVersionsView.as_view(),
        name="api_rfm_model_versions",
    ),
    path(
        "analytics/rfm/models/<int:model_id>/preview", workbench.RfmPreviewView.as_view(), name="api_rfm_model_preview"
    ),
    path(
        "analytics/rfm/models/<int:model_id>/migration",
        workbench.RfmMigrationView.as_view(),
        name="api_rfm_model_migration",
    ),
    path(
        "analytics/rfm/models/<int:model_id>/<slug:act>", workbench.RfmModelActView.as_view(), name="api_rfm_model_act"
    ),
    path("analytics/rfm/alert-rules", workbench.AlertRulesView.as_view(), name="api_alert_rules"),
    path("analytics/rfm/alert-rules/<int:rule_id>", workbench.AlertRuleView.as_view(), name="api_alert_rule"),
    path("analytics/lifecycle/moves", workbench.LifecycleMovesView.as_view(), name="api_lifecycle_moves"),
    path("analytics/lifecycle/limits", workbench.LifecycleLimitsView.as_view(), name="api_lifecycle_limits"),
    path("analytics/lifecycle/preview", workbench.LifecyclePreviewView.as_view(), name="api_lifecycle_preview"),
]
