"""The first page: how the brand's private domain is doing, and what to do next."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from analytics.queries import dashboard as figures
from campaigns.queries import campaigns
from scrm.common import clock
from scrm.common.access import ConsoleRequest, Permission, page


@page(allow=Permission.HOME)
def dashboard(request: ConsoleRequest) -> HttpResponse:
    """Key figures of the members in the actor's scope, filtered by `?source=`."""
    source = request.GET.get("source") or None
    context: dict[str, Any] = figures.overview(actor=request.actor, source=source, now=clock.now())
    context["source"] = source
    context["recent_campaigns"] = (
        list(campaigns.list_all().order_by("-pk")[:5]) if request.actor.may(Permission.CAMPAIGNS_VIEW) else []
    )
    context["checklist"] = _checklist(context, bool(context["recent_campaigns"]))
    return render(request, "console/dashboard.html", context)


def _checklist(context: dict[str, Any], has_campaign: bool) -> list[dict[str, Any]]:
    """The first steps of a new installation, each done or one click away."""
    facts = context.get("facts", {})
    steps = [
        (_("Import members and orders"), facts.get("members", 0) > 0, "import_new"),
        (_("Look at your RFM matrix"), facts.get("rfm_published", False), "rfm"),
        (_("Save a first segment"), facts.get("segments", 0) > 0, "segment_list"),
        (_("Send a first campaign"), has_campaign, "campaign_list"),
    ]
    return [{"label": label, "done": done, "href": reverse(name)} for label, done, name in steps]
