"""The page of alert rules."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from analytics.operations import alerts as operations
from analytics.operations.rfm_models import ensure_everybody
from analytics.queries import alerts as queries
from analytics.queries import rfm
from analytics.web import rfm_presentation
from analytics.web.forms import AlertForm
from analytics.web.views import number
from scrm.common.access import ConsoleRequest, Permission, page
from scrm.common.errors import DomainError
from scrm.common.forms import refuse


@require_http_methods(["GET", "POST"])
@page(allow=Permission.ANALYTICS_RUN)
def alert_rules(request: ConsoleRequest) -> HttpResponse:
    """The rules and a form for one more; `?rule=` edits one, `?model=` came from that model's page."""
    ensure_everybody(request.actor)
    rule_id = number(request.GET.get("rule"))
    rule = queries.find(rule_id) if rule_id is not None else None
    if rule_id is not None and rule is None:
        raise Http404
    model = rfm.find_model(number(request.GET.get("model")))
    initial = AlertForm.initial_of(rule) if rule else {"watched": f"layer.{model.pk}"} if model else {}
    form = AlertForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            if rule is None:
                operations.create(rule=form.rule())
            else:
                operations.update(rule_id=rule.pk, rule=form.rule())
        except DomainError as error:
            refuse(form, error, names={"part": "watched", "model": "watched"})
        else:
            messages.success(request, _("Saved. It is judged from the next run on."))
            return redirect("alert_rules")
    rows = [
        {
            "rule": entry,
            "label": queries.label(entry, entry.key) if entry.key else "",
            "recent": [alert for alert in entry.alerts.order_by("-id")[:1]],
        }
        for entry in queries.rule_list()
    ]
    context = {
        "form": form,
        "rule": rule,
        "rows": rows,
        "model": model,
        "tabs": rfm_presentation.tabs(model, "alerts") if model else [],
    }
    return render(request, "analytics/alert_rules.html", context, status=422 if form.is_bound else 200)


@require_POST
@page(allow=Permission.ANALYTICS_RUN)
def alert_rule_delete(request: ConsoleRequest, rule_id: int) -> HttpResponse:
    """Delete a rule with its alerts."""
    try:
        ensure_everybody(request.actor)
        operations.delete(rule_id=rule_id)
        messages.success(request, _("Deleted."))
    except DomainError as error:
        messages.error(request, str(error))
    return redirect("alert_rules")
