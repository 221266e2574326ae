"""What is stored of members' tasks, and writing what differs from it: a statement for each table."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.db import connection

from members.operations import columns
from members.rules.tasks import Cycle, Fact

if TYPE_CHECKING:
    from members.operations.tasks_known import KnownTask

Pair = tuple[int, int]  # task, member
_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Done:
    """A cycle that was completed, for the `round`th time."""

    task_id: int
    member_id: int
    cycle: str
    round: int
    completed_at: datetime


@dataclass(frozen=True, slots=True)
class Undone:
    """A completion whose facts no longer suffice. `rewarded`: there is something to take back."""

    task_id: int
    member_id: int
    cycle: str
    round: int
    rewarded: bool


@dataclass(slots=True)
class Completion:
    """A stored completion. `live`: it was not undone."""

    round: int
    completed_at: datetime
    live: bool
    rewarded: bool


@dataclass(slots=True)
class Stored:
    """What is stored of one member's task: by cycle."""

    progress: dict[str, tuple[int, bool, datetime, datetime | None]] = field(default_factory=dict)
    counted: dict[tuple[str, str], Fact] = field(default_factory=dict)  # by cycle and fact
    completions: dict[str, Completion] = field(default_factory=dict)

    def is_open(self, cycle: str) -> bool:
        """Whether the cycle has no completion that stands."""
        found = self.completions.get(cycle)
        return found is None or not found.live

    def round(self, cycle: str) -> int:
        found = self.completions.get(cycle)
        return 0 if found is None else found.round

    def facts(self) -> list[Fact]:
        return list(self.counted.values())


