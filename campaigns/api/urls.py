"""API routes of campaigns."""

from __future__ import annotations

from django.urls import URLPattern, path

from campaigns.api import views

urlpatterns: list[URLPattern] = [
    path("campaigns", views.CampaignListView.as_view(), name="api_campaigns"),
    path("campaigns/<int:campaign_id>/start", views.CampaignStartView.as_view(), name="api_campaign_start"),
    path("campaigns/<int:campaign_id>/pause", views.CampaignPauseView.as_view(), name="api_campaign_pause"),
    path("campaigns/<int:campaign_id>/resume", views.CampaignResumeView.as_view(), name="api_campaign_resume"),
    path("campaigns/<int:campaign_id>/stop", views.CampaignStopView.as_view(), name="api_campaign_stop"),
    path("campaigns/<int:campaign_id>/report", views.CampaignReportView.as_view(), name="api_campaign_report"),
    path("templates", views.TemplateListView.as_view(), name="api_templates"),
]
