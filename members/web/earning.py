"""Pages of earning rules: the list, one rule with its history, the editor with its preview, dry runs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from members.enums import EarningState
from members.models import EarningRule
from members.operations import earning_backfill, earning_rules, earning_trials
from members.queries import directory, earning, earning_choices, earning_words
from members.queries import earning_examples as examples
from members.web.earning_forms import (
    KINDS,
    RuleForm,
    definition_of,
    initial_of,
    rows_of,
    shown_rows,
    shown_tests,
    tests_of,
)
from scrm.common import clock, condition_editors, conditions, money
from scrm.common.access import ConsoleRequest, Permission, page
from scrm.common.conditions.where import OPERANDS
from scrm.common.errors import DomainError, Invalid, NotFound


class TrialForm(forms.Form):
    from_on = forms.DateField(required=False, label=gettext_lazy("From"))
    until_on = forms.DateField(required=False, label=gettext_lazy("Until"))


@page(allow=Permission.LOYALTY_VIEW)
def earning_list(request: ConsoleRequest) -> HttpResponse:
    """Every rule in words, in the order in which they are applied, with what its budget has given."""
    state = request.GET.get("state", "")
    state = state if state in EarningState.values else ""
    context = {
        "rows": earning.listed(state=state),
        "state": state,
        "states": EarningState.choices,
        "may_manage": request.actor.may(Permission.LOYALTY_MANAGE),
    }
    return render(request, "members/earning_list.html", context)


@page(allow=Permission.LOYALTY_VIEW)
def earning_detail(request: ConsoleRequest, rule_id: int) -> HttpResponse:
    """What a rule says, how it stands, its versions and dry runs, and what can be done with it."""
    rule = _rule(rule_id)
    today = clock.shop_date(clock.now())
    row = next(one for one in earning.listed() if one.rule.pk == rule.pk)
    context = {
        "rule": rule,
        "row": row,
        "sentences": earning.words(rule, row.version),
        "history": earning.history(rule),
        "trials": earning.trials(rule.pk)[:5],
        "may_manage": request.actor.may(Permission.LOYALTY_MANAGE),
        "trial_form": TrialForm(
            initial={"from_on": f"{today - timedelta(days=364):%Y-%m-%d}", "until_on": f"{today:%Y-%m-%d}"}
        ),
        "audit_url": f"{reverse('audit_list')}?object_type=members_earningrule&object_id={rule.pk}"
        if request.actor.may(Permission.AUDIT_VIEW)
        else "",
    }
    return render(request, "members/earning_detail.html", context)


@page(allow=Permission.LOYALTY_MANAGE)
def earning_new(request: ConsoleRequest) -> HttpResponse:
    if request.method == "POST":
        return _save(request, None)
    return _form(request, RuleForm(), None)


@page(allow=Permission.LOYALTY_MANAGE)
def earning_edit(request: ConsoleRequest, rule_id: int) -> HttpResponse:
    """The form with the newest version: saving makes the next one."""
    rule = _rule(rule_id)
    if request.method == "POST":
        return _save(request, rule)
    version = earning.newest(rule)
    definition = earning.read(version, rule.trigger)
    return _form(request, RuleForm(initial=initial_of(rule, version.definition, definition), rule=rule), rule)


def _save(request: ConsoleRequest, rule: EarningRule | None) -> HttpResponse:
    form = RuleForm(request.POST, rule=rule)
    faults: list[dict[str, str]] = []
    if form.is_valid():
        values, now = form.cleaned_data, clock.now()
        trigger = rule.trigger if rule else values["trigger"]
        try:
            definition = definition_of(values, request.POST, trigger=trigger)
            if rule is None:
                rule = earning_rules.create(
                    name=values["name"], currency=values["currency"], trigger=trigger, definition=definition,
                    note=values["note"], now=now,
                )  # fmt: skip
            else:
                earning_rules.revise(
                    rule_id=rule.pk, version=values["version"] or 0, definition=definition, name=values["name"],
                    note=values["note"], now=now,
                )  # fmt: skip
        except conditions.BadCondition as error:
            faults = error.detail["errors"]
        except DomainError as error:
            form.refuse(error)
        else:
            messages.success(request, _("The rule is saved."))
            return redirect("earning_detail", rule.pk)
    return _form(request, form, rule, faults=faults, status=422)


def _form(
    request: ConsoleRequest,
    form: RuleForm,
    rule: EarningRule | None,
    *,
    faults: condition_editors.Faults = (),
    status: int = 200,
) -> HttpResponse:
    raw: dict[str, Any] = earning.newest(rule).definition if rule else {}
    if form.is_bound:
        raw = {"multipliers": rows_of(form.data), "event": {"where": tests_of(form.data)}}
    context = {
        "form": form,
        "rule": rule,
        "trigger": rule.trigger if rule else form["trigger"].value(),
        "rows": shown_rows(raw),
        "tests": shown_tests(raw),
        "kinds": KINDS,
        "choices": {name: getattr(earning_choices, name)() for name in ("tiers", "tags", "categories", "stores")},
        "operators": _operators(),
        "builder": condition_editors.of_form(
            request, form, stored=raw.get("condition"), faults=faults, draft="" if rule else "earning-rule"
        ),
        "faults": faults,
        "example_on": f"{clock.now().astimezone(clock.shop_zone()):%Y-%m-%dT%H:%M}",
    }
    return render(request, "members/earning_form.html", context, status=status)


def _operators() -> list[tuple[str, str]]:
    words = {
        "eq": _("is"), "ne": _("is not"), "in": _("is one of"), "contains": _("contains"),
        "contains_any": _("contains one of"), "ge": _("at least"), "le": _("at most"), "set": _("is set"),
        "not_set": _("is not set"),
    }  # fmt: skip
    return [(op, text) for op, text in words.items() if op in OPERANDS]


@require_POST
@page(allow=Permission.LOYALTY_MANAGE)
def earning_preview(request: ConsoleRequest) -> HttpResponse:
    """What the form as it stands says, and what it would give for an example. Writes nothing."""
    rule_id = request.POST.get("rule", "")
    rule = _rule(int(rule_id)) if rule_id.isascii() and rule_id.isdigit() and len(rule_id) < 18 else None
    data = request.POST.copy()
    if not data.get("name", "").strip():
        # A preview needs no name yet.
        data["name"] = "–"
    form = RuleForm(data, rule=rule)
    if not form.is_valid():
        return render(request, "members/earning_preview.html", {"fault": _fault(form)})
    trigger = rule.trigger if rule else form.cleaned_data["trigger"]
    try:
        raw = definition_of(form.cleaned_data, request.POST, trigger=trigger)
        definition = earning_rules.read(raw, trigger=trigger, now=clock.now())
    except conditions.BadCondition as error:
        return render(request, "members/earning_preview.html", {"fault": str(error)})
    except DomainError as error:
        form.refuse(error)
        return render(request, "members/earning_preview.html", {"fault": _fault(form)})
    currency = rule.currency.name if rule else dict(earning_choices.currencies()).get(form.cleaned_data["currency"], "")
    context = {
        "sentences": earning_words.sentences(definition, currency=currency),
        "examples": examples.examples(
            definition,
            amount=_amount(request.POST.get("example_amount", "")),
            at=_instant(request.POST.get("example_at", "")),
        ),
        "currency": currency,
    }  # fmt: skip
    return render(request, "members/earning_preview.html", context)


def _fault(form: RuleForm) -> str:
    """The first thing that is wrong, with the field's name."""
    name, errors = next(iter(form.errors.items()))
    return f"{form.fields[name].label}: {errors[0]}" if name in form.fields else str(errors[0])


