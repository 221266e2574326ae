"""Pages of analytics."""

from __future__ import annotations

from django.urls import path

from analytics.web import alerts, lifecycle, model_tags, rfm_editing, views

urlpatterns = [
    path("rfm/", views.rfm, name="rfm"),
    path("rfm/models/", rfm_editing.rfm_models_page, name="rfm_models"),
    path("rfm/models/new/", rfm_editing.rfm_model_new, name="rfm_model_new"),
    path("rfm/models/<int:model_id>/", rfm_editing.rfm_model_act, name="rfm_model_act"),
    path("rfm/alerts/", alerts.alert_rules, name="alert_rules"),
    path("rfm/alerts/<int:rule_id>/delete/", alerts.alert_rule_delete, name="alert_rule_delete"),
    path("rfm/<int:model_id>/run/", views.rfm_run, name="rfm_run"),
    path("rfm/<int:model_id>/definition/", rfm_editing.rfm_definition, name="rfm_definition"),
    path("rfm/<int:model_id>/preview/", rfm_editing.rfm_preview_page, name="rfm_preview"),
    path("rfm/<int:model_id>/migration/", views.rfm_migration, name="rfm_migration"),
    path("rfm/<int:model_id>/versions/", views.rfm_versions_page, name="rfm_versions"),
    path("rfm/<int:model_id>/versions/restore/", rfm_editing.rfm_restore, name="rfm_restore"),
    path("lifecycle/", lifecycle.lifecycle, name="lifecycle"),
    path("lifecycle/run/", lifecycle.lifecycle_run, name="lifecycle_run"),
    path("lifecycle/moves/", lifecycle.lifecycle_moves_page, name="lifecycle_moves"),
    path("lifecycle/limits/", lifecycle.lifecycle_limits, name="lifecycle_limits"),
    path("lifecycle/preview/", lifecycle.lifecycle_preview, name="lifecycle_preview"),
    path("lifecycle/limits/restore/", lifecycle.lifecycle_restore, name="lifecycle_restore"),
    path("model-tags/", model_tags.model_tags, name="model_tags"),
    path("model-tags/run/", model_tags.model_tags_run, name="model_tags_run"),
    path("model-tags/<slug:model>/run/", model_tags.model_tags_run, name="model_tag_run"),
]
