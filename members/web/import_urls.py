"""Addresses of the import pages."""

from __future__ import annotations

from django.urls import path

from members.web import imports

urlpatterns = [
    path("imports/", imports.import_list, name="import_list"),
    path("imports/new/", imports.import_new, name="import_new"),
    path("imports/new/<str:token>/", imports.import_map, name="import_map"),
    path("imports/template/<str:kind>.csv", imports.import_template, name="import_template"),
    path("imports/mappings/delete/", imports.import_mapping_delete, name="import_mapping_delete"),
    path("imports/<int:job_id>/", imports.import_detail, name="import_detail"),
    path("imports/<int:job_id>/cancel/", imports.import_cancel, name="import_cancel"),
    path("imports/<int:job_id>/errors/", imports.import_errors, name="import_errors"),
]
