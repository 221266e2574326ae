"""Tasks: the list, one of them with its numbers, and the map of a member."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from django.db import connection
from django.db.models import Prefetch, QuerySet
from django.utils.translation import gettext as _

from members.enums import TaskClaim, TaskState, TaskWindow
from members.models import Task, TaskCompletion, TaskFact, TaskProgress, TaskUnlock
from members.queries.task_words import Words, measured
from members.rules import tasks as rules
from members.rules.tasks import Fact
from scrm.common import clock, conditions
from scrm.common.errors import DomainError, NotFound


class Standing(StrEnum):
    """How a task stands for a member."""

    LOCKED = "locked"
    OPEN = "open"
    CLAIMABLE = "claimable"
    DONE = "done"
    OVER = "over"  # it takes nothing any more


@dataclass(frozen=True, slots=True)
class Step:
    """One task on a member's map. `value` of `needed` is reached in the present cycle; `progress` says so in words.

    `unlocked_by` are the names of the tasks that have to be done first. `fits`: the task is for this member.
    """

    task: Task
    standing: Standing
    value: int
    progress: str
    ends_at: datetime | None
    rewards: list[str]
    unlocked_by: list[str]
    times_done: int
    done_at: datetime | None
    fits: bool
    out_of_stock: bool

    @property
    def share(self) -> int:
        """How much is done, in per cent."""
        if self.standing in (Standing.DONE, Standing.CLAIMABLE):
            return 100
        return min(100, 100 * self.value // self.task.needed)


def listed(*, state: str = "", search: str = "") -> QuerySet[Task]:
    """Tasks in the order of the members' map."""
    found = Task.objects.prefetch_related(Prefetch("unlocks", TaskUnlock.objects.select_related("after")))
    if state:
        found = found.filter(state=state)
    if search:
        found = found.filter(name__icontains=search)
    return found.order_by("position", "pk")


def get(task_id: int) -> Task:
    """One task. Raises `NotFound`."""
    found = listed().filter(pk=task_id).first() if task_id < 2**63 else None
    if found is None:
        raise NotFound(_("There is no such task."))
    return found


@dataclass(slots=True)
class _Held:
    """What one member has of the tasks."""

    progress: dict[tuple[int, str], TaskProgress] = field(default_factory=dict)
    completions: dict[int, list[TaskCompletion]] = field(default_factory=dict)
    facts: dict[tuple[int, str], list[Fact]] = field(default_factory=dict)


def for_member(*, member_id: int, now: datetime) -> list[Step]:
    """The member's map: every task that is active, and those that are over for which something was done."""
    tasks = list(listed().exclude(state=TaskState.DRAFT))
    held = _held(member_id, [task.pk for task in tasks if task.window == TaskWindow.ROLLING])
    fits = _fits(member_id, tasks, now)
    words = Words()
    found = []
    for task in tasks:
        done = held.completions.get(task.pk, [])
        if not done and (task.state != TaskState.ACTIVE or (task.ends_at is not None and task.ends_at <= now)):
            continue
        found.append(_step(task, held, fits[task.pk], words, now))
    return found


def _held(member_id: int, rolling: Sequence[int]) -> _Held:
    held = _Held()
    for row in TaskProgress.objects.filter(member_id=member_id):
        held.progress[row.task_id, row.cycle] = row
    for done in TaskCompletion.objects.filter(member_id=member_id, undone_at=None).order_by("completed_at", "cycle"):
        held.completions.setdefault(done.task_id, []).append(done)
    if rolling:
        for fact in TaskFact.objects.filter(member_id=member_id, task_id__in=rolling):
            held.facts.setdefault((fact.task_id, fact.cycle), []).append(Fact(fact.at, fact.fact, fact.amount))
    return held


def _fits(member_id: int, tasks: Iterable[Task], now: datetime) -> dict[int, bool]:
    """Whether each task is for the member; one statement for all conditions."""
    found = {}
    asked: list[tuple[int, conditions.Sql]] = []
    for task in tasks:
        found[task.pk] = not task.who
        if task.who:
            try:
                asked.append((task.pk, conditions.compile_condition(conditions.parse(task.who), as_of=now)))
            except DomainError:
                continue
    if asked:
        tests = ", ".join(f"({test.text}) IS TRUE" for _, test in asked)
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {tests} FROM members_member m WHERE m.id = %s",
                [*(value for _, test in asked for value in test.params), member_id],
            )
            row = cursor.fetchone()
        found |= dict(zip((task_id for task_id, _ in asked), row or [], strict=False))
    return found


