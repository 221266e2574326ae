"""Watched conditions as one prepared statement: evaluated, compared with what is stored, and the differences stored.

A statement covers up to 62 watches and any members. Which watch is evaluated for which member is said by a bit mask
beside each member, so that the text stays the same from batch to batch and PostgreSQL plans it once per connection.

What moves with the clock in it ("in the last 7 days") is found by compiling each condition at both ends and in the
middle of a quarter of an hour: a value that is the same at all three is written into the text, one that moves as the
clock does becomes a parameter. (Every change of a calendar day and of the world's clocks falls on a quarter.)
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from django.db import connection
from psycopg import sql

from members.operations import columns
from scrm.common import conditions
from scrm.common.conditions import Leaf, Node, Sql
from scrm.common.conditions.compiler import context_of, value_of
from tags.queries import watches as queries

# Bits of a bigint that stay positive, with one to spare.
LARGEST_BLOCK = 62
_CELL = timedelta(minutes=15)
_PLACE = re.compile(r"%%|%s")


@dataclass(frozen=True, slots=True)
class Watched:
    """A watch that was read: what it asks, what it hangs on, and the leaf whose weight its tag shows."""

    id: int
    version: int
    node: Node
    topics: frozenset[str]
    # The tags its answer hangs on; None: any.
    tags: frozenset[int] | None
    weight: Leaf | None = None


@dataclass(frozen=True, slots=True)
class Transition:
    """A member began (`holds`) or ceased to fulfil a watched condition; or goes on, with a new `weight` (`goes_on`)."""

    watch_id: int
    member_id: int
    holds: bool
    goes_on: bool
    weight: float | None


def read(watch_id: int, version: int, condition: Any, *, interest: bool) -> Watched:
    """Check a stored condition. Raises `DomainError` when it names what no longer exists."""
    node = conditions.parse(condition)
    weight = None
    if interest:
        weight = next((leaf for leaf in conditions.leaves(node) if leaf.field.key == "event.weight"), None)
    return Watched(watch_id, version, node, conditions.dependencies(node), queries.tags_named(node), weight)


@dataclass(frozen=True, slots=True)
class _Pieces:
    """One watch at one instant."""

    test: Sql
    flip: Sql | None
    weight: Sql | None

    def each(self) -> list[Sql | None]:
        return [self.test, self.flip, self.weight]


def _compile(watched: Watched, as_of: datetime) -> _Pieces:
    leaf = watched.weight
    return _Pieces(
        conditions.compile_condition(watched.node, as_of=as_of),
        conditions.compile_flip(watched.node, as_of=as_of),
        None if leaf is None else value_of(leaf, leaf.field.source(context_of(leaf, as_of=as_of))),
    )


class Irregular(Exception):
    """Something in a condition neither stays nor moves as the clock does within a quarter of an hour."""


class Block:
    """Up to 62 watches in one statement. Raises `DomainError` at the first use when a condition cannot be compiled."""

    def __init__(self, watches: Sequence[Watched]) -> None:
        assert len(watches) <= LARGEST_BLOCK  # noqa: S101  # the callers cut
        self.watches = tuple(watches)
        self._bit = {watched.id: 1 << index for index, watched in enumerate(self.watches)}
        # The quarter of an hour, the text and the parameters' distances: replaced as one, for other threads.
        self._ready: tuple[datetime, str, dict[str, timedelta]] | None = None

    def covers(self, watch_id: int) -> bool:
        return watch_id in self._bit

    def settle(self, members_of: Mapping[int, Collection[int]], *, now: datetime) -> list[Transition]:
        """Bring the stored answers of the watches up to date for the members given for each, by watch id.

        Inside a transaction that holds the members (`summaries.hold`).
        """
        masks: dict[int, int] = {}
        for watch_id, member_ids in members_of.items():
            bit = self._bit[watch_id]
            for member_id in member_ids:
                masks[member_id] = masks.get(member_id, 0) | bit
        members = sorted(masks)
        text, values = self._statement(now)
        values["members"] = columns.integers(members)
        values["masks"] = columns.integers(masks[member_id] for member_id in members)
        values["now"] = now
        with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
            cursor.execute(text, values, prepare=True)
            return list(itertools.starmap(Transition, cursor.fetchall()))

    def _statement(self, now: datetime) -> tuple[str, dict[str, Any]]:
        cell = now.astimezone(UTC).replace(minute=now.minute // 15 * 15, second=0, microsecond=0)
        ready = self._ready
        if ready is None or ready[0] != cell:
            try:
                ready = (cell, *self._template(cell))
            except Irregular:
                literals = _Literals([now])
                return self._write([literals.put([piece]) for piece in self._pieces(now)]), {}
            self._ready = ready
        _, text, moving = ready
        return text, {name: now + offset for name, offset in moving.items()}

    def _template(self, cell: datetime) -> tuple[str, dict[str, timedelta]]:
        instants = [cell, cell + _CELL / 2, cell + _CELL - timedelta(microseconds=1)]
        literals = _Literals(instants)
        columns_ = zip(*(self._pieces(instant) for instant in instants), strict=True)
        return self._write([literals.put(list(same)) for same in columns_]), literals.moving

    def _pieces(self, as_of: datetime) -> list[Sql | None]:
        return [piece for watched in self.watches for piece in _compile(watched, as_of).each()]

    def _write(self, pieces: list[str | None]) -> str:
        """The statement, of three pieces per watch."""
        tests, flips, weights = [], [], []
        for index in range(len(self.watches)):
            test, flip, weight = pieces[3 * index : 3 * index + 3]
            asked = f"t.mask & {1 << index} <> 0"
            tests.append(f"CASE WHEN {asked} THEN m.status = 'active' AND ({test}) IS TRUE END")
            flips.append("NULL" if flip is None else f"CASE WHEN {asked} AND m.status = 'active' THEN {flip} END")
            weights.append("NULL" if weight is None else f"CASE WHEN {asked} THEN {weight} END")
        ids = ",".join(str(watched.id) for watched in self.watches)
        return _SETTLE.format(
            tests=",\n".join(tests), flips=",\n".join(flips), weights=",\n".join(weights), ids="{" + ids + "}"
        )


# What a settled statement stores, and answers: who began and ceased, and the weights of those who go on.
_SETTLE = """
WITH asked AS MATERIALIZED (
    SELECT m.id, ARRAY[{tests}]::boolean[] AS tests, ARRAY[{flips}]::timestamptz[] AS flips,
           ARRAY[{weights}]::float8[] AS weights
    FROM unnest(%(members)s::bigint[], %(masks)s::bigint[]) AS t (id, mask) JOIN members_member m ON m.id = t.id
), differing AS MATERIALIZED (
    SELECT w.watch_id, a.id AS member_id, w.holds, w.flip_at, w.weight, f.due_at, x.member_id IS NOT NULL AS held
    FROM asked a
    CROSS JOIN LATERAL unnest('{ids}'::bigint[], a.tests, a.flips, a.weights) AS w (watch_id, holds, flip_at, weight)
    LEFT JOIN tags_watchmember x ON x.watch_id = w.watch_id AND x.member_id = a.id
    LEFT JOIN tags_watchflip f ON f.watch_id = w.watch_id AND f.member_id = a.id
    WHERE w.holds IS NOT NULL AND (
        w.holds <> (x.member_id IS NOT NULL) OR w.flip_at IS DISTINCT FROM f.due_at
        OR (w.holds AND w.weight IS NOT NULL)
    )
), began AS (
    INSERT INTO tags_watchmember (watch_id, member_id, since, suppressed)
    SELECT watch_id, member_id, %(now)s, false FROM differing WHERE holds AND NOT held
), ceased AS (
    DELETE FROM tags_watchmember x USING differing d
    WHERE NOT d.holds AND d.held AND x.watch_id = d.watch_id AND x.member_id = d.member_id
), scheduled AS (
    INSERT INTO tags_watchflip (watch_id, member_id, due_at)
    SELECT watch_id, member_id, flip_at FROM differing WHERE flip_at IS NOT NULL AND flip_at IS DISTINCT FROM due_at
    ON CONFLICT (watch_id, member_id) DO UPDATE SET due_at = EXCLUDED.due_at
), cancelled AS (
    DELETE FROM tags_watchflip f USING differing d
    WHERE d.flip_at IS NULL AND d.due_at IS NOT NULL AND f.watch_id = d.watch_id AND f.member_id = d.member_id
)
SELECT watch_id, member_id, holds, holds AND held, weight FROM differing
WHERE holds <> held OR (holds AND weight IS NOT NULL) ORDER BY member_id, watch_id
"""


class _Literals:
    """Puts values into SQL text; those that move with the clock become named parameters."""

    def __init__(self, instants: Sequence[datetime]) -> None:
        self._instants = instants
        self._names: dict[timedelta, str] = {}

    @property
    def moving(self) -> dict[str, timedelta]:
        """Each parameter as its distance from the present."""
        return {name: offset for offset, name in self._names.items()}

    def put(self, same: Sequence[Sql | None]) -> str | None:
        """The text of one piece, given as it is at each of the instants. Raises `Irregular`."""
        first = same[0]
        if first is None:
            if any(one is not None for one in same):
                raise Irregular
            return None
        if any(one is None or one.text != first.text or len(one.params) != len(first.params) for one in same):
            raise Irregular
        values = iter(zip(*(one.params for one in same if one is not None), strict=True))
        return _PLACE.sub(lambda place: "%%" if place[0] == "%%" else self._put(next(values)), first.text)

    def _put(self, values: Sequence[Any]) -> str:
        first = values[0]
        if all(type(value) is type(first) and value == first for value in values):
            return literal(first)
        if not all(isinstance(value, datetime) for value in values):
            raise Irregular
        offsets = {value - instant for value, instant in zip(values, self._instants, strict=True)}
        if len(offsets) != 1:
            raise Irregular
        name = self._names.setdefault(offsets.pop(), f"moving{len(self._names)}")
        return f"%({name})s::timestamptz"


def literal(value: Any) -> str:
    """A value as SQL text, in which a % stands doubled."""
    connection.ensure_connection()
    return sql.Literal(value).as_string(connection.connection).replace("%", "%%")


# The members of a range whose stored answer or flip is not what it is now.
_DIFFERING = """
WITH present AS MATERIALIZED (
    SELECT m.id FROM members_member m WHERE m.id > %s AND m.id <= %s AND m.status = 'active' AND ({test})
), flips AS MATERIALIZED (
    SELECT s.id, s.flip_at FROM (
        SELECT m.id, {flip} AS flip_at FROM members_member m WHERE m.id > %s AND m.id <= %s AND m.status = 'active'
        OFFSET 0
    ) s WHERE s.flip_at IS NOT NULL
), stored AS MATERIALIZED (
    SELECT member_id FROM tags_watchmember WHERE watch_id = %s AND member_id > %s AND member_id <= %s
), due AS MATERIALIZED (
    SELECT member_id, due_at FROM tags_watchflip WHERE watch_id = %s AND member_id > %s AND member_id <= %s
)
SELECT COALESCE(p.id, s.member_id) FROM present p FULL JOIN stored s ON s.member_id = p.id
WHERE p.id IS NULL OR s.member_id IS NULL
UNION
SELECT COALESCE(f.id, d.member_id) FROM flips f FULL JOIN due d ON d.member_id = f.id
WHERE f.flip_at IS DISTINCT FROM d.due_at
ORDER BY 1
"""


def differing(watched: Watched, *, low: int, high: int, now: datetime) -> list[int]:
    """The members in (low, high] whose stored answer of a watch is not right now. A read that locks nothing."""
    pieces = _compile(watched, now)
    flip = pieces.flip or Sql("NULL::timestamptz")
    with connection.cursor() as cursor:
        cursor.execute(
            _DIFFERING.format(test=pieces.test.text, flip=flip.text),
            [
                low, high, *pieces.test.params,
                *flip.params, low, high,
                watched.id, low, high, watched.id, low, high,
            ],
        )  # fmt: skip
        return [row[0] for row in cursor.fetchall()]


def blocks(watches: Collection[Watched]) -> list[Block]:
    """The watches in as few statements as needed, those that hang on the same together."""
    ordered = sorted(watches, key=lambda watched: (sorted(watched.topics), watched.id))
    if len(ordered) <= LARGEST_BLOCK:
        ordered.sort(key=lambda watched: watched.id)
    return [Block(ordered[start : start + LARGEST_BLOCK]) for start in range(0, len(ordered), LARGEST_BLOCK)]
