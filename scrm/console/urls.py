"""Addresses of the console shell."""

from __future__ import annotations

from django.urls import path

from scrm.console import (
    api_keys,
    audit_log,
    dashboard,
    health,
    notifications,
    palette,
    profile,
    saved_views,
    task_centre,
    users,
)

urlpatterns = [
    path("", dashboard.dashboard, name="dashboard"),
    path("favicon.ico", health.favicon, name="favicon"),
    path("healthz", health.health, name="health"),
    path("palette/", palette.palette, name="palette"),
    path("jobs/", task_centre.job_list, name="job_list"),
    path("jobs/<int:job_id>/", task_centre.job_detail, name="job_detail"),
    path("jobs/<int:job_id>/cancel/", task_centre.job_cancel, name="job_cancel"),
    path("jobs/<int:job_id>/file/", task_centre.job_file, name="job_file"),
    path("notifications/", notifications.notification_list, name="notification_list"),
    path("notifications/read/", notifications.notifications_read, name="notifications_read"),
    path("audit/", audit_log.audit_list, name="audit_list"),
    path("users/", users.user_list, name="user_list"),
    path("users/new/", users.user_edit, name="user_new"),
    path("users/<int:user_id>/", users.user_edit, name="user_edit"),
    path("api-keys/", api_keys.api_key_list, name="api_key_list"),
    path("api-keys/<int:key_id>/revoke/", api_keys.api_key_revoke, name="api_key_revoke"),
    path("profile/", profile.profile, name="profile"),
    path("views/save/", saved_views.view_save, name="view_save"),
    path("views/<int:view_id>/delete/", saved_views.view_delete, name="view_delete"),
]
