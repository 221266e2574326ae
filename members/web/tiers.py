"""The pages of the membership ladder: what it is, its editor with a preview, how members spread over it in time."""

from __future__ import annotations

import re
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from members.models import TierTrial
from members.operations import tier_schemes as operations
from members.operations import tier_trials
from members.queries import scopes, tier_preview, tier_schemes, tiers
from members.queries.task_words import Words
from members.rules.rewards import dump
from members.web import tier_forms
from members.web.tier_forms import TONE_LABELS, LadderForm
from members.web.tier_words import settings_in_words
from scrm.common import clock
from scrm.common.access import ConsoleRequest, Permission, page
from scrm.common.errors import DomainError, NotFound
from scrm.common.forms import refuse

DAYS = 90


@page(allow=Permission.LOYALTY_VIEW)
def tier_list(request: ConsoleRequest) -> HttpResponse:
    """The ladder in effect, with how many members each tier has."""
    now = clock.now()
    row = tier_schemes.row_in_effect(now)
    context: dict[str, Any] = {"may_manage": request.actor.may(Permission.LOYALTY_MANAGE)}
    if row is not None:
        counts = tiers.counts(scopes.members_of(request.actor), now=now)
        whole = sum(counts.values())
        found = tiers.structure_over_time(days=DAYS, now=now)
        newest = tier_schemes.newest()
        words = Words()
        distinct = len({tier.colour for tier in found.tiers}) == len(found.tiers)
        context |= {
            "scheme": row,
            "coming": newest if newest is not None and newest.version != row.version else None,
            "applying": operations.jobs_open(row.version),
            "sentences": settings_in_words(operations.content_of(row)),
            "steps": [
                {
                    "step": step,
                    "threshold": tiers.amount(row.basis, step.threshold),
                    "retention": tiers.amount(row.basis, step.retention),
                    "count": counts.get(step.tier.pk, 0),
                    "share": counts.get(step.tier.pk, 0) / whole if whole else None,
                    "href": f"{reverse('member_list')}?tier={step.tier.pk}",
                    "gifts": words.rewards(dump(step.gifts)),
                }
                for step in reversed(tier_schemes.steps(row))
            ],
            "chart": {
                "labels": [f"{day:%m-%d}" for day in found.days],
                # Each tier in its own colour, unless two share one.
                "series": [
                    {"name": tier.name, "data": found.counts[tier.pk], "tone": tier.colour if distinct else ""}
                    for tier in found.tiers
                ],
                "format": "count",
            },
            "days": len(found.days),
            "versions": tier_schemes.versions(),
        }
    return render(request, "members/tier_list.html", context)


@require_http_methods(["GET", "POST"])
@page(allow=Permission.LOYALTY_MANAGE)
def tier_edit(request: ConsoleRequest) -> HttpResponse:
    """Edit the ladder; saving makes its next version."""
    newest = tier_schemes.newest()
    version = newest.version if newest is not None else 0
    content = operations.content_of(newest) if newest is not None else None
    if (trial := _trial(request)) is not None:
        version, content = trial.version, tier_trials.content_of(trial)
    form = LadderForm(request.POST or None, initial=_initial(version, content))
    rows = tier_forms.read(request.POST) if request.method == "POST" else tier_forms.rows_of(content)
    if request.method == "POST" and form.is_valid():
        try:
            operations.save(
                content=form.content(rows), version=form.cleaned_data["version"], actor=request.actor,
                effective_from=form.effective_from(), now=clock.now(),
            )  # fmt: skip
        except DomainError as error:
            refuse(form, error, names={"effective_from": "effective_on"}, message=_place(error) + str(error))
        else:
            messages.success(request, _("Saved. Everybody is being looked at; follow it in the task centre."))
            return redirect("tier_list")
    context = {"form": form, "rows": rows, "tones": TONE_LABELS.items(), "version": version}
    return render(request, "members/tier_edit.html", context, status=422 if form.is_bound and form.errors else 200)


