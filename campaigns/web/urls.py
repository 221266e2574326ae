"""Pages of campaigns."""

from __future__ import annotations

from django.urls import URLPattern, path, register_converter

from campaigns.web import accounts, campaigns, composer, templates, tracking


class _Step:
    regex = "|".join(composer.STEPS)

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


class _Act(_Step):
    regex = "start|unschedule|pause|resume|stop"


register_converter(_Step, "campaign_step")
register_converter(_Act, "campaign_act")

urlpatterns: list[URLPattern] = [
    path("campaigns/", campaigns.campaign_list, name="campaign_list"),
    path("campaigns/new/", composer.campaign_new, name="campaign_new"),
    path("campaigns/reach/", composer.audience_reach, name="campaign_reach"),
    path("campaigns/preview/", composer.message_preview, name="campaign_preview"),
    path("campaigns/<int:campaign_id>/", campaigns.campaign_detail, name="campaign_detail"),
    path("campaigns/<int:campaign_id>/edit/<campaign_step:step>/", composer.campaign_edit, name="campaign_edit"),
    path("campaigns/<int:campaign_id>/test/", composer.campaign_test, name="campaign_test"),
    path("campaigns/<int:campaign_id>/members/", campaigns.campaign_members, name="campaign_members"),
    path("campaigns/<int:campaign_id>/duplicate/", campaigns.campaign_duplicate, name="campaign_duplicate"),
    path("campaigns/<int:campaign_id>/delete/", campaigns.campaign_delete, name="campaign_delete"),
    path("campaigns/<int:campaign_id>/<campaign_act:act>/", campaigns.campaign_act, name="campaign_act"),
    path("templates/", templates.template_list, name="template_list"),
    path("templates/new/", templates.template_new, name="template_new"),
    path("templates/<int:template_id>/", templates.template_edit, name="template_edit"),
    path("templates/<int:template_id>/delete/", templates.template_delete, name="template_delete"),
    path("sandbox/", templates.sandbox_inbox, name="sandbox_inbox"),
    path("channels/", accounts.account_list, name="account_list"),
    path("channels/<int:account_id>/", accounts.account_edit, name="account_edit"),
    path("channels/<int:account_id>/check/", accounts.account_check, name="account_check"),
    path("t/o/<str:token>.gif", tracking.track_open, name="track_open"),
    path("t/c/<str:token>", tracking.track_click, name="track_click"),
    path("t/u/<str:token>", tracking.unsubscribe, name="unsubscribe"),
]
