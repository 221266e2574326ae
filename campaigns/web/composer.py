"""Making a campaign in four steps: audience, content, schedule, check. Every step is saved before the next."""

from __future__ import annotations

import dataclasses
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages as notes
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from campaigns.enums import CampaignState, ChannelKind
from campaigns.models import Campaign
from campaigns.operations import campaigns as operations
from campaigns.operations import trials
from campaigns.operations.campaigns import Plan
from campaigns.queries import accounts, campaigns, contents, preflight, previews, templates
from campaigns.web.forms import AudienceForm, ContentForm, ScheduleForm
from scrm.common import clock
from scrm.common.access import ConsoleRequest, Permission, page
from scrm.common.errors import DomainError
from scrm.common.forms import refuse
from tags.queries import segments

STEPS = ("audience", "content", "schedule", "check")


def _steps(campaign: Campaign | None, current: str) -> list[dict[str, Any]]:
    labels = {"audience": _("Audience"), "content": _("Content"), "schedule": _("Schedule"), "check": _("Check")}
    position = STEPS.index(current)
    return [
        {
            "label": labels[step],
            "state": "current" if step == current else "done" if number < position else "todo",
            "href": reverse("campaign_edit", args=[campaign.pk, step]) if campaign and step != current else "",
        }
        for number, step in enumerate(STEPS)
    ]


@page(allow=Permission.CAMPAIGNS_EDIT)
def campaign_new(request: ConsoleRequest) -> HttpResponse:
    """Step 1 of a campaign that does not exist yet; `?segment=` fills it in."""
    initial: dict[str, Any] = {}
    if request.GET.get("segment", "").isdigit():
        segment = segments.get(int(request.GET["segment"]))
        initial = {"segment_id": segment.pk, "name": segment.name[:60]}
    form = AudienceForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            campaign = operations.create(plan=Plan(**form.cleaned_data), user_id=request.actor.id)
        except DomainError as error:
            refuse(form, error)
        else:
            return redirect("campaign_edit", campaign_id=campaign.pk, step="content")
    return _page(request, None, "audience", form)


@page(allow=Permission.CAMPAIGNS_EDIT)
def campaign_edit(request: ConsoleRequest, campaign_id: int, step: str) -> HttpResponse:
    """One step of a draft. Saving moves on; an older form than the campaign is refused with both told apart."""
    campaign = campaigns.get(campaign_id)
    if campaign.state not in operations.EDITABLE:
        return redirect("campaign_detail", campaign_id=campaign_id)
    if step == "check":
        return _check_page(request, campaign)
    form = _form(request, campaign, step)
    if request.method == "POST" and form.is_valid():
        values = {name: value for name, value in form.cleaned_data.items() if name != "when"}
        version = request.POST.get("version", "")
        try:
            operations.update(
                campaign_id=campaign_id,
                plan=dataclasses.replace(Plan.of(campaign), **values),
                version=int(version) if version.isdigit() else 0,
            )
        except DomainError as error:
            refuse(form, error)
        else:
            return redirect("campaign_edit", campaign_id=campaign_id, step=STEPS[STEPS.index(step) + 1])
    return _page(request, campaign, step, form)


def _form(request: ConsoleRequest, campaign: Campaign, step: str) -> forms.Form:
    initial = dataclasses.asdict(Plan.of(campaign))
    data = request.POST or None
    match step:
        case "audience":
            return AudienceForm(data, initial=initial)
        case "content":
            return ContentForm(data, initial=initial, channel=campaign.channel)
        case _:
            if campaign.quiet_from is None and campaign.scheduled_at is None and campaign.version <= 2:
                initial |= {"quiet_from": "21:00", "quiet_until": "08:00", "control_percent": 5}
            return ScheduleForm(data, initial={**initial, "when": "at" if campaign.scheduled_at else "now"})


