"""Tasks: what members do for a reward.

Progress follows the facts in the transaction that lands them (`react`); what is stored is what the facts say, whatever
came first, so a refunded order undoes what it had done and its payment does it again. Locks are taken in the order of
the house: member rows, member summaries, the tasks' gate, a task's stock, points accounts.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from members.enums import TaskState
from members.models import Task, TaskCompletion, TaskUnlock, TaskVersion
from members.operations import summaries, task_definitions, task_effects, task_runs, task_settling, tasks_known
from members.operations.task_definitions import FIXED, MOST_TASKS, Content
from members.operations.task_rows import Done
from members.queries.task_fields import STATE
from members.rules import tasks as rules
from scrm.common import reactions
from scrm.common.errors import Conflict, Invalid, NotFound
from scrm.common.gates import Signatures
from scrm.common.reactions import Facts
from scrm.common.transactions import atomic


def react(facts: Facts, signatures: Signatures) -> None:
    """Bring members' tasks up to date with a batch of facts, inside its transaction."""
    touched = {topic: facts.touched(topic) for topic in facts.topics}
    known = tasks_known.GATE.known(signatures)
    asked = known.asked(touched)
    if not asked:
        return
    only_events = all(topic.startswith("event:") for topic in touched)
    earliest = {member: first for member, (first, _last) in facts.occurred.items()} if only_events else None
    task_settling.settle(asked, known=known, now=facts.now, earliest=earliest, signatures=signatures)


def create(*, key: str, content: Content, now: datetime) -> Task:
    """A new task, a draft. Raises `Invalid`, its `field` naming what is wrong, and `conditions.BadCondition`."""
    task_definitions.check_key(key)
    values = task_definitions.checked(content)
    with atomic():
        if Task.objects.filter(key=key).exists():
            raise Invalid(_("This is already in use."), code="taken", field="key")
        if Task.objects.count() >= MOST_TASKS:
            raise Invalid(_("No more tasks."), code="too_many", field="key")
        task = Task.objects.create(key=key, **values)
        _link(task, content.after)
        _keep(task, now)
        return task


def change(*, task_id: int, version: int, content: Content, now: datetime) -> Task:
    """Give a task another content: it holds for whoever completes it from now on.

    `version` is the one that was read. Once started, what counts stays as it is: members have begun on it. Raises
    `NotFound`, `Conflict` (`changed_meanwhile`, `started`, `ended`), and as `create` does.
    """
    values = task_definitions.checked(content)
    with atomic():
        task = _locked(task_id)
        if task.version != version:
            raise Conflict(_("Somebody else has changed this meanwhile."), code="changed_meanwhile")
        if task.state == TaskState.ENDED:
            raise Conflict(_("The task has ended."), code="ended")
        before = task_definitions.of(task)
        if task.state != TaskState.DRAFT:
            _check_kept(before, {**values, "after": sorted(set(content.after))})
            if values["ends_at"] != before.ends_at and values["ends_at"] is not None and values["ends_at"] <= now:
                raise Invalid(_("This is in the past."), code="in_past", field="ends_at")
        for name, value in values.items():
            setattr(task, name, value)
        task.version += 1
        task.save()
        if task.state == TaskState.DRAFT:
            _link(task, content.after)
        _keep(task, now)
        if task.state == TaskState.ACTIVE and values["who"] != before.who:
            task_runs.queue(task)
        if task.state == TaskState.ACTIVE and values["ends_at"] != before.ends_at:
            reactions.redefined(topics=STATE, now=now)
        return task


def restate(*, task_id: int, who: Any, now: datetime) -> None:
    """Let a task say by another name for whom it is: a tag that it names was merged into another.

    Also of one that has ended, for facts that come late. Not checked: what could not be read before is not the concern
    of whoever merged. Raises `NotFound`.
    """
    with atomic():
        task = _locked(task_id)
        task.who = who
        task.version += 1
        task.save(update_fields=["who", "version"])
        _keep(task, now)
        if task.state == TaskState.ACTIVE:
            task_runs.queue(task)


def _check_kept(before: Content, values: dict[str, Any]) -> None:
    for name in FIXED:
        if values[name] != getattr(before, name):
            raise Conflict(
                _("Members are at it: what counts cannot change. Duplicate the task and end this one."),
                code="started",
                field=name,
            )


def start(*, task_id: int, now: datetime) -> Task:
    """Let facts count, from the task's start (or now) on; whoever has done it already is found in the background.

    A task that was paused goes on: what happened during the pause does not count. Twice changes nothing. Raises
    `NotFound`, `Conflict` (`ended`, `over`).
    """
    with atomic():
        task = _locked(task_id)
        if task.state == TaskState.ACTIVE:
            return task
        if task.state == TaskState.ENDED:
            raise Conflict(_("The task has ended."), code="ended")
        if task.ends_at is not None and task.ends_at <= now:
            raise Conflict(_("Its last day is over."), code="over")
        begins = task.starts_at if task.state == TaskState.DRAFT and task.starts_at is not None else now
        _state(task, TaskState.ACTIVE, rules.opened(tasks_known.read_spans(task.active), begins), now)
        task_runs.queue(task)
        return task


