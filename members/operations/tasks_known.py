"""The started tasks as this process knows them, and the gate that keeps that knowledge right."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from members.enums import TaskKind, TaskWindow
from members.models import Task, TaskUnlock
from members.operations import rewards
from members.queries.task_facts import Counted, most_that_matter
from members.rules import tasks as rules
from members.rules.rewards import Reward
from members.rules.tasks import Plan, Span
from scrm.common import conditions
from scrm.common.errors import DomainError

# How long facts that come late, and refunds, still change a task that has ended.
SETTLED_AFTER = timedelta(days=180)
# Shared by whoever settles tasks, taken alone for a moment before everyone is evaluated for one that was started.
_GATE = "hashtext('members.tasks')"
_ENDED = "COALESCE(LEAST(ended_at, ends_at), 'infinity')"
# `xmin` tells a change that was rolled back from one that took its version. In the statement that passes the gate and
# yet after it: the second of two.
_SIGNATURE = f"""
    SELECT string_agg(id || ' ' || version || ' ' || xmin::text, ',' ORDER BY id) FROM members_task
    WHERE state <> 'draft' AND {_ENDED} > %s
"""  # noqa: S608  # words of this file
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

    def __init__(self, signature: str, tasks: Sequence[KnownTask]) -> None:
        self.signature = signature
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


_known = Known("", ())


def forget(**_: Any) -> None:
    """Drop what this process remembers: after the tables were emptied, as between tests."""
    global _known  # noqa: PLW0603  # a cache per process, replaced as a whole
    _known = Known("", ())


def pass_gate(*, now: datetime) -> Known:
    """Enter, for the rest of the transaction, and learn which tasks were started.

    In one round trip but two statements, so that the second sees what was started while the first waited.
    """
    global _known  # noqa: PLW0603  # a cache per process, replaced as a whole
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_advisory_xact_lock_shared({_GATE}); {_SIGNATURE}", [now - SETTLED_AFTER])
        cursor.nextset()
        signature = cursor.fetchone()[0] or ""
    if signature != _known.signature:
        _known = Known(signature, _read([int(one.split(" ", 1)[0]) for one in signature.split(",") if one]))
    return _known


def shut_gate() -> None:
    """Wait until everybody who entered has committed, and keep others out until this transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_advisory_xact_lock({_GATE})")


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
