"""The RFM pages that show: overview, migration, versions; and the run that a person starts."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from analytics.models import RfmModel
from analytics.operations import rfm as rfm_operations
from analytics.queries import alerts as alert_queries
from analytics.queries import rfm as queries
from analytics.queries import rfm_moves, rfm_versions
from analytics.web import rfm_presentation as presentation
from analytics.web.forms import RunForm
from scrm.common import clock
from scrm.common.access import ConsoleRequest, Permission, page
from scrm.common.errors import DomainError


def number(raw: str | None) -> int | None:
    """The id in an address; None without one. 404 for what cannot be one."""
    if not raw:
        return None
    if not (raw.isascii() and raw.isdigit() and len(raw) < 19):
        raise Http404
    return int(raw)


def find_model(model_id: int | None) -> RfmModel | None:
    """The model of an address, the default one without; 404 for one that is not there."""
    model = queries.find_model(model_id)
    if model is None and model_id is not None:
        raise Http404
    return model


def model_of(model_id: int) -> RfmModel:
    """The model of that id; 404 without it."""
    model = queries.find_model(model_id)
    if model is None:
        raise Http404
    return model


@page(allow=Permission.ANALYTICS_VIEW)
def rfm(request: ConsoleRequest) -> HttpResponse:
    """Matrix, classes and layers of one model: `?model=`, `?show=net|value` for amounts, `?m=` for one M score."""
    model = find_model(number(request.GET.get("model")))
    context: dict[str, Any] = {"models": queries.models(), "model": model, "run_form": RunForm()}
    if model is not None:
        board = queries.board(actor=request.actor, model=model)
        context |= {
            "board": board,
            "open_run": queries.open_run(model),
            "runs": queries.runs(model).order_by("-id")[:10],
            "may_run": request.actor.may(Permission.ANALYTICS_RUN),
            "alerts": alert_queries.recent(actor=request.actor, model_id=model.pk),
            "tabs": presentation.tabs(model, "board"),
        }
        if board is not None:
            show = request.GET.get("show", "")
            show = show if show in presentation.SHOWS else "members"
            m = request.GET.get("m", "")
            context |= presentation.board(
                board,
                model,
                show,
                int(m) if m in ("1", "2", "3", "4", "5") else None,
                may_save=request.actor.may(Permission.SEGMENTS_EDIT),
            )
            context |= {"show": show, "m": m, "m_scores": ["", "5", "4", "3", "2", "1"]}
    return render(request, "analytics/rfm.html", context)


@page(allow=Permission.ANALYTICS_VIEW)
def rfm_migration(request: ConsoleRequest, model_id: int) -> HttpResponse:
    """Who moved between two runs: `?earlier=`, `?later=`, `?kind=layer|class`; the last two runs by default."""
    model = model_of(model_id)
    kind = "class" if request.GET.get("kind") == "class" else "layer"
    context: dict[str, Any] = {
        "model": model,
        "kind": kind,
        "runs": rfm_moves.published(model),
        "tabs": presentation.tabs(model, "migration"),
    }
    try:
        found = rfm_moves.between(
            actor=request.actor,
            model=model,
            earlier_id=number(request.GET.get("earlier")),
            later_id=number(request.GET.get("later")),
            kind=kind,
        )
    except DomainError as error:
        return render(request, "analytics/rfm_migration.html", {**context, "error": str(error)}, status=error.status)
    if found is not None:
        context |= {"found": found, **presentation.migration(found, model)}
    return render(request, "analytics/rfm_migration.html", context)


@page(allow=Permission.ANALYTICS_VIEW)
def rfm_versions_page(request: ConsoleRequest, model_id: int) -> HttpResponse:
    """What the model computes now, and every version it had: who, when, what changed."""
    model = model_of(model_id)
    context = {
        "model": model,
        "tabs": presentation.tabs(model, "versions"),
        "versions": rfm_versions.history(model),
        "may_run": request.actor.may(Permission.ANALYTICS_RUN),
    }
    return render(request, "analytics/rfm_versions.html", context)


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