def pause(*, task_id: int, now: datetime) -> Task:
    """Let nothing count until it is started again. Twice changes nothing. Raises `NotFound`, `Conflict`."""
    with atomic():
        task = _locked(task_id)
        if task.state == TaskState.PAUSED:
            return task
        if task.state != TaskState.ACTIVE:
            raise Conflict(_("The task is not active."), code="not_active")
        _state(task, TaskState.PAUSED, rules.closed(tasks_known.read_spans(task.active), now), now)
        return task


def end(*, task_id: int, now: datetime) -> Task:
    """End a task for good: what happened until now counts, also when it is sent later; rewards can be claimed.

    Twice changes nothing. Raises `NotFound`, `Conflict` (`not_started`).
    """
    with atomic():
        task = _locked(task_id)
        if task.state == TaskState.ENDED:
            return task
        if task.state == TaskState.DRAFT:
            raise Conflict(_("The task was never started."), code="not_started")
        task.ended_at = now
        _state(task, TaskState.ENDED, rules.closed(tasks_known.read_spans(task.active), now), now)
        return task


def delete(*, task_id: int) -> None:
    """Remove a draft. Raises `NotFound`, `Conflict` (`started`, `in_use`: it unlocks another)."""
    with atomic():
        task = _locked(task_id)
        if task.state != TaskState.DRAFT:
            raise Conflict(_("A task that was started can only be ended."), code="started")
        if TaskUnlock.objects.filter(after=task).exists():
            raise Conflict(_("Other tasks are unlocked by it."), code="in_use")
        task.delete()


def claim(*, member_id: int, task_id: int, now: datetime) -> TaskCompletion:
    """Give a member the reward of a task that they have done: of the oldest doing that is not claimed yet.

    When all are claimed, the last is answered again. Raises `NotFound`, `Conflict` (`not_done`, `out_of_stock`).
    """
    with atomic():
        if not Task.objects.filter(pk=task_id).exclude(state=TaskState.DRAFT).exists():
            raise NotFound(_("There is no such task."))
        if not summaries.hold([member_id]):
            raise NotFound(_("There is no such member."))
        tasks_known.GATE.enter(now=now)
        done = TaskCompletion.objects.filter(member_id=member_id, task_id=task_id, undone_at=None)
        found = done.filter(rewarded_at=None).order_by("completed_at", "cycle").first()
        if found is None:
            last = done.order_by("-completed_at", "-cycle").first()
            if last is None:
                raise Conflict(_("The task is not done yet."), code="not_done")
            return last
        task = tasks_known.known(Task.objects.get(pk=task_id))
        one = Done(task_id, member_id, found.cycle, found.round, found.completed_at)
        if task_effects.reward([one], tasks={task_id: task}, claimed=True, now=now):
            raise Conflict(_("All rewards of this task have been given."), code="out_of_stock")
        return TaskCompletion.objects.get(member_id=member_id, task_id=task_id, cycle=found.cycle)


def _state(task: Task, state: TaskState, spans: list[rules.Span], now: datetime) -> None:
    """Whoever has begun it is evaluated anew by what hangs on that; a draft nobody has begun."""
    if task.state != TaskState.DRAFT:
        reactions.redefined(topics=STATE, now=now)
    task.state = state
    task.active = [[start.isoformat(), end.isoformat() if end else None] for start, end in spans]
    task.save(update_fields=["state", "active", "ended_at"])


def _link(task: Task, after: list[int]) -> None:
    """Chain the task. All chains are read under one lock, so that two edits cannot close a circle between them."""
    Task.objects.select_for_update(no_key=True).order_by("pk").first()
    wanted = set(after)
    if Task.objects.filter(pk__in=wanted).count() != len(wanted):
        raise Invalid(_("There is no such task."), code="unknown", field="after")
    TaskUnlock.objects.filter(task=task).exclude(after_id__in=wanted).delete()
    known = set(TaskUnlock.objects.filter(task=task).values_list("after_id", flat=True))
    if task.pk in wanted:
        raise Invalid(_("A task cannot unlock itself."), code="cycle", field="after")
    TaskUnlock.objects.bulk_create(TaskUnlock(task=task, after_id=other) for other in sorted(wanted - known))
    try:
        rules.depths(TaskUnlock.objects.values_list("task_id", "after_id"))
    except ValueError:
        raise Invalid(_("The tasks would unlock each other in a circle."), code="cycle", field="after") from None


def _keep(task: Task, now: datetime) -> None:
    content = asdict(task_definitions.of(task))
    for name in ("starts_at", "ends_at"):
        content[name] = content[name].isoformat() if content[name] else None
    TaskVersion.objects.create(task=task, version=task.version, content=content, created_at=now)


def _locked(task_id: int) -> Task:
    task = Task.objects.select_for_update(no_key=True).filter(pk=task_id).first()
    if task is None:
        raise NotFound(_("There is no such task."))
    return task
