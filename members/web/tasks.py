"""Pages of tasks: the list with its funnels, one task, its form with a preview, the map of chains."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from members.enums import TaskState
from members.models import Task
from members.operations import task_definitions
from members.operations import task_funnels as funnel_acts
from members.operations import tasks as operations
from members.queries import profiles, task_funnels, task_previews, task_words, tasks
from members.queries.task_words import Words, who
from members.rules import tasks as rules
from members.web import reward_rows
from members.web.task_forms import TaskForm, initial_of, shown_tests, test_operators, tests_of
from scrm.common import clock, condition_editors, conditions
from scrm.common.access import Actor, ConsoleRequest, DataScope, Permission, page
from scrm.common.errors import DomainError, NotFound


def sections(active: str) -> list[dict[str, Any]]:
    """The pages about tasks, as tabs over each of them."""
    tabs = [
        ("tasks", _("Tasks"), "task_list"), ("map", _("Map"), "task_map"), ("checkins", _("Check-in"), "checkin_list"),
    ]  # fmt: skip
    return [{"label": label, "href": reverse(name), "active": key == active} for key, label, name in tabs]


def _may(actor: Actor) -> bool:
    return actor.may(Permission.LOYALTY_MANAGE)


@page(allow=Permission.LOYALTY_VIEW)
def task_list(request: ConsoleRequest) -> HttpResponse:
    """Every task in words, with how many began it, did it, had its reward, and what that cost."""
    query = request.GET.get("q", "").replace("\0", "").strip()[:100]
    state = request.GET.get("state", "")
    state = state if state in TaskState.values else ""
    found = list(tasks.listed(search=query, state=state))
    words = Words()
    everybody = request.actor.scope == DataScope.ALL
    funnels = task_funnels.funnels([task.pk for task in found]) if everybody else {}
    rows = [
        {
            "task": task,
            "sentence": words.sentence(task),
            "rewards": words.rewards(task.rewards),
            "funnel": funnels.get(task.pk),
        }
        for task in found
    ]
    context = {
        "rows": rows,
        "everybody": everybody,
        # Some are not counted while one looks: many have begun them.
        "counted": everybody and not all(task.pk in funnels and funnels[task.pk].live for task in found),
        "query": query,
        "state": state,
        "states": TaskState.choices,
        "is_filtered": bool(query or state),
        "may_manage": _may(request.actor),
        "sections": sections("tasks"),
    }
    return render(request, "members/task_list.html", context)


@require_POST
@page(allow=Permission.LOYALTY_VIEW)
def task_count(request: ConsoleRequest) -> HttpResponse:
    """Count the tasks that many have begun now instead of within the hour."""
    try:
        job = funnel_acts.start(actor=request.actor)
    except DomainError as error:
        messages.error(request, str(error))
        return redirect("task_list")
    messages.success(request, _("Counting has started."))
    return redirect("job_detail", job.pk)


@page(allow=Permission.LOYALTY_VIEW)
def task_map(request: ConsoleRequest) -> HttpResponse:
    """The chains: what unlocks what, in columns from left to right."""
    found = [task for task in tasks.listed() if task.state != TaskState.ENDED]
    known = {task.pk for task in found}
    links = [(task.pk, link.after_id) for task in found for link in task.unlocks.all() if link.after_id in known]
    depths = rules.depths(links)
    words = Words()
    columns: list[list[dict[str, Any]]] = [[] for _n in range(max(depths.values(), default=0) + 1)]
    for task in found:
        columns[depths.get(task.pk, 0)].append(
            {
                "task": task,
                "sentence": words.sentence(task),
                "rewards": words.rewards(task.rewards),
                "after": [link.after.name for link in task.unlocks.all()],
            }
        )
    context = {"columns": columns if found else [], "sections": sections("map"), "may_manage": _may(request.actor)}
    return render(request, "members/task_map.html", context)


@page(allow=Permission.LOYALTY_VIEW)
def task_detail(request: ConsoleRequest, task_id: int) -> HttpResponse:
    """What a task says, its funnel, its former versions, and what can be done with it."""
    task = _task(task_id)
    words = Words()
    actor = request.actor
    context = {
        "task": task,
        "sentence": words.sentence(task),
        "who": who(task.who) if task.who else "",
        "rewards": words.rewards(task.rewards),
        "after": [link.after for link in task.unlocks.all()],
        "unlocks": tasks.listed().filter(unlocks__after=task),
        "everybody": actor.scope == DataScope.ALL,
        "funnel": task_funnels.funnels([task.pk]).get(task.pk) if actor.scope == DataScope.ALL else None,
        "versions": task.versions.order_by("-version")[:20],
        "may_manage": _may(actor),
        "audit_url": f"{reverse('audit_list')}?object_type=members_task&object_id={task.pk}"
        if actor.may(Permission.AUDIT_VIEW)
        else "",
    }
    return render(request, "members/task_detail.html", context)


@page(allow=Permission.LOYALTY_MANAGE)
def task_new(request: ConsoleRequest) -> HttpResponse:
    """The form of a new task; `?copy=` fills in another one's."""
    if request.method == "POST":
        return _save(request, None)
    copied = request.GET.get("copy", "")
    source = _task(int(copied)) if copied.isascii() and copied.isdigit() and len(copied) < 10 else None
    initial = {**initial_of(source), "version": None, "name": ""} if source else None
    return _form(request, TaskForm(initial=initial), None, like=source)