def _step(task: Task, held: _Held, fits: bool, words: Words, now: datetime) -> Step:
    done = held.completions.get(task.pk, [])
    missing = [link.after.name for link in task.unlocks.all() if not held.completions.get(link.after_id)]
    present = _present(task, held, now)
    value, ends_at = _reached(task, held, present, now)
    is_open = task.state == TaskState.ACTIVE and (task.ends_at is None or task.ends_at > now)
    claimable = task.claim == TaskClaim.BY_MEMBER and any(one.rewarded_at is None for one in done)
    if claimable:
        standing = Standing.CLAIMABLE
    elif missing:
        standing = Standing.LOCKED
    elif (task.times and len(done) >= task.times) or any(one.cycle == present for one in done):
        standing = Standing.DONE
    else:
        standing = Standing.OPEN if is_open else Standing.OVER
    if standing == Standing.DONE:
        value = task.needed
    return Step(
        task=task,
        standing=standing,
        value=value,
        progress=measured(task, value),
        ends_at=ends_at or task.ends_at,
        rewards=words.rewards(task.rewards),
        unlocked_by=missing,
        times_done=len(done),
        done_at=done[-1].completed_at if done else None,
        fits=fits,
        out_of_stock=any(one.out_of_stock for one in done),
    )


def _present(task: Task, held: _Held, now: datetime) -> str:
    """The cycle that the member is in."""
    if task.window in rules.CALENDAR:
        return rules.cycle_start(task.window, clock.shop_date(now)).isoformat()
    return str(min(len(held.completions.get(task.pk, [])) + 1, task.times or 10**9))


def _reached(task: Task, held: _Held, cycle: str, now: datetime) -> tuple[int, datetime | None]:
    """What counts in the cycle now, and when it lapses."""
    row = held.progress.get((task.pk, cycle))
    if row is None:
        if task.window in rules.CALENDAR:
            start = rules.cycle_start(task.window, clock.shop_date(now))
            return 0, clock.day_start(rules.cycle_end(task.window, start))
        return 0, None
    if task.window == TaskWindow.ROLLING and not row.done:
        since = now - timedelta(days=task.window_days)
        facts = [one for one in held.facts.get((task.pk, cycle), []) if one.at > since]
        lapses = min((one.at for one in facts), default=None)
        value = max(rules.measured(task.measure, facts, clock.shop_zone()), 0)
        return value, lapses + timedelta(days=task.window_days) if lapses else None
    if row.ends_at is not None and row.ends_at <= now:
        return 0, None
    return row.value, row.ends_at


@dataclass(frozen=True, slots=True)
class Explained:
    """One cycle of a member's task: which facts counted, and what became of it."""

    cycle: str
    value: int
    progress: str
    facts: list[TaskFact]
    completion: TaskCompletion | None


def explain(*, member_id: int, task_id: int) -> list[Explained]:
    """Which facts counted for the member's task, the newest cycle first. Raises `NotFound`."""
    task = get(task_id)
    facts: dict[str, list[TaskFact]] = {}
    for fact in TaskFact.objects.filter(member_id=member_id, task_id=task_id).order_by("at", "fact"):
        facts.setdefault(fact.cycle, []).append(fact)
    completions = {
        one.cycle: one for one in TaskCompletion.objects.filter(member_id=member_id, task_id=task_id)
    }  # fmt: skip
    values: Mapping[str, int] = dict(
        TaskProgress.objects.filter(member_id=member_id, task_id=task_id).values_list("cycle", "value")
    )
    cycles = sorted({*facts, *completions, *values}, key=lambda one: (len(one), one), reverse=True)
    return [
        Explained(
            cycle,
            values.get(cycle, 0),
            measured(task, values.get(cycle, 0)),
            facts.get(cycle, []),
            completions.get(cycle),
        )
        for cycle in cycles
    ]