@require_POST
@page(allow=Permission.LOYALTY_MANAGE)
def earning_act(request: ConsoleRequest, rule_id: int, act: str) -> HttpResponse:
    """Activate, pause or end a rule, or try it on past orders."""
    now = clock.now()
    try:
        match act:
            case "activate":
                starts_at, ends_at = _day(request.POST.get("starts_on", "")), _day(request.POST.get("ends_on", ""))
                earning_rules.activate(
                    rule_id=rule_id,
                    starts_at=starts_at,
                    ends_at=ends_at + timedelta(days=1) if ends_at else None,
                    now=now,
                )
                earning_backfill.queue(rule_id=rule_id, actor=request.actor)
                messages.success(request, _("The rule is active."))
            case "pause":
                earning_rules.pause(rule_id=rule_id, now=now)
                messages.success(request, _("The rule is paused. What was earned stays."))
            case "end":
                earning_rules.end(rule_id=rule_id, now=now)
                messages.success(request, _("The rule has ended. What was earned stays."))
            case "try":
                form = TrialForm(request.POST)
                if not form.is_valid():
                    messages.error(request, str(next(iter(form.errors.values()))[0]))
                else:
                    trial = earning_trials.queue(rule_id=rule_id, actor=request.actor, now=now, **form.cleaned_data)
                    return redirect("earning_trial", trial.pk)
            case _:
                raise Http404
    except NotFound as error:
        raise Http404(str(error)) from error
    except DomainError as error:
        messages.error(request, str(error))
    return redirect("earning_detail", rule_id)


@page(allow=Permission.LOYALTY_VIEW)
def earning_trial(request: ConsoleRequest, trial_id: int) -> HttpResponse:
    """What a dry run found, or how far it is."""
    try:
        trial = earning.trial(trial_id)
    except NotFound as error:
        raise Http404(str(error)) from error
    context: dict[str, Any] = {"trial": trial, "rule": trial.rule, "found": None}
    if trial.result is not None:
        context["found"] = examples.found(trial)
        members = directory.visible(request.actor).in_bulk([one["member_id"] for one in trial.result["top"]])
        context["top"] = [
            {**one, "member": members[one["member_id"]]} for one in trial.result["top"] if one["member_id"] in members
        ]
    template = "members/earning_trial_state.html" if request.htmx else "members/earning_trial.html"
    return render(request, template, context)


@page(allow=Permission.LOYALTY_VIEW)
def earning_order(request: ConsoleRequest, order_id: UUID) -> HttpResponse:
    """Why an order earned what it did."""
    try:
        found = earning.explain(order_id=order_id, actor=request.actor)
    except NotFound as error:
        raise Http404(str(error)) from error
    return render(request, "members/earning_order.html", {"earned": found, "order_id": order_id})


def _amount(text: str) -> int:
    try:
        return max(money.to_minor(text.strip() or "100"), 0)
    except ValueError:
        return 10_000


def _instant(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=clock.shop_zone())
    except ValueError:
        return clock.now().astimezone(clock.shop_zone())


def _day(text: str) -> datetime | None:
    """The beginning of a shop day. Raises `Invalid`."""
    if not text:
        return None
    try:
        day = datetime.fromisoformat(text[:10]).replace(tzinfo=clock.shop_zone())
    except ValueError as error:
        raise Invalid(_("There is no such day."), code="not_a_day") from error
    if not 2000 <= day.year <= 2200:
        raise Invalid(_("There is no such day."), code="not_a_day")
    return day


def _rule(rule_id: int) -> EarningRule:
    try:
        return earning.get(rule_id)
    except NotFound as error:
        raise Http404(str(error)) from error
