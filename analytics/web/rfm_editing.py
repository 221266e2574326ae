"""The pages that change RFM models: the list, the editor with its live preview, and what restores a version."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from analytics.models import RfmModel
from analytics.operations import rfm as rfm_operations
from analytics.operations import rfm_models, rfm_preview
from analytics.queries import rfm as queries
from analytics.rules import rfm as rules
from analytics.rules.rfm_layers import MOST
from analytics.web import rfm_presentation as presentation
from analytics.web.forms import said
from analytics.web.rfm_forms import TONE_LABELS, ModelForm, preset_layers, range_choices
from analytics.web.views import model_of, number
from scrm.common import clock
from scrm.common.access import ConsoleRequest, DataScope, Permission, page
from scrm.common.errors import DomainError


@page(allow=Permission.ANALYTICS_VIEW)
def rfm_models_page(request: ConsoleRequest) -> HttpResponse:
    """Every model with what it counts, its last run and its buyers."""
    context = {
        "models": [{"model": model, "run": queries.published_run(model)} for model in queries.models()],
        "archived": queries.models(archived=True),
        "sees_all": request.actor.scope == DataScope.ALL,
        "may_run": request.actor.may(Permission.ANALYTICS_RUN),
    }
    return render(request, "analytics/rfm_models.html", context)


@require_POST
@page(allow=Permission.ANALYTICS_RUN)
def rfm_model_act(request: ConsoleRequest, model_id: int) -> HttpResponse:
    """Duplicate, archive, bring back, or make the default: `act` says which."""
    now = clock.now()
    try:
        rfm_models.ensure_everybody(request.actor)
        match request.POST.get("act"):
            case "duplicate":
                made = rfm_models.duplicate(model_id=model_id)
                return redirect("rfm_definition", made.pk)
            case "archive":
                rfm_models.archive(model_id=model_id, now=now)
            case "bring_back":
                rfm_models.bring_back(model_id=model_id)
            case "make_default":
                rfm_models.make_default(model_id=model_id, now=now)
            case _unknown:
                raise Http404
        messages.success(request, _("Done."))
    except DomainError as error:
        messages.error(request, str(error))
    return redirect("rfm_models")


@require_http_methods(["GET", "POST"])
@page(allow=Permission.ANALYTICS_RUN)
def rfm_model_new(request: ConsoleRequest) -> HttpResponse:
    """A new model: the same form as the editor's."""
    rfm_models.ensure_everybody(request.actor)
    return _edit(request, None)


@require_http_methods(["GET", "POST"])
@page(allow=Permission.ANALYTICS_RUN)
def rfm_definition(request: ConsoleRequest, model_id: int) -> HttpResponse:
    """Everything a model computes with; saving makes its next version, applying also computes with it."""
    rfm_models.ensure_everybody(request.actor)
    return _edit(request, model_of(model_id))


def _edit(request: ConsoleRequest, model: RfmModel | None) -> HttpResponse:
    layers = preset_layers(request.GET.get("preset"))
    if layers is None:
        layers = rules.parse(model.definition).layers if model else rules.LAYERS11
    form = ModelForm(request.POST or None, initial=ModelForm.initial_of(model), layers=layers)
    if request.method == "POST" and form.is_valid():
        try:
            if model is None:
                saved = rfm_models.create(content=form.content())
            else:
                saved = rfm_models.redefine(
                    model_id=model.pk,
                    version=form.cleaned_data["version"] or 0,
                    content=form.content(),
                    note=form.cleaned_data["note"],
                )
            return _after(request, saved)
        except DomainError as error:
            form.refuse(str(error.detail.get("field", "")), str(error))
    context = {
        "form": form,
        "model": model,
        "ranges": range_choices(),
        "tones": TONE_LABELS.items(),
        "scores": rules.SCORES,
        "preset": request.GET.get("preset", ""),
        "most": MOST,
    }
    return render(request, "analytics/rfm_definition.html", context, status=422 if form.is_bound else 200)


def _after(request: ConsoleRequest, model: RfmModel) -> HttpResponse:
    """Saved; with `apply` a run is started, whose scores everybody sees when it is done."""
    if "apply" not in request.POST:
        messages.success(request, _("Saved. The next run computes with it."))
        return redirect(f"{reverse('rfm')}?model={model.pk}")
    now = clock.now()
    try:
        rfm_operations.start(model_id=model.pk, as_of=clock.shop_date(now), actor=request.actor, now=now)
        messages.success(request, _("Saved, and being computed. The page shows the former scores until it is done."))
    except DomainError as error:
        messages.error(request, str(error))
    return redirect(f"{reverse('rfm')}?model={model.pk}")


@require_POST
@page(allow=Permission.ANALYTICS_RUN)
def rfm_preview_page(request: ConsoleRequest, model_id: int) -> HttpResponse:
    """What applying the form would bring, as a part of the editor; the form need not be saved."""
    rfm_models.ensure_everybody(request.actor)
    model = model_of(model_id)
    form = ModelForm(request.POST, initial=ModelForm.initial_of(model), layers=rules.parse(model.definition).layers)
    context: dict[str, Any] = {"model": model}
    if not form.is_valid():
        context["errors"] = said(form)
        return render(request, "analytics/rfm_preview.html", context)
    try:
        content = form.content().checked()
        found = rfm_preview.preview(
            model=model,
            window_days=content.window_days,
            currency=content.currency,
            scope=content.scope,
            definition=content.definition,
            now=clock.now(),
        )
        context |= presentation.preview(found)
    except DomainError as error:
        context["errors"] = [str(error)]
    return render(request, "analytics/rfm_preview.html", context)


@require_POST
@page(allow=Permission.ANALYTICS_RUN)
def rfm_restore(request: ConsoleRequest, model_id: int) -> HttpResponse:
    """Make an earlier version (`from`) the next one."""
    model = model_of(model_id)
    wanted = number(request.POST.get("from")) or 0
    try:
        rfm_models.ensure_everybody(request.actor)
        rfm_models.restore(model_id=model.pk, version=number(request.POST.get("version")) or 0, from_version=wanted)
        messages.success(request, _("Version %(version)s is the newest again. The next run computes with it.") % {
            "version": wanted
        })  # fmt: skip
    except DomainError as error:
        messages.error(request, str(error))
    return redirect("rfm_versions", model.pk)