@page(allow=Permission.LOYALTY_MANAGE)
def task_edit(request: ConsoleRequest, task_id: int) -> HttpResponse:
    """The form with a saved task. Of one that was started, what counts is shown and kept."""
    task = _task(task_id)
    if request.method == "POST":
        return _save(request, task)
    return _form(request, TaskForm(initial=initial_of(task), task=task), task, like=task)


def _save(request: ConsoleRequest, task: Task | None) -> HttpResponse:
    initial = initial_of(task) if task is not None else None
    form = TaskForm(request.POST, initial=initial, task=task)
    faults: condition_editors.Faults = []
    if form.is_valid():
        now = clock.now()
        try:
            content = form.content(task)
            if task is None:
                task = operations.create(key=form.cleaned_data["key"], content=content, now=now)
            else:
                version = form.cleaned_data["version"] or 0
                task = operations.change(task_id=task.pk, version=version, content=content, now=now)
        except conditions.BadCondition as error:
            faults = error.detail["errors"]
        except DomainError as error:
            form.refuse(error)
        else:
            messages.success(request, _("The task is saved."))
            return redirect("task_detail", task.pk)
    return _form(request, form, task, faults=faults, status=422)


def _form(
    request: ConsoleRequest,
    form: TaskForm,
    task: Task | None,
    *,
    like: Task | None = None,
    faults: condition_editors.Faults = (),
    status: int = 200,
) -> HttpResponse:
    rewards = reward_rows.read(request.POST, "reward") if form.is_bound else (like.rewards if like else [])
    tests = tests_of(request.POST) if form.is_bound else (like.counting.get("where", []) if like else [])
    context = {
        "form": form,
        "task": task,
        "kind": form["form"].value(),
        "fixed": task is not None and task.state != TaskState.DRAFT,
        "reward_rows": reward_rows.shown(rewards),
        "reward_kinds": reward_rows.kinds(Words()),
        "tests": shown_tests(tests),
        "operators": test_operators(),
        "builder": condition_editors.of_form(request, form, stored=like.who if like else None, faults=faults),
        "faults": faults,
    }
    return render(request, "members/task_form.html", context, status=status)


@require_POST
@page(allow=Permission.LOYALTY_MANAGE)
def task_preview(request: ConsoleRequest) -> HttpResponse:
    """What the form says in words, and how many would have done it over the last 30 days. Writes nothing."""
    raw = request.POST.get("task", "")
    task = _task(int(raw)) if raw.isascii() and raw.isdigit() and len(raw) < 10 else None
    form = TaskForm(request.POST, initial=initial_of(task) if task is not None else None, task=task)
    form.fields["name"].required = False
    if task is None:
        form.fields["key"].required = False
    context: dict[str, Any] = {"days": task_previews.DAYS}
    try:
        if not form.is_valid():
            raise ValueError(next(iter(error for errors in form.errors.values() for error in errors), ""))
        form.cleaned_data["name"] = form.cleaned_data["name"] or "…"
        drafted = Task(**task_definitions.checked(form.content(task)))
        context |= {
            "sentence": Words().sentence(drafted),
            "rewards": Words().rewards(drafted.rewards),
            "found": task_previews.preview(drafted, now=clock.now()),
        }
    except (ValueError, DomainError) as error:
        context["fault"] = str(error)
    return render(request, "members/task_preview.html", context)


@require_POST
@page(allow=Permission.LOYALTY_MANAGE)
def task_act(request: ConsoleRequest, task_id: int, act: str) -> HttpResponse:
    """Start, pause, end or remove a task."""
    now = clock.now()
    try:
        match act:
            case "start":
                operations.start(task_id=task_id, now=now)
                messages.success(request, _("The task is active. Who has done it already is found in the background."))
            case "pause":
                operations.pause(task_id=task_id, now=now)
                messages.success(request, _("The task is paused: nothing counts until it is started again."))
            case "end":
                operations.end(task_id=task_id, now=now)
                messages.success(request, _("The task has ended. Rewards can still be claimed."))
            case "delete":
                operations.delete(task_id=task_id)
                messages.success(request, _("The draft is gone."))
                return redirect("task_list")
            case _:
                raise Http404
    except NotFound as error:
        raise Http404(str(error)) from error
    except DomainError as error:
        messages.error(request, str(error))
    return redirect("task_detail", task_id)


@page(allow=Permission.LOYALTY_VIEW)
def member_task(request: ConsoleRequest, member_id: int, task_id: int) -> HttpResponse:
    """Which facts counted for a member's task, cycle by cycle."""
    try:
        member = profiles.get(member_id=member_id, actor=request.actor)
        task = tasks.get(task_id)
        cycles = tasks.explain(member_id=member.pk, task_id=task_id)
    except NotFound as error:
        raise Http404(str(error)) from error
    said = task_words.facts(member.pk, [fact.fact for one in cycles for fact in one.facts])
    shown = [{"cycle": one, "facts": [(said.get(fact.fact, fact.fact), fact) for fact in one.facts]} for one in cycles]
    context = {"member": member, "task": task, "cycles": shown, "sentence": Words().sentence(task)}
    return render(request, "members/member_task.html", context)


def _task(task_id: int) -> Task:
    try:
        return tasks.get(task_id)
    except NotFound as error:
        raise Http404(str(error)) from error
