"""Pages of automatic tags: the list of rules, one rule, its form, what it would do, and presets."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from members.queries import directory
from scrm.common import clock, condition_editors, conditions
from scrm.common.access import ConsoleRequest, DataScope, Permission, page
from scrm.common.errors import DomainError, NotFound
from scrm.common.forms import refuse
from tags.enums import RuleForm as Form
from tags.enums import RuleState
from tags.models import TagRule
from tags.operations import automatic, rule_drafts
from tags.queries import automatic as queries
from tags.queries import coverage, statistics, tag_dependents
from tags.web.rule_forms import RuleForm, initial_of
from tags.web.sections import sections

# A share that moved by more than this within days is shown as drift.
DRIFTED = 0.25
REPLAY_DAYS = 30


@page(allow=Permission.TAGS_VIEW)
def rule_list(request: ConsoleRequest) -> HttpResponse:
    """Every rule in words, with how many have its tag, which way that moves, and when it was last evaluated."""
    query = request.GET.get("q", "").replace("\0", "").strip()[:100]
    state = request.GET.get("state", "")
    state = state if state in RuleState.values else ""
    rules = list(queries.listed(search=query, state=state))
    sees_everybody = request.actor.scope == DataScope.ALL
    now = clock.now()
    counts = coverage.latest() if sees_everybody else {}
    sparks: dict[int, list[int]] = {}
    drifts: dict[int, statistics.Drift] = {}
    if sees_everybody:
        sparks = statistics.sparklines(tag_ids=[rule.tag_id for rule in rules], until=clock.shop_date(now))
        drifts = {drift.tag_id: drift for drift in statistics.drifts(now=now, threshold=DRIFTED)}
    rows = [
        {
            "rule": rule,
            "sentence": queries.sentence(rule),
            "counted": counts.get(rule.tag_id),
            "spark": sparks.get(rule.tag_id, []),
            "drift": drifts.get(rule.tag_id),
        }
        for rule in rules
    ]
    context = {
        "rows": rows,
        "query": query,
        "state": state,
        "states": RuleState.choices,
        "is_filtered": bool(query or state),
        "may_manage": request.actor.may(Permission.TAGS_MANAGE),
        "presets": queries.presets(),
        "sections": sections(request.actor, "rules"),
    }
    return render(request, "tags/rule_list.html", context)


@page(allow=Permission.TAGS_VIEW)
def rule_detail(request: ConsoleRequest, rule_id: int) -> HttpResponse:
    """What a rule says, how it stands, and what can be done with it."""
    rule = _rule(rule_id)
    now = clock.now()
    sees_everybody = request.actor.scope == DataScope.ALL
    days = statistics.series(tag_id=rule.tag_id, until=clock.shop_date(now)) if sees_everybody else []
    actor = request.actor
    context = {
        "rule": rule,
        "tag": rule.tag,
        "sentence": queries.sentence(rule),
        "standing": queries.standing(rule) if sees_everybody else None,
        "days": days,
        "chart": {
            "labels": [f"{one.day:%m-%d}" for one in days],
            "series": [{"name": _("Members"), "data": [one.members for one in days]}],
            "format": "count",
        },
        "dependents": tag_dependents.dependents(rule.tag_id),
        "may_manage": actor.may(Permission.TAGS_MANAGE),
        "audit_url": f"{reverse('audit_list')}?object_type=tags_tagrule&object_id={rule.pk}"
        if actor.may(Permission.AUDIT_VIEW)
        else "",
        "replay_days": REPLAY_DAYS,
    }
    return render(request, "tags/rule_detail.html", context)


@page(allow=Permission.TAGS_MANAGE)
def rule_new(request: ConsoleRequest) -> HttpResponse:
    """The form of a new rule; `?tag=` and `?form=` fill in what is known."""
    if request.method == "POST":
        return _save(request, None)
    kind = request.GET.get("form", "")
    initial = {"tag": request.GET.get("tag", ""), "form": kind if kind in Form.values else Form.CONDITION}
    return _form(request, RuleForm(initial=initial), None)


@page(allow=Permission.TAGS_MANAGE)
def rule_edit(request: ConsoleRequest, rule_id: int) -> HttpResponse:
    """The form with a saved rule."""
    rule = _rule(rule_id)
    if request.method == "POST":
        return _save(request, rule)
    return _form(request, RuleForm(initial=initial_of(rule), rule=rule), rule)


def _save(request: ConsoleRequest, rule: TagRule | None) -> HttpResponse:
    form = RuleForm(request.POST, rule=rule)
    faults: condition_editors.Faults = []
    if form.is_valid():
        values = form.cleaned_data
        common = {"form": values["form"], "definition": values["definition"], "now": clock.now()}
        try:
            if rule is None:
                tag_id, group_id = values["tag"], values["group"]
                rule = rule_drafts.create(
                    tag_id=int(tag_id) if tag_id else None,
                    group_id=int(group_id) if group_id else None,
                    name=values["name"],
                    **common,
                )
            else:
                rule = automatic.update(rule_id=rule.pk, version=values["version"] or 0, **common)
        except conditions.BadCondition as error:
            faults = error.detail["errors"]
        except DomainError as error:
            # What the condition lacks is said over the form: its field is hidden.
            refuse(form, error, names={"condition": ""})
        else:
            messages.success(request, _("The rule is saved. Try it before you enable it."))
            return redirect("rule_detail", rule.pk)
    return _form(request, form, rule, faults=faults, status=422)


def _form(
    request: ConsoleRequest,
    form: RuleForm,
    rule: TagRule | None,
    *,
    faults: condition_editors.Faults = (),
    status: int = 200,
) -> HttpResponse:
    stored = rule.definition.get("condition") if rule is not None else None
    context = {
        "form": form,
        "rule": rule,
        "builder": condition_editors.of_form(
            request, form, stored=stored, faults=faults, draft="" if rule else "tag-rule"
        ),
        "kind": form["form"].value(),
        "faults": faults,
    }
    return render(request, "tags/rule_form.html", context, status=status)


@require_POST
@page(allow=Permission.TAGS_MANAGE)
def rule_trial(request: ConsoleRequest) -> HttpResponse:
    """What the form as it stands would do now, or (`replay`) would have done over the last days. Writes nothing."""
    rule_id, tag_id = _id(request.POST.get("rule")), _id(request.POST.get("tag"))
    rule = _rule(rule_id) if rule_id is not None else None
    form = RuleForm(request.POST, rule=rule)
    tag_id = rule.tag_id if rule is not None else tag_id
    if not form.is_valid():
        text = next(iter(error for errors in form.errors.values() for error in errors), "")
        return render(request, "tags/rule_trial.html", {"fault": text})
    return _tried(request, form=form.cleaned_data["form"], definition=form.cleaned_data["definition"], tag_id=tag_id)


@require_POST
@page(allow=Permission.TAGS_MANAGE)
def rule_try(request: ConsoleRequest, rule_id: int) -> HttpResponse:
    """The same for a saved rule."""
    rule = _rule(rule_id)
    return _tried(request, form=rule.form, definition=rule.definition, tag_id=rule.tag_id)


def _tried(request: ConsoleRequest, *, form: str, definition: dict[str, Any], tag_id: int | None) -> HttpResponse:
    actor, now = request.actor, clock.now()
    common: dict[str, Any] = {"form": form, "definition": definition, "tag_id": tag_id, "actor": actor, "now": now}
    try:
        if request.POST.get("replay"):
            replay = automatic.replay(days=REPLAY_DAYS, **common)
            chart = {
                "labels": [f"{one.day:%m-%d}" for one in replay.days],
                "series": [{"name": _("Members who match"), "data": [one.matching for one in replay.days]}],
                "format": "count",
            }
            return render(request, "tags/rule_replay.html", {"replay": replay, "chart": chart})
        run = automatic.dry_run(**common)
    except conditions.BadCondition as error:
        return render(request, "tags/rule_trial.html", {"fault": error.detail["errors"][0]["message"]})
    except DomainError as error:
        return render(request, "tags/rule_trial.html", {"fault": str(error)})
    found = directory.visible(actor).in_bulk([*run.add_sample_ids, *run.remove_sample_ids])
    context = {
        "run": run,
        "adds": [found[key] for key in run.add_sample_ids if key in found],
        "takes": [found[key] for key in run.remove_sample_ids if key in found],
    }
    return render(request, "tags/rule_trial.html", context)


@require_POST
@page(allow=Permission.TAGS_MANAGE)
def rule_act(request: ConsoleRequest, rule_id: int, act: str) -> HttpResponse:
    """Enable, pause or remove a rule."""
    now = clock.now()
    try:
        match act:
            case "enable":
                automatic.enable(rule_id=rule_id, now=now)
                messages.success(request, _("The rule is enabled. Everyone is being evaluated in the background."))
            case "pause":
                automatic.pause(rule_id=rule_id, now=now)
                messages.success(request, _("The rule is paused. Tags stay as they are."))
            case "delete":
                tag_id = _rule(rule_id).tag_id
                automatic.delete(rule_id=rule_id, now=now)
                messages.success(request, _("The rule is removed. Its tags stay on their members."))
                return redirect("tag_detail", tag_id)
            case _:
                raise Http404
    except NotFound as error:
        raise Http404(str(error)) from error
    except DomainError as error:
        messages.error(request, str(error))
    return redirect("rule_detail", rule_id)


@require_POST
@page(allow=Permission.TAGS_MANAGE)
def rule_preset(request: ConsoleRequest, key: str) -> HttpResponse:
    """Make the group, the tags and the rules of a preset."""
    try:
        group = automatic.apply_preset(key=key, now=clock.now())
    except NotFound as error:
        raise Http404(str(error)) from error
    except DomainError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The tags of “%(name)s” now follow by themselves.") % {"name": group.name})
    return redirect("rule_list")


def _id(raw: str | None) -> int | None:
    """A positive bigint, or None."""
    return int(raw) if raw and raw.isascii() and raw.isdigit() and len(raw) <= 18 else None


def _rule(rule_id: int) -> TagRule:
    try:
        return queries.get(rule_id)
    except NotFound as error:
        raise Http404(str(error)) from error
