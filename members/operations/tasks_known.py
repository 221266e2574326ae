"""The started tasks as this process knows them.

Their gate is shut for a moment before everyone is evaluated for one that was started.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from members.enums import TaskKind, TaskWindow
from members.models import Task, TaskUnlock
from members.operations import rewards
from members.queries.task_facts import Counted, most_that_matter
from members.rules import tasks as rules
from members.rules.rewards import Reward
from members.rules.tasks import Plan, Span
from scrm.common import conditions
from scrm.common.errors import DomainError
from scrm.common.gates import Gate

# How long facts that come late, and refunds, still change a task that has ended.
SETTLED_AFTER = timedelta(days=180)
_TOPICS = {
    TaskKind.ORDER: frozenset({"order"}),
    TaskKind.PROFILE: frozenset({"profile", "identity", "attribute", conditions.topics.CREATED}),
    TaskKind.CHECKIN: frozenset({"checkin"}),
}


@dataclass(frozen=True, slots=True, eq=False)
class KnownTask:
    """A task that was started. `who` is None for everybody; `broken`: its condition cannot be read any more."""

    id: int
    key: str
    name: str
    version: int
    plan: Plan
    counted: Counted
    spans: tuple[Span, ...]
    topics: frozenset[str]
    after: tuple[int, ...]
    depth: int
    counts_earlier: bool
    who: conditions.Node | None
    broken: bool
    rewards: tuple[Reward, ...]
    automatic: bool
    limited: bool

    @property
    def by_calendar(self) -> bool:
        """Whether each cycle stands alone, so that facts of one need no look at the others."""
        return self.plan.window in rules.CALENDAR and not self.plan.times and self.who is None


class Known:
    """The started tasks at one time."""

    def __init__(self, tasks: Sequence[KnownTask]) -> None:
        self.tasks = {task.id: task for task in tasks}
        self.next: dict[int, list[int]] = {}
        self._by_topic: dict[str, list[int]] = {}
        for task in tasks:
            for other in task.after:
                self.next.setdefault(other, []).append(task.id)
            for topic in task.topics:
                self._by_topic.setdefault(topic, []).append(task.id)

    def asked(self, touched: Mapping[str, Collection[int]]) -> dict[int, set[int]]:
        """Which task is to be settled for whom."""
        found: dict[int, set[int]] = {}
        for topic, members in touched.items():
            for task_id in self._by_topic.get(topic, ()) if members else ():
                found.setdefault(task_id, set()).update(members)
        return found


def _of(signature: str, _before: Known) -> tuple[Known, bool]:
    return Known(_read([int(one.split(" ", 1)[0]) for one in signature.split(",") if one])), True


GATE: Gate[Known] = Gate(
    "members.tasks",
    # Until late facts no longer change it.
    signature=f"""
        SELECT string_agg(id || ' ' || version || ' ' || xmin::text, ',' ORDER BY id) FROM members_task
        WHERE state <> 'draft'
          AND COALESCE(LEAST(ended_at, ends_at), 'infinity') > %(now)s - interval '{SETTLED_AFTER.days} days'
    """,  # noqa: S608  # words of this file
    nothing=Known(()),
    read=_of,
)


def _read(task_ids: list[int]) -> list[KnownTask]:
    if not task_ids:
        return []
    links = list(TaskUnlock.objects.values_list("task_id", "after_id"))
    depths = rules.depths(links)
    after: dict[int, list[int]] = {}
    for task_id, other in links:
        after.setdefault(task_id, []).append(other)
    return [
        known(task, after=after.get(task.pk, ()), depth=depths.get(task.pk, 0))
        for task in Task.objects.filter(pk__in=task_ids)
    ]


def known(task: Task, *, after: Sequence[int] = (), depth: int = 0) -> KnownTask:
    """A stored task, read. A condition that cannot be read any more lets nobody finish."""
    who, broken = None, False
    topics = topics_of(task)
    if task.who:
        try:
            who = conditions.parse(task.who)
            topics |= conditions.dependencies(who) - {conditions.topics.CREATED}
        except DomainError:
            broken = True
    plan = Plan(task.measure, task.needed, task.window, task.window_days, task.times)
    spans = tuple(rules.clipped(read_spans(task.active), task.starts_at, task.ends_at))
    most = most_that_matter(measure=task.measure, window=task.window, needed=task.needed, times=task.times)
    return KnownTask(
        id=task.pk,
        key=task.key,
        name=task.name,
        version=task.version,
        plan=plan,
        counted=Counted(task.kind, task.counting, spans, most),
        spans=spans,
        topics=topics,
        after=tuple(after),
        depth=depth,
        counts_earlier=task.counts_earlier,
        who=who,
        broken=broken,
        rewards=rewards.read(task.rewards),
        automatic=task.claim == "auto",
        limited=task.stock is not None,
    )


def topics_of(task: Task) -> frozenset[str]:
    """What its facts touch, in the words of `conditions.dependencies`."""
    if task.kind == TaskKind.EVENT:
        return frozenset(f"event:{key}" for key in task.counting["types"])
    return _TOPICS[TaskKind(task.kind)]


def read_spans(stored: Sequence[Sequence[str | None]]) -> list[Span]:
    """The spans of `Task.active`."""
    return [
        (datetime.fromisoformat(start or ""), datetime.fromisoformat(end) if end else None) for start, end in stored
    ]


def cycle_of(task: KnownTask, at: datetime, zone: Any) -> str:
    """The cycle of a day, week or month that an instant is in."""
    return rules.cycle_start(TaskWindow(task.plan.window), at.astimezone(zone).date()).isoformat()