def unlocked(asked: Mapping[int, tuple[Sequence[int], Collection[int]]]) -> dict[Pair, datetime]:
    """When tasks were unlocked for members, by (task, member); those that are locked are missing.

    `asked`: for each task those that unlock it, and the members. A task unlocks others when it is done the first time.
    """
    if not asked:
        return {}
    needed = sorted({other for after, _ in asked.values() for other in after})
    members = sorted({member for _, concerned in asked.values() for member in concerned})
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT task_id, member_id, min(completed_at) FROM members_taskcompletion
            WHERE member_id = ANY(%s::bigint[]) AND task_id = ANY(%s::bigint[]) AND undone_at IS NULL
            GROUP BY task_id, member_id
            """,
            [columns.integers(members), columns.integers(needed)],
        )
        first = {(task_id, member_id): at for task_id, member_id, at in cursor.fetchall()}
    found = {}
    for task_id, (after, concerned) in asked.items():
        for member in concerned:
            times = [first.get((other, member)) for other in after]
            known = [at for at in times if at is not None]
            if len(known) == len(times):
                found[task_id, member] = max(known)
    return found


def load(pairs: Sequence[Pair], from_cycle: Mapping[Pair, str]) -> dict[Pair, Stored]:
    """What is stored of each pair, from the cycle given on. Three statements."""
    asked = [
        columns.integers(task_id for task_id, _ in pairs),
        columns.integers(member_id for _, member_id in pairs),
        columns.texts(from_cycle.get(pair) for pair in pairs),
    ]
    found: dict[Pair, Stored] = {}
    with connection.cursor() as cursor:
        for task_id, member_id, cycle, value, done, started_at, ends_at in _select(
            cursor, "members_taskprogress", "value, x.done, x.started_at, x.ends_at", asked
        ):
            stored = found.setdefault((task_id, member_id), Stored())
            stored.progress[cycle] = (value, done, started_at, ends_at)
        for task_id, member_id, cycle, fact, at, amount in _select(
            cursor, "members_taskfact", "fact, x.at, x.amount", asked
        ):
            found.setdefault((task_id, member_id), Stored()).counted[cycle, fact] = Fact(at, fact, amount)
        for task_id, member_id, cycle, round_, completed_at, live, rewarded in _select(
            cursor,
            "members_taskcompletion",
            "round, x.completed_at, x.undone_at IS NULL, x.rewarded_at IS NOT NULL",
            asked,
        ):
            stored = found.setdefault((task_id, member_id), Stored())
            stored.completions[cycle] = Completion(round_, completed_at, live, rewarded)
    return found


def _select(cursor: Any, table: str, wanted: str, asked: list[str]) -> list[tuple[Any, ...]]:
    cursor.execute(
        f"""
        SELECT x.task_id, x.member_id, x.cycle, x.{wanted}
        FROM unnest(%s::bigint[], %s::bigint[], {columns.TEXTS}) AS v (task_id, member_id, cycle)
        JOIN {table} x ON x.member_id = v.member_id AND x.task_id = v.task_id
            AND (v.cycle IS NULL OR x.cycle >= v.cycle)
        """,
        asked,
    )
    rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


class Writing:
    """Rows to write and to remove, gathered over many members and tasks."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self._expected: dict[Pair, list[Cycle]] = {}
        self._facts: list[tuple[int, int, str, Fact]] = []
        self._lost: list[tuple[int, int, str, str]] = []
        self._progress: list[tuple[int, int, Cycle]] = []
        self._gone: list[tuple[int, int, str]] = []
        self._done: list[tuple[Done, int]] = []
        self._moved: list[tuple[int, int, str, datetime]] = []
        self._undone: list[Undone] = []
        # Whose begun tasks are others now, or were done at another time than was thought.
        self.turned: set[int] = set()

    def expect(self, task_id: int, member_id: int, cycles: list[Cycle]) -> None:
        """What the facts say."""
        self._expected[task_id, member_id] = cycles

    def compare(self, task_id: int, member_id: int, stored: Stored, undone: list[Undone]) -> bool:
        """Note what differs from what is stored; whether a completion was moved or undone."""
        cycles = self._expected[task_id, member_id]
        counted = {(cycle.key, fact.key): fact for cycle in cycles for fact in cycle.facts}
        self._facts += [
            (task_id, member_id, cycle, fact)
            for (cycle, key), fact in counted.items()
            if stored.counted.get((cycle, key)) != fact
        ]
        self._lost += [(task_id, member_id, *key) for key in stored.counted if key not in counted]
        for cycle in cycles:
            if stored.progress.get(cycle.key) != _progress(cycle):
                self._progress.append((task_id, member_id, cycle))
        known = {cycle.key: cycle for cycle in cycles}
        self._gone += [(task_id, member_id, key) for key in stored.progress if key not in known]
        was = self._begun((key, done, ends_at) for key, (_, done, _, ends_at) in stored.progress.items())
        now = self._begun((cycle.key, cycle.done, cycle.ends_at) for cycle in cycles)
        # What lapses later than was thought is looked at when that is over.
        if was.keys() != now.keys() or any(ends_at < was[key] for key, ends_at in now.items()):
            self.turned.add(member_id)
        changed = False
        for key, completion in stored.completions.items():
            if not completion.live:
                continue
            found = known.get(key)
            if found is None or found.completed_at is None:
                one = Undone(task_id, member_id, key, completion.round, completion.rewarded)
                self._undone.append(one)
                undone.append(one)
                changed = True
            elif found.completed_at != completion.completed_at:
                self._moved.append((task_id, member_id, key, found.completed_at))
                self.turned.add(member_id)
                changed = True
        return changed

    def _begun(self, cycles: Iterable[tuple[str, bool, datetime | None]]) -> dict[str, datetime]:
        """Until when what was begun counts, of (cycle, done, ends at)."""
        return {key: ends_at or _NEVER for key, done, ends_at in cycles if not done and (ends_at or _NEVER) > self.now}

    def complete(self, task: KnownTask, member_id: int, cycle: Cycle, round_: int) -> Done:
        """Note that a cycle was completed."""
        assert cycle.completed_at is not None  # noqa: S101  # only such are completed
        done = Done(task.id, member_id, cycle.key, round_, cycle.completed_at)
        self._done.append((done, task.version))
        return done

    def flush(self) -> None:
        """Write everything, in the order of the members."""
        with connection.cursor() as cursor:
            self._flush_facts(cursor)
            self._flush_progress(cursor)
            self._flush_completions(cursor)

    def _flush_facts(self, cursor: Any) -> None:
        if self._lost:
            cursor.execute(
                f"""
                DELETE FROM members_taskfact x
                USING unnest(%s::bigint[], %s::bigint[], {columns.TEXTS}, {columns.TEXTS})
                    AS v (task_id, member_id, cycle, fact)
                WHERE x.member_id = v.member_id AND x.task_id = v.task_id AND x.cycle = v.cycle AND x.fact = v.fact
                """,
                _columns(self._lost, "iitt"),
            )
        if self._facts:
            rows = [(task, member, cycle, one.key, one.at, one.amount) for task, member, cycle, one in self._facts]
            cursor.execute(
                f"""
                INSERT INTO members_taskfact (task_id, member_id, cycle, fact, at, amount)
                SELECT * FROM unnest(%s::bigint[], %s::bigint[], {columns.TEXTS}, {columns.TEXTS}, %s::timestamptz[],
                                     %s::bigint[])
                ORDER BY 2, 1, 3, 4
                ON CONFLICT (member_id, task_id, cycle, fact) DO UPDATE SET at = EXCLUDED.at, amount = EXCLUDED.amount
                """,
                _columns(rows, "iittdi"),
            )

    def _flush_progress(self, cursor: Any) -> None:
        if self._gone:
            cursor.execute(
                f"""
                DELETE FROM members_taskprogress x
                USING unnest(%s::bigint[], %s::bigint[], {columns.TEXTS}) AS v (task_id, member_id, cycle)
                WHERE x.member_id = v.member_id AND x.task_id = v.task_id AND x.cycle = v.cycle
                """,
                _columns(self._gone, "iit"),
            )
        if self._progress:
            rows = []
            for task, member, cycle in self._progress:
                value, done, started_at, ends_at = _progress(cycle)
                rows.append((task, member, cycle.key, value, int(done), started_at, ends_at))
            cursor.execute(
                f"""
                INSERT INTO members_taskprogress (task_id, member_id, cycle, value, done, started_at, ends_at)
                SELECT a, b, c, d, e = 1, f, g
                FROM unnest(%s::bigint[], %s::bigint[], {columns.TEXTS}, %s::bigint[], %s::int[], %s::timestamptz[],
                            %s::timestamptz[]) AS v (a, b, c, d, e, f, g)
                ORDER BY 2, 1, 3
                ON CONFLICT (member_id, task_id, cycle) DO UPDATE
                SET value = EXCLUDED.value, done = EXCLUDED.done, started_at = EXCLUDED.started_at,
                    ends_at = EXCLUDED.ends_at
                """,
                _columns(rows, "iitiidd"),
            )

    def _flush_completions(self, cursor: Any) -> None:
        if self._undone:
            rows = [(one.task_id, one.member_id, one.cycle) for one in self._undone]
            cursor.execute(
                f"""
                UPDATE members_taskcompletion x SET undone_at = %s
                FROM unnest(%s::bigint[], %s::bigint[], {columns.TEXTS}) AS v (task_id, member_id, cycle)
                WHERE x.member_id = v.member_id AND x.task_id = v.task_id AND x.cycle = v.cycle
                """,
                [self.now, *_columns(rows, "iit")],
            )
        if self._moved:
            cursor.execute(
                f"""
                UPDATE members_taskcompletion x SET completed_at = v.at
                FROM unnest(%s::bigint[], %s::bigint[], {columns.TEXTS}, %s::timestamptz[])
                    AS v (task_id, member_id, cycle, at)
                WHERE x.member_id = v.member_id AND x.task_id = v.task_id AND x.cycle = v.cycle
                """,
                _columns(self._moved, "iitd"),
            )
        if self._done:
            done = [
                (one.task_id, one.member_id, one.cycle, one.round, version, one.completed_at)
                for one, version in self._done
            ]
            cursor.execute(
                f"""
                INSERT INTO members_taskcompletion
                    (task_id, member_id, cycle, round, version, completed_at, noted_at, out_of_stock)
                SELECT v.*, %s, FALSE
                FROM unnest(%s::bigint[], %s::bigint[], {columns.TEXTS}, %s::int[], %s::int[], %s::timestamptz[])
                    AS v (a, b, c, d, e, f)
                ORDER BY 2, 1, 3
                ON CONFLICT (member_id, task_id, cycle) DO UPDATE
                SET round = EXCLUDED.round, version = EXCLUDED.version, completed_at = EXCLUDED.completed_at,
                    noted_at = EXCLUDED.noted_at, rewarded_at = NULL, claimed_at = NULL, out_of_stock = FALSE,
                    undone_at = NULL
                """,
                [self.now, *_columns(done, "iitiid")],
            )


def _progress(cycle: Cycle) -> tuple[int, bool, datetime, datetime | None]:
    return max(cycle.value, 0), cycle.done, cycle.facts[0].at, None if cycle.done else cycle.ends_at


_WRITERS: dict[str, Callable[[Any], str]] = {"i": columns.integers, "t": columns.texts, "d": columns.instants}


def _columns(rows: Sequence[Sequence[Any]], kinds: str) -> list[str]:
    """Rows as one text for each column: (i)ntegers, (t)exts, (d)ates with time."""
    return [_WRITERS[kind](values) for kind, values in zip(kinds, zip(*rows, strict=True), strict=True)]
