"""Pages of analytics."""

from __future__ import annotations

from django.urls import path

from analytics.web import model_tags, views

urlpatterns = [
    path("rfm/", views.rfm, name="rfm"),
    path("rfm/<int:model_id>/run/", views.rfm_run, name="rfm_run"),
    path("rfm/<int:model_id>/definition/", views.rfm_definition, name="rfm_definition"),
    path("lifecycle/", views.lifecycle, name="lifecycle"),
    path("lifecycle/run/", views.lifecycle_run, name="lifecycle_run"),
    path("model-tags/", model_tags.model_tags, name="model_tags"),
    path("model-tags/run/", model_tags.model_tags_run, name="model_tags_run"),
    path("model-tags/<slug:model>/run/", model_tags.model_tags_run, name="model_tag_run"),
    path("lifecycle/limits/", views.lifecycle_limits, name="lifecycle_limits"),
]
