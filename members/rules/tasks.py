"""What facts make of a task: its cycles, how far each is, and which are done. Pure.

The answer depends on the facts alone, not on the order in which they arrived or how often they were sent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, tzinfo

COUNT, SUM, DAYS, STREAK = "count", "sum", "days", "streak"
WHOLE, DAY, WEEK, MONTH, ROLLING = "whole", "day", "week", "month", "rolling"
CALENDAR = (DAY, WEEK, MONTH)


@dataclass(frozen=True, slots=True, order=True)
class Fact:
    """Something that counts. `key` is unique within a member; `amount` is of its money, in minor units."""

    at: datetime
    key: str
    amount: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """How facts add up: `needed` by `measure` within `window`; `times` is how often in all, 0 for without end."""

    measure: str = COUNT
    needed: int = 1
    window: str = WHOLE
    window_days: int = 0
    times: int = 1


@dataclass(slots=True)
class Cycle:
    """One doing of a task. `facts` are those that count, in order; `completed_at` is when the last of them occurred.

    `ends_at`: from when what was counted no longer does, unless the cycle is done.
    """

    key: str
    facts: list[Fact] = field(default_factory=list)
    value: int = 0
    completed_at: datetime | None = None
    ends_at: datetime | None = None

    @property
    def done(self) -> bool:
        return self.completed_at is not None


def cycles(plan: Plan, facts: Iterable[Fact], zone: tzinfo) -> list[Cycle]:
    """The cycles that the facts make, in time order; of a task done as often as it can be, no more than these.

    Equal instants count in the order of the facts' keys. The facts beyond those that complete a cycle of a day, week
    or month count for nothing; elsewhere they begin the next doing.
    """
    ordered = sorted({fact.key: fact for fact in facts}.values())
    if plan.window in CALENDAR:
        return _by_calendar(plan, ordered, zone)
    return _in_a_row(plan, ordered, zone)


def _by_calendar(plan: Plan, facts: Sequence[Fact], zone: tzinfo) -> list[Cycle]:
    found: dict[date, Cycle] = {}
    done = 0
    for fact in facts:
        start = cycle_start(plan.window, _day(fact, zone))
        cycle = found.get(start)
        if cycle is None:
            if plan.times and done == plan.times:
                break
            cycle = found[start] = Cycle(start.isoformat(), ends_at=_midnight(cycle_end(plan.window, start), zone))
        if cycle.done:
            continue
        _count(plan, cycle, fact, zone)
        done += cycle.done
    return list(found.values())


def _in_a_row(plan: Plan, facts: Sequence[Fact], zone: tzinfo) -> list[Cycle]:
    found: list[Cycle] = []
    for fact in facts:
        if not found or found[-1].done:
            if plan.times and len(found) == plan.times:
                break
            found.append(Cycle(str(len(found) + 1)))
        cycle = found[-1]
        if plan.window == ROLLING:
            since = fact.at - timedelta(days=plan.window_days)
            cycle.facts = [one for one in cycle.facts if one.at > since]
        _count(plan, cycle, fact, zone)
        if plan.window == ROLLING:
            cycle.ends_at = cycle.facts[0].at + timedelta(days=plan.window_days)
        elif plan.measure == STREAK:
            cycle.ends_at = _midnight(_day(fact, zone) + timedelta(days=2), zone)
    return found


def _count(plan: Plan, cycle: Cycle, fact: Fact, zone: tzinfo) -> None:
    day = _day(fact, zone)
    if plan.measure == STREAK and cycle.facts and _day(cycle.facts[-1], zone) < day - timedelta(days=1):
        cycle.facts = []
    cycle.facts.append(fact)
    if plan.measure == SUM and plan.window != ROLLING:
        cycle.value += fact.amount  # a busy member has many
    else:
        cycle.value = measured(plan.measure, cycle.facts, zone)
    if cycle.value >= plan.needed:
        cycle.completed_at = fact.at


def measured(measure: str, facts: Collection[Fact], zone: tzinfo) -> int:
    """What the facts add up to."""
    if measure == SUM:
        return sum(fact.amount for fact in facts)
    if measure in (DAYS, STREAK):
        return len({_day(fact, zone) for fact in facts})
    return len(facts)


def cycle_start(window: str, day: date) -> date:
    """The first day of the day, week or month that a day is in."""
    if window == WEEK:
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if window == MONTH else day


def cycle_end(window: str, start: date) -> date:
    """The first day after the cycle that begins on `start`."""
    if window == WEEK:
        return start + timedelta(days=7)
    if window == MONTH:
        return (start.replace(day=28) + timedelta(days=4)).replace(day=1)
    return start + timedelta(days=1)


def _day(fact: Fact, zone: tzinfo) -> date:
    return fact.at.astimezone(zone).date()


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time.min, tzinfo=zone)


Span = tuple[datetime, datetime | None]


def within(at: datetime, spans: Iterable[Span]) -> bool:
    """Whether facts of this instant count: from the start of a span until before its end."""
    return any(start <= at and (end is None or at < end) for start, end in spans)


def opened(spans: Sequence[Span], at: datetime) -> list[Span]:
    """The spans of a task that is started, or started again, at an instant."""
    return [*closed(spans, at), (at, None)]


def closed(spans: Sequence[Span], at: datetime) -> list[Span]:
    """The spans of a task that is paused or ended at an instant; a span that would be empty is left out."""
    ended = [(start, at if end is None or end > at else end) for start, end in spans]
    return [(start, end) for start, end in ended if end > start]


def clipped(spans: Iterable[Span], starts_at: datetime | None, ends_at: datetime | None) -> list[Span]:
    """The spans within the task's own dates."""
    found: list[Span] = []
    for start, end in spans:
        low = start if starts_at is None or start >= starts_at else starts_at
        high = end if ends_at is None or (end is not None and end <= ends_at) else ends_at
        if high is None or high > low:
            found.append((low, high))
    return found


def depths(unlocks: Iterable[tuple[int, int]]) -> dict[int, int]:
    """How far down a chain each task stands, from pairs (task, unlocked after): 0 for those that nothing unlocks.

    Raises `ValueError` when tasks unlock each other in a circle.
    """
    after: dict[int, set[int]] = {}
    for task, other in unlocks:
        after.setdefault(task, set()).add(other)
        after.setdefault(other, set())
    found: dict[int, int] = {}
    while len(found) < len(after):
        ready = [task for task, others in after.items() if task not in found and others <= found.keys()]
        if not ready:
            raise ValueError("a circle")
        for task in ready:
            found[task] = 1 + max((found[other] for other in after[task]), default=-1)
    return found