@require_POST
@page(allow=Permission.LOYALTY_MANAGE)
def tier_rows(request: ConsoleRequest) -> HttpResponse:
    """The rows of the editor after a button: add, up, down, remove. Saves nothing."""
    context = {"rows": tier_forms.read(request.POST), "tones": TONE_LABELS.items()}
    return render(request, "members/tier_rows.html", context)


@require_POST
@page(allow=Permission.LOYALTY_MANAGE)
def tier_preview_part(request: ConsoleRequest) -> HttpResponse:
    """Who would move from where to where, and what it would cost: a part of the editor."""
    return _previewed(request, trying=False)


@require_POST
@page(allow=Permission.LOYALTY_MANAGE)
def tier_try(request: ConsoleRequest) -> HttpResponse:
    """The same part, with everybody being counted in the background."""
    return _previewed(request, trying=True)


@page(allow=Permission.LOYALTY_MANAGE)
def tier_trial(request: ConsoleRequest, trial_id: int) -> HttpResponse:
    """How far a count is: asks for the preview anew when it has ended."""
    try:
        trial = tier_preview.trial(trial_id)
    except NotFound as error:
        raise Http404(str(error)) from error
    return render(request, "members/tier_trial.html", {"trial": trial, "ended": not tier_trials.is_open(trial)})


def _previewed(request: ConsoleRequest, *, trying: bool) -> HttpResponse:
    form = LadderForm(request.POST)
    context: dict[str, Any] = {}
    if not form.is_valid():
        context["errors"] = [error for errors in form.errors.values() for error in errors]
    else:
        now = clock.now()
        try:
            content = form.content(tier_forms.read(request.POST))
            scheme, gifts = operations.scheme_of(content, now=now), operations.gifts_on_change(content)
            if trying:
                tier_trials.queue(content=content, actor=request.actor, now=now)
            trial = tier_trials.latest(content)
            counted = tier_preview.found_by(trial) if trial is not None else None
            found = counted or tier_preview.migration(scheme=scheme, gifts=gifts, now=now)
        except DomainError as error:
            context["errors"] = [_place(error) + str(error)]
        else:
            names = [step.name for step in content.steps]
            context = {
                "found": found,
                "trial": trial,
                "counted": counted is not None,
                "counting": trial is not None and tier_trials.is_open(trial),
                "sentences": settings_in_words(content),
                "parts": [
                    {"heading": _("At once"), "names": names, "rows": _matrix(found.moves, names)},
                    {"heading": _("When today's tiers have expired"), "names": names,
                     "rows": _matrix(found.settled, names)},
                ],
            }  # fmt: skip
    return render(request, "members/tier_preview.html", context)


def _trial(request: ConsoleRequest) -> TierTrial | None:
    """The trial whose ladder is to be edited (`?trial=`): its job in the task centre leads here."""
    raw = request.GET.get("trial", "")
    if not (raw.isascii() and raw.isdigit() and len(raw) < 20):
        return None
    try:
        return tier_preview.trial(int(raw))
    except NotFound as error:
        raise Http404(str(error)) from error


def _matrix(moves: list[tuple[int, int, int]], names: list[str]) -> list[dict[str, Any]]:
    """From (rows) to (columns)."""
    by = {(before, after): count for before, after, count in moves}
    levels = range(1, len(names) + 1)
    return [
        {
            "name": names[before - 1],
            "cells": [{"count": by.get((before, after), 0), "stays": before == after, "up": after > before}
                      for after in levels],
            "total": sum(by.get((before, after), 0) for after in levels),
        }
        for before in levels
    ]  # fmt: skip


def _initial(version: int, content: operations.Content | None) -> dict[str, Any]:
    settings = content if content is not None else operations.Content(steps=[])
    return {
        "version": version,
        **{name: getattr(settings, name) for name in operations.SETTINGS},
    }


def _place(error: DomainError) -> str:
    """Which level a refusal is about, in words."""
    found = re.match(r"steps\[(\d+)\]", str(error.detail.get("field", "")))
    return "" if found is None else _("Level %(level)s: ") % {"level": int(found[1]) + 1}
