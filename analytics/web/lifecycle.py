"""The lifecycle pages: stages and AIPL, the moves between two runs, the limits with their preview and versions."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from analytics.operations import lifecycle as operations
from analytics.operations.rfm_models import ensure_everybody
from analytics.queries import alerts as alert_queries
from analytics.queries import lifecycle as queries
from analytics.queries import lifecycle_moves
from analytics.web import presentation
from analytics.web.forms import LimitsForm, said
from analytics.web.views import number
from scrm.common import clock
from scrm.common.access import ConsoleRequest, Permission, page
from scrm.common.errors import DomainError
from scrm.common.forms import refuse


@page(allow=Permission.ANALYTICS_VIEW)
def lifecycle(request: ConsoleRequest) -> HttpResponse:
    """Stages and AIPL, who moved last, and the limits."""
    version, limits = queries.current_limits()
    found = queries.distribution(actor=request.actor)
    run, changes = queries.last_moves(actor=request.actor)
    context = {
        "distribution": found,
        "version": version,
        "limits": limits,
        "open_run": queries.open_run(),
        "changes": changes,
        "changes_run": run,
        "runs": queries.runs(),
        "may_run": request.actor.may(Permission.ANALYTICS_RUN),
        "alerts": alert_queries.recent(actor=request.actor, model_id=None),
        "tabs": presentation.lifecycle_tabs("stages"),
        **presentation.stages(found, limits, may_save=request.actor.may(Permission.SEGMENTS_EDIT)),
    }
    return render(request, "analytics/lifecycle.html", context)


@page(allow=Permission.ANALYTICS_VIEW)
def lifecycle_moves_page(request: ConsoleRequest) -> HttpResponse:
    """The transition matrix between two runs: `?earlier=`, `?later=`, `?kind=lifecycle|aipl`."""
    kind = "aipl" if request.GET.get("kind") == "aipl" else "lifecycle"
    context: dict[str, Any] = {
        "kind": kind,
        "runs": lifecycle_moves.published(),
        "tabs": presentation.lifecycle_tabs("moves"),
    }
    try:
        found = lifecycle_moves.between(
            actor=request.actor,
            earlier_id=number(request.GET.get("earlier")),
            later_id=number(request.GET.get("later")),
            kind=kind,
        )
    except DomainError as error:
        return render(request, "analytics/lifecycle_moves.html", {**context, "error": str(error)}, status=error.status)
    if found is not None:
        context |= {"found": found, **presentation.transition(found)}
    return render(request, "analytics/lifecycle_moves.html", context)


@require_POST
@page(allow=Permission.ANALYTICS_RUN)
def lifecycle_run(request: ConsoleRequest) -> HttpResponse:
    """Queue a run as of today."""
    return _start(request)


def _start(request: ConsoleRequest) -> HttpResponse:
    now = clock.now()
    try:
        operations.start(as_of=clock.shop_date(now), actor=request.actor, now=now)
        messages.success(request, _("Stages are being computed. Follow it in the task centre."))
    except DomainError as error:
        messages.error(request, str(error))
    return redirect("lifecycle")


@require_http_methods(["GET", "POST"])
@page(allow=Permission.ANALYTICS_RUN)
def lifecycle_limits(request: ConsoleRequest) -> HttpResponse:
    """Change the limits; saving makes their next version, applying also computes with it."""
    ensure_everybody(request.actor)
    version, limits = queries.current_limits()
    form = LimitsForm(request.POST or None, initial={"version": version, **asdict(limits)})
    if request.method == "POST" and form.is_valid():
        try:
            operations.redefine(version=form.cleaned_data["version"], limits=form.limits())
        except DomainError as error:
            refuse(form, error)
        else:
            if "apply" in request.POST:
                return _start(request)
            messages.success(request, _("Saved. The next run computes with it."))
            return redirect("lifecycle")
    context = {"form": form, "version": version, "versions": presentation.limit_versions(queries.versions())}
    status = 422 if form.is_bound and form.errors else 200
    return render(request, "analytics/lifecycle_limits.html", context, status=status)


@require_POST
@page(allow=Permission.ANALYTICS_RUN)
def lifecycle_preview(request: ConsoleRequest) -> HttpResponse:
    """What these limits would change, as a part of the form's page."""
    ensure_everybody(request.actor)
    form = LimitsForm(request.POST)
    context: dict[str, Any] = {}
    if form.is_valid():
        try:
            limits = operations.checked(form.limits())
            found = lifecycle_moves.preview(limits=limits, as_of=clock.shop_date(clock.now()))
            context = presentation.lifecycle_preview(found)
        except DomainError as error:
            context["errors"] = [str(error)]
    else:
        context["errors"] = said(form)
    return render(request, "analytics/lifecycle_preview.html", context)


@require_POST
@page(allow=Permission.ANALYTICS_RUN)
def lifecycle_restore(request: ConsoleRequest) -> HttpResponse:
    """Make an earlier version of the limits (`from`) the next one."""
    wanted = number(request.POST.get("from")) or 0
    try:
        ensure_everybody(request.actor)
        operations.restore(version=number(request.POST.get("version")) or 0, from_version=wanted)
        messages.success(request, _("Version %(version)s is the newest again. The next run computes with it.") % {
            "version": wanted
        })  # fmt: skip
    except DomainError as error:
        messages.error(request, str(error))
    return redirect("lifecycle_limits")
