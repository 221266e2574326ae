"""Campaigns: the list, the report, and the buttons that steer one."""

from __future__ import annotations

from typing import Any

from django.contrib import messages as notes
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from campaigns import tasks
from campaigns.enums import CampaignState, MessageState
from campaigns.filtersets import CampaignFilterSet
from campaigns.models import Campaign
from campaigns.operations import campaigns as operations
from campaigns.queries import campaigns, messages, reports
from campaigns.rules import lifecycle
from scrm.common import clock
from scrm.common.access import ConsoleRequest, Permission, page
from scrm.common.errors import DomainError
from scrm.common.pagination import paginate

PAGE_SIZE = 50
_GROUPS = {
    "draft": (CampaignState.DRAFT,),
    "scheduled": (CampaignState.SCHEDULED,),
    "sending": (CampaignState.PREPARING, CampaignState.SENDING),
    "paused": (CampaignState.PAUSED,),
    "finished": (CampaignState.FINISHED,),
    "ended": (CampaignState.STOPPED, CampaignState.FAILED),
}


@require_safe
@page(allow=Permission.CAMPAIGNS_VIEW)
def campaign_list(request: ConsoleRequest) -> HttpResponse:
    """Campaigns by state, the latest first."""
    group = request.GET.get("view", "")
    filtered = CampaignFilterSet(request.GET, queryset=campaigns.list_all())
    rows = filtered.qs
    if group in _GROUPS:
        rows = rows.filter(state__in=_GROUPS[group])
    found = paginate(rows, order=[("pk", True)], cursor=request.GET.get("cursor"), size=PAGE_SIZE)
    context: dict[str, Any] = {"page": found, "q": request.GET.get("q", ""), "channel": request.GET.get("channel", "")}
    if request.htmx and "cursor" in request.GET:
        return render(request, "campaigns/campaign_rows.html", context)
    counts = campaigns.state_counts()
    labels = {
        "": _("All"),
        "draft": _("Drafts"),
        "scheduled": _("Scheduled"),
        "sending": _("Sending"),
        "paused": _("Paused"),
        "finished": _("Finished sending"),
        "ended": _("Stopped or failed"),
    }
    context |= {
        "tabs": [
            {
                "label": label,
                "href": f"?view={key}" if key else "?",
                "active": key == (group if group in _GROUPS else ""),
                "count": sum(counts[state] for state in _GROUPS[key]) if key else sum(counts.values()),
            }
            for key, label in labels.items()
        ],
        "channels": CampaignFilterSet.base_filters["channel"].extra["choices"],
        "any": any(counts.values()),
        "may_set_up": request.actor.may(Permission.SETTINGS),
    }
    return render(request, "campaigns/campaign_list.html", context)


def _report_context(request: ConsoleRequest, campaign: Campaign) -> dict[str, Any]:
    report = reports.report(campaign.pk, actor=request.actor)
    return {
        "campaign": campaign,
        "report": report,
        "may": lifecycle.acts_from(campaign.state) if request.actor.may(Permission.CAMPAIGNS_SEND) else frozenset(),
        "live": campaign.state not in lifecycle.ENDED and campaign.state != CampaignState.DRAFT,
        "reachable": report.audience - report.control,
        "unknown": report.of(MessageState.UNKNOWN),
        "pending": report.of(MessageState.PENDING) + report.of(MessageState.CLAIMED),
        "skipped": [
            (reason, messages.reason_label(reason), number, "skipped") for reason, number in report.skipped.items()
        ],
        "failed": [
            (reason, messages.reason_label(reason), number, "failed") for reason, number in report.failed.items()
        ],
    }


