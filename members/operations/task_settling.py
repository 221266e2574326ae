"""Bringing members' tasks up to date with their facts: read, counted anew, and written where that differs.

What is stored is what the facts say, whatever came first: a task that some facts complete is completed when the last
of them occurred, and one whose facts were taken away is undone. Chains are settled link by link.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta, tzinfo

from django.db import connection

from members.enums import TaskKind
from members.operations import task_effects, task_rows
from members.operations.task_rows import Stored
from members.operations.tasks_known import Known, KnownTask, cycle_of
from members.queries import task_facts
from members.rules import tasks as rules
from members.rules.tasks import Cycle, Fact
from scrm.common import clock, conditions
from scrm.common.gates import Signatures

_LONG_AGO = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_MOMENT = timedelta(microseconds=1)
Pair = tuple[int, int]  # task, member


@dataclass(slots=True)
class Moves:
    """What settling changed: who has done which cycle of which task, who no longer has, and whose tasks were begun."""

    done: list[task_rows.Done] = field(default_factory=list)
    undone: list[task_rows.Undone] = field(default_factory=list)
    turned: set[int] = field(default_factory=set)  # as in `Writing`


def settle(
    asked: Mapping[int, Collection[int]],
    *,
    known: Known,
    now: datetime,
    earliest: Mapping[int, datetime] | None = None,
    signatures: Signatures | None = None,
) -> Moves:
    """Settle tasks (by id) for members who are held. `earliest`: from when on each member's facts are new, if all are
    events: cycles of days, weeks and months before that stay as they are. `signatures`: the gates were passed already.

    A handful of statements for each link of a chain that is concerned, whatever the number of members and tasks.
    """
    waiting: dict[int, set[int]] = {task_id: set(members) for task_id, members in asked.items() if members}
    moves = Moves()
    while waiting:
        depth = min(known.tasks[task_id].depth for task_id in waiting)
        level = {known.tasks[one]: waiting.pop(one) for one in list(waiting) if known.tasks[one].depth == depth}
        for task_id, members in _Level(level, now, earliest or {}).settle(moves).items():
            for following in known.next.get(task_id, ()):
                waiting.setdefault(following, set()).update(members)
    task_effects.follow(moves.done, moves.undone, moves.turned, known=known, now=now, signatures=signatures)
    return moves


class _Level:
    """The tasks of one depth, for the members concerned."""

    def __init__(self, asked: Mapping[KnownTask, set[int]], now: datetime, earliest: Mapping[int, datetime]) -> None:
        self.now = now
        self.zone: tzinfo = clock.shop_zone()
        self.unlocked = task_rows.unlocked(
            {task.id: (task.after, members) for task, members in asked.items() if task.after}
        )
        self.asked = asked
        self.since: dict[Pair, datetime] = {}
        self.from_cycle: dict[Pair, str] = {}
        for task, members in asked.items():
            for member in members:
                self._bound(task, member, earliest.get(member))
        self.stored = task_rows.load(
            [(task.id, member) for task, members in asked.items() for member in members], self.from_cycle
        )

    def _bound(self, task: KnownTask, member: int, new_from: datetime | None) -> None:
        """From when on the member's facts are read."""
        pair = task.id, member
        since = self.now if task.counted.kind == TaskKind.PROFILE else _LONG_AGO
        if task.after and not task.counts_earlier and task.counted.kind != TaskKind.PROFILE:
            unlocked = self.unlocked.get(pair)
            since = self.now if unlocked is None else unlocked + _MOMENT
        elif new_from is not None and task.by_calendar and task.counted.kind == TaskKind.EVENT:
            self.from_cycle[pair] = cycle_of(task, new_from, self.zone)
            day = datetime.fromisoformat(self.from_cycle[pair]).date()
            since = datetime.combine(day, time.min, tzinfo=self.zone)
        self.since[pair] = since

    def settle(self, moves: Moves) -> dict[int, set[int]]:
        """Write what differs, note the moves, and answer whose completions changed, by task."""
        facts = task_facts.of_members(
            [
                (task.id, task.counted, {member: self.since[task.id, member] for member in members})
                for task, members in self.asked.items()
            ]
        )
        writing = task_rows.Writing(self.now)
        candidates: dict[KnownTask, list[tuple[int, Cycle]]] = {}
        changed: dict[int, set[int]] = {}
        for task, members in self.asked.items():
            for member in members:
                pair = task.id, member
                stored = self.stored.get(pair) or Stored()
                for cycle in self._cycles(task, member, facts.get(pair, []), stored, writing):
                    if cycle.done and stored.is_open(cycle.key):
                        candidates.setdefault(task, []).append((member, cycle))
                if writing.compare(task.id, member, stored, moves.undone):
                    changed.setdefault(task.id, set()).add(member)
        for task, wanting in self._fit(candidates).items():
            for member, cycle in wanting:
                round_ = (self.stored.get((task.id, member)) or Stored()).round(cycle.key) + 1
                moves.done.append(writing.complete(task, member, cycle, round_))
                changed.setdefault(task.id, set()).add(member)
        writing.flush()
        moves.turned |= writing.turned
        return changed

    def _cycles(
        self, task: KnownTask, member: int, facts: list[Fact], stored: Stored, writing: task_rows.Writing
    ) -> list[Cycle]:
        unlocked = self.unlocked.get((task.id, member)) if task.after else None
        locked = bool(task.after) and unlocked is None
        if task.counted.kind == TaskKind.PROFILE:
            # What was once filled in has counted.
            known = {fact.key: fact for fact in stored.facts()}
            facts = [*known.values(), *(one for one in facts if one.key not in known and self._counts(task, one.at))]
        found = [] if locked else rules.cycles(task.plan, facts, self.zone)
        for cycle in found:
            if unlocked is not None and cycle.completed_at is not None:
                cycle.completed_at = max(cycle.completed_at, unlocked)
        writing.expect(task.id, member, found)
        return found

    def _counts(self, task: KnownTask, at: datetime) -> bool:
        return rules.within(at, task.spans)

    def _fit(self, candidates: Mapping[KnownTask, list[tuple[int, Cycle]]]) -> dict[KnownTask, list[tuple[int, Cycle]]]:
        """Those for whom the tasks are. One statement for all conditions."""
        asking = [task for task in candidates if task.who is not None]
        members = sorted({member for wanting in candidates.values() for member, _ in wanting})
        if not members:
            return {}
        tests = [conditions.compile_condition(task.who, as_of=self.now) for task in asking if task.who is not None]
        holds = ", ".join(f"({test.text}) IS TRUE" for test in tests)
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT m.id, ARRAY[{holds}]::boolean[] FROM members_member m"
                " WHERE m.id = ANY(%s::bigint[]) AND m.status = 'active'",
                [*(value for test in tests for value in test.params), members],
            )
            answers = {
                row[0]: dict(zip((task.id for task in asking), row[1], strict=True)) for row in cursor.fetchall()
            }
        return {
            task: [
                (member, cycle)
                for member, cycle in wanting
                if not task.broken and member in answers and answers[member].get(task.id, True)
            ]
            for task, wanting in candidates.items()
        }