def _page(request: ConsoleRequest, campaign: Campaign | None, step: str, form: forms.Form) -> HttpResponse:
    context: dict[str, Any] = {
        "campaign": campaign,
        "form": form,
        "step": step,
        "steps": _steps(campaign, step),
        "version": request.POST.get("version") or (campaign.version if campaign else 0),
        "zone": settings.TIME_ZONE,
    }
    chosen = form["segment_id"].value() if step == "audience" else None
    if chosen and str(chosen).isdigit():
        context["reach"] = _reach(request, int(chosen))
    if step == "content" and campaign is not None:
        context |= _preview(request, form["subject"].value() or "", form["body"].value() or "", campaign.segment_id)
        context |= {"fields": contents.fields(), "is_email": campaign.channel == ChannelKind.EMAIL}
        context["templates"] = list(templates.list_all(channel=campaign.channel)[:50])
    return render(request, f"campaigns/compose_{step}.html", context, status=422 if form.errors else 200)


def _check_page(request: ConsoleRequest, campaign: Campaign) -> HttpResponse:
    now = clock.now()
    context: dict[str, Any] = {"campaign": campaign, "step": "check", "steps": _steps(campaign, "check")}
    try:
        forecast = preflight.forecast(campaign, now=now)
    except DomainError as error:
        context["broken"] = str(error.message)
    else:
        checks = preflight.checklist(campaign, forecast, now=now)
        context |= {
            "forecast": forecast,
            "checks": checks,
            "blocked": any(check.level == "error" for check in checks),
        }
    context |= _preview(request, campaign.subject, campaign.body, campaign.segment_id)
    context |= {
        "accounts": accounts.active(),
        "zone": settings.TIME_ZONE,
        "may_send": request.actor.may(Permission.CAMPAIGNS_SEND),
        "scheduled": campaign.state == CampaignState.SCHEDULED,
    }
    return render(request, "campaigns/compose_check.html", context)


def _reach(request: ConsoleRequest, segment_id: int) -> dict[str, Any]:
    try:
        found = segments.preview_of(segments.get(segment_id), actor=request.actor, as_of=clock.now())
    except DomainError as error:
        return {"broken": str(error.message)}
    shown = [(kind.label, found.reachable.get(kind.value, 0)) for kind in ChannelKind]
    return {"total": found.total, "channels": shown}


def _preview(
    request: ConsoleRequest, subject: str, body: str, segment_id: int | None, after: int = 0
) -> dict[str, Any]:
    member_id = None
    try:
        member_id = previews.sample_member(actor=request.actor, segment_id=segment_id, after=after, now=clock.now())
        if member_id is None:
            return {"preview": None, "preview_problem": _("Nobody is in the audience.")}
        return {"preview": previews.preview(subject=subject, body=body, member_id=member_id)}
    except DomainError as error:
        return {"preview": None, "preview_problem": str(error.message), "member_id": member_id}


@require_safe
@page(allow=Permission.CAMPAIGNS_EDIT)
def audience_reach(request: ConsoleRequest) -> HttpResponse:
    """How many members the chosen segment has, and how many each channel reaches."""
    chosen = request.GET.get("segment_id", "")
    reach = _reach(request, int(chosen)) if chosen.isdigit() else None
    return render(request, "campaigns/reach.html", {"reach": reach})


@require_POST
@page(allow=Permission.CAMPAIGNS_EDIT)
def message_preview(request: ConsoleRequest) -> HttpResponse:
    """The message that is being written, as a real member would get it."""
    segment, after = request.POST.get("segment", ""), request.POST.get("after", "")
    context = _preview(
        request,
        request.POST.get("subject", "")[:200],
        request.POST.get("body", "")[:20_001],
        int(segment) if segment.isdigit() else None,
        int(after[:18]) if after.isdigit() else 0,
    )
    return render(request, "campaigns/preview.html", context)


@require_POST
@page(allow=Permission.CAMPAIGNS_EDIT)
def campaign_test(request: ConsoleRequest, campaign_id: int) -> HttpResponse:
    """Send one message as a test, to the sandbox or to an address of one's own."""
    campaign = campaigns.get(campaign_id)
    member, account = request.POST.get("member", ""), request.POST.get("account", "")
    try:
        trials.send(
            campaign_id=campaign_id,
            account_id=int(account) if account.isdigit() else 0,
            subject=campaign.subject,
            body=campaign.body,
            member_id=int(member) if member.isdigit() else 0,
            address=request.POST.get("address", "").strip(),
        )
    except DomainError as error:
        notes.error(request, str(error.message))
    else:
        notes.success(request, _("The test message was sent."))
    return redirect("campaign_edit", campaign_id=campaign_id, step="check")