@require_safe
@page(allow=Permission.CAMPAIGNS_VIEW)
def campaign_detail(request: ConsoleRequest, campaign_id: int) -> HttpResponse:
    """The report: progress while it runs, the funnel, who was skipped and why, what followed."""
    campaign = campaigns.get(campaign_id)
    if campaign.state == CampaignState.DRAFT and request.actor.may(Permission.CAMPAIGNS_EDIT):
        return redirect("campaign_edit", campaign_id=campaign.pk, step="audience")
    context = _report_context(request, campaign)
    if request.htmx and request.GET.get("part") == "progress":
        return render(request, "campaigns/report.html", context)
    newest = messages.of_campaign(campaign_id, actor=request.actor)
    context |= {
        "orders": reports.orders_after(campaign, actor=request.actor),
        "window_days": reports.ATTRIBUTION_WINDOW.days,
        "rows": _labelled(list(newest.order_by("member_id")[:10])),
    }
    return render(request, "campaigns/campaign_detail.html", context)


@require_safe
@page(allow=Permission.CAMPAIGNS_VIEW)
def campaign_members(request: ConsoleRequest, campaign_id: int) -> HttpResponse:
    """The members behind a figure of the report, by state and reason."""
    campaign = campaigns.get(campaign_id)
    state, reason = request.GET.get("state", ""), request.GET.get("reason", "")
    rows = messages.of_campaign(campaign_id, actor=request.actor, state=state, reason=reason)
    found = paginate(rows, order=[("member_id", False)], cursor=request.GET.get("cursor"), size=PAGE_SIZE)
    context = {"campaign": campaign, "page": found, "rows": _labelled(found.rows)}
    if request.htmx and "cursor" in request.GET:
        return render(request, "campaigns/message_rows.html", context)
    report = reports.report(campaign_id, actor=request.actor)
    numbers = {"": report.audience, "arrived": report.handed, "opened": report.opened, "clicked": report.clicked}
    context |= {
        "reason": messages.reason_label(reason) if reason else "",
        "tabs": [
            {
                "label": one.label,
                "href": f"?state={one.value}" if one.value else "?",
                "active": one.value == state,
                "count": numbers.get(one.value, report.of(one.value)),
            }
            for one in messages.STATE_FILTERS
        ],
    }
    return render(request, "campaigns/campaign_members.html", context)


def _labelled(rows: Any) -> list[dict[str, Any]]:
    return [{"message": row, "reason": messages.reason_label(row.reason) if row.reason else ""} for row in rows]


@require_POST
@page(allow=Permission.CAMPAIGNS_SEND)
def campaign_act(request: ConsoleRequest, campaign_id: int, act: str) -> HttpResponse:
    """Start, pause, resume, stop, or take back a schedule."""
    now = clock.now()
    try:
        match act:
            case "start":
                wanted = campaigns.get(campaign_id).scheduled_at
                operations.schedule(campaign_id=campaign_id, at=wanted, now=now)
            case "unschedule":
                operations.unschedule(campaign_id=campaign_id)
            case "pause":
                operations.pause(campaign_id=campaign_id)
            case "resume":
                operations.resume(campaign_id=campaign_id)
            case _:
                operations.stop(campaign_id=campaign_id, reason=str(request.user)[:200], now=now)
    except DomainError as error:
        notes.error(request, str(error.message))
    else:
        tasks.hint()
    if act == "unschedule":
        return redirect("campaign_edit", campaign_id=campaign_id, step="check")
    return redirect("campaign_detail", campaign_id=campaign_id)


@require_POST
@page(allow=Permission.CAMPAIGNS_EDIT)
def campaign_duplicate(request: ConsoleRequest, campaign_id: int) -> HttpResponse:
    """A new draft like this one."""
    copy = operations.duplicate(campaign_id=campaign_id, user_id=request.actor.id)
    return redirect("campaign_edit", campaign_id=copy.pk, step="audience")


@require_POST
@page(allow=Permission.CAMPAIGNS_EDIT)
def campaign_delete(request: ConsoleRequest, campaign_id: int) -> HttpResponse:
    """Throw a draft away."""
    try:
        operations.delete_draft(campaign_id=campaign_id)
    except DomainError as error:
        notes.error(request, str(error.message))
        return redirect("campaign_detail", campaign_id=campaign_id)
    notes.success(request, _("The draft was deleted."))
    return redirect("campaign_list")
