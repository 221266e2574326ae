"""The RFM and lifecycle pages."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from analytics.models import RfmModel
from analytics.operations import lifecycle as lifecycle_operations
from analytics.operations import rfm as rfm_operations
from analytics.operations import rfm_models
from analytics.queries import lifecycle as lifecycle_queries
from analytics.queries import rfm as rfm_queries
from analytics.web import presentation
from analytics.web.forms import DefinitionForm, LimitsForm, RunForm
from scrm.common import clock
from scrm.common.access import ConsoleRequest, Permission, page
from scrm.common.errors import DomainError


def _model(raw: str | None) -> RfmModel | None:
    """The model that `?model=` names; 404 for one that is not there."""
    if not raw:
        return rfm_queries.find_model()
    model = rfm_queries.find_model(int(raw)) if raw.isascii() and raw.isdigit() and len(raw) < 19 else None
    if model is None:
        raise Http404
    return model


@page(allow=Permission.ANALYTICS_VIEW)
def rfm(request: ConsoleRequest) -> HttpResponse:
    """Matrix, classes and layers of one model: `?model=`, and `?show=net` for amounts instead of members."""
    model = _model(request.GET.get("model"))
    context: dict[str, Any] = {"models": rfm_queries.models(), "model": model, "run_form": RunForm()}
    if model is not None:
        board = rfm_queries.board(actor=request.actor, model=model)
        context |= {
            "board": board,
            "open_run": rfm_queries.open_run(model),
            "runs": rfm_queries.runs(model).order_by("-id")[:10],
            "may_run": request.actor.may(Permission.ANALYTICS_RUN),
        }
        if board is not None:
            show = "net" if request.GET.get("show") == "net" else "members"
            moves = rfm_queries.moves(actor=request.actor, model=model)
            context |= presentation.board(board, model, show, may_save=request.actor.may(Permission.SEGMENTS_EDIT))
            context |= {"show": show, "moves": moves, "moved": presentation.moves(moves) if moves else None}
    return render(request, "analytics/rfm.html", context)


@require_POST
@page(allow=Permission.ANALYTICS_RUN)
def rfm_run(request: ConsoleRequest, model_id: int) -> HttpResponse:
    """Queue a run of a model, as of today or of the day given."""
    form = RunForm(request.POST)
    now = clock.now()
    if not form.is_valid():
        messages.error(request, _("That is not a day."))
    else:
        try:
            rfm_operations.start(
                model_id=model_id,
                as_of=form.cleaned_data["as_of"] or clock.shop_date(now),
                actor=request.actor,
                now=now,
            )
            messages.success(request, _("RFM is being computed. The page shows the former scores until it is done."))
        except DomainError as error:
            messages.error(request, str(error))
    return redirect(f"{reverse('rfm')}?model={model_id}")


@require_http_methods(["GET", "POST"])
@page(allow=Permission.ANALYTICS_RUN)
def rfm_definition(request: ConsoleRequest, model_id: int) -> HttpResponse:
    """Window, cut points and middles of a model; saving makes its next version."""
    model = _model(str(model_id))
    if model is None:
        raise Http404
    form = DefinitionForm(request.POST or None, initial=DefinitionForm.initial_of(model))
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            rfm_models.redefine(
                model_id=model.pk,
                version=values["version"],
                content=rfm_models.Content(
                    model.name,
                    values["window_days"],
                    model.currency,
                    model.scope,
                    {**model.definition, **values["definition"]},
                    values["nightly"],
                ),
            )
        except DomainError as error:
            form.refuse(str(error.detail.get("field", "")), str(error))
        else:
            messages.success(request, _("Saved. The next run computes with it."))
            return redirect(f"{reverse('rfm')}?model={model.pk}")
    status = 422 if form.is_bound and form.errors else 200
    return render(request, "analytics/rfm_definition.html", {"form": form, "model": model}, status=status)


@page(allow=Permission.ANALYTICS_VIEW)
def lifecycle(request: ConsoleRequest) -> HttpResponse:
    """Stages and AIPL, who moved last, and the limits."""
    version, limits = lifecycle_queries.current_limits()
    found = lifecycle_queries.distribution(actor=request.actor)
    run, changes = lifecycle_queries.last_moves(actor=request.actor)
    may_run = request.actor.may(Permission.ANALYTICS_RUN)
    context = {
        "distribution": found,
        "version": version,
        "limits": limits,
        "open_run": lifecycle_queries.open_run(),
        "changes": changes,
        "changes_run": run,
        "runs": lifecycle_queries.runs(),
        "may_run": may_run,
        **presentation.stages(found, limits, may_save=request.actor.may(Permission.SEGMENTS_EDIT)),
    }
    return render(request, "analytics/lifecycle.html", context)


@require_POST
@page(allow=Permission.ANALYTICS_RUN)
def lifecycle_run(request: ConsoleRequest) -> HttpResponse:
    """Queue a run as of today."""
    now = clock.now()
    try:
        lifecycle_operations.start(as_of=clock.shop_date(now), actor=request.actor, now=now)
        messages.success(request, _("Stages are being computed. Follow it in the task centre."))
    except DomainError as error:
        messages.error(request, str(error))
    return redirect("lifecycle")


@require_http_methods(["GET", "POST"])
@page(allow=Permission.ANALYTICS_RUN)
def lifecycle_limits(request: ConsoleRequest) -> HttpResponse:
    """Change the limits; saving makes their next version."""
    version, limits = lifecycle_queries.current_limits()
    form = LimitsForm(request.POST or None, initial={"version": version, **asdict(limits)})
    if request.method == "POST" and form.is_valid():
        try:
            lifecycle_operations.redefine(version=form.cleaned_data["version"], limits=form.limits())
        except DomainError as error:
            form.refuse(error.detail.get("field"), str(error))
        else:
            messages.success(request, _("Saved. The next run computes with it."))
            return redirect("lifecycle")
    status = 422 if form.is_bound and form.errors else 200
    return render(request, "analytics/lifecycle_limits.html", {"form": form, "version": version}, status=status)
