"""Watched conditions as one prepared statement: evaluated, compared with what is stored, and the differences stored.

A statement covers up to 62 watches and any members. Which watches are evaluated for which member is said by their
places beside each member, so that the text stays the same from batch to batch and PostgreSQL plans it once per
connection.

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

from django.db import connection
from psycopg import sql

from members.operations import columns
from scrm.common import conditions, statements
from scrm.common.conditions import Leaf, Node, Sql
from scrm.common.conditions.compiler import context_of, value_of
from tags.operations import watch_texts
from tags.operations.watch_bounds import Bound, bound_of
from tags.queries import watches as queries

# So many conditions are still prepared for running in little time, though most batches ask for few of them.
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
    bound: Bound
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
    return Watched(
        watch_id, version, node, conditions.dependencies(node), queries.tags_named(node), bound_of(node), weight
    )


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


# The times of each member's new events, the first and the last.
Occurred = Mapping[int, tuple[datetime, datetime]]
# A flip that the next sweep is to find.
SOON = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class _Texts:
    exact: str
    bounded: str


class Irregular(Exception):
    """Something in a condition neither stays nor moves as the clock does within a quarter of an hour."""


class Block:
    """Up to 62 watches in one statement. Raises `DomainError` at the first use when a condition cannot be compiled."""

    def __init__(self, watches: Sequence[Watched]) -> None:
        assert len(watches) <= LARGEST_BLOCK  # noqa: S101  # the callers cut
        self.watches = tuple(watches)
        self._place = {watched.id: str(place) for place, watched in enumerate(self.watches)}
        # The quarter of an hour, the texts and the parameters' distances: replaced as one, for other threads.
        self._ready: tuple[datetime, _Texts, dict[str, timedelta]] | None = None

    def covers(self, watch_id: int) -> bool:
        return watch_id in self._place

    def settle(
        self,
        members_of: Mapping[int, Collection[int]],
        *,
        occurred: Occurred | None = None,
        now: datetime,
        prepared: bool = True,
    ) -> list[Transition]:
        """Bring the stored answers of the watches up to date for the members given for each, by watch id.

        `occurred`: nothing but new events is the reason, and these are their times; the next flip is then bounded
        (`watch_bounds`) instead of computed. Inside a transaction that holds the members (`summaries.hold`). When it
        raises, the transaction is as it was before. `prepared=False` is for statements that are run once.
        """
        places: dict[int, list[str]] = {}
        for watch_id, member_ids in members_of.items():
            place = self._place[watch_id]
            for member_id in member_ids:
                places.setdefault(member_id, []).append(place)
        members = sorted(places)
        texts, values = self._statement(now)
        values["members"] = columns.integers(members)
        values["places"] = columns.texts(" ".join(places[member_id]) for member_id in members)
        values["now"], values["soon"] = now, now + SOON
        text = texts.exact
        if occurred is not None:
            text = texts.bounded
            values["since"] = columns.instants(occurred[member_id][0] for member_id in members)
            values["until"] = columns.instants(occurred[member_id][1] for member_id in members)
        if prepared:
            text, values = statements.prepared(text, values)
        return list(itertools.starmap(Transition, statements.run_safely(text, values)))

    def _statement(self, now: datetime) -> tuple[_Texts, dict[str, Any]]:
        cell = now.astimezone(UTC).replace(minute=now.minute // 15 * 15, second=0, microsecond=0)
        ready = self._ready
        if ready is None or ready[0] != cell:
            try:
                ready = (cell, *self._template(cell))
            except Irregular:
                literals = _Literals([now])
                return self._write([literals.put([piece]) for piece in self._pieces(now)]), {}
            self._ready = ready
        _, texts, moving = ready
        return texts, {name: now + offset for name, offset in moving.items()}

    def _template(self, cell: datetime) -> tuple[_Texts, dict[str, timedelta]]:
        instants = [cell, cell + _CELL / 2, cell + _CELL - timedelta(microseconds=1)]
        literals = _Literals(instants)
        same = zip(*(self._pieces(instant) for instant in instants), strict=True)
        return self._write([literals.put(list(one)) for one in same]), literals.moving

    def _pieces(self, as_of: datetime) -> list[Sql | None]:
        return [piece for watched in self.watches for piece in _compile(watched, as_of).each()]

    def _write(self, pieces: list[str | None]) -> _Texts:
        """The statements, of three pieces per watch."""
        parts = [
            watch_texts.part(watched.bound, *pieces[3 * index : 3 * index + 3])
            for index, watched in enumerate(self.watches)
        ]
        ids = [watched.id for watched in self.watches]
        return _Texts(
            exact=_by_type(_known_types(watch_texts.settle(ids, parts, bounded=False))),
            bounded=_by_type(_known_types(watch_texts.settle(ids, parts, bounded=True))),
        )


# How the fields over events look their types up.
_TYPES = re.compile(r"ARRAY\(SELECT id FROM members_eventtype WHERE key = ANY\('\{([\w.:,-]+)\}'(?:::text\[\])?\)\)")


def _known_types(text: str) -> str:
    """The text with the ids of event types in the place of the look-ups, which would be made in every batch.

    Types keep their ids and are never removed; a look-up stays where one of its types is not there yet.
    """
    asked = {key for keys in _TYPES.findall(text) for key in keys.split(",")}
    if not asked:
        return text
    with connection.cursor() as cursor:
        cursor.execute("SELECT key, id FROM members_eventtype WHERE key = ANY(%s)", [sorted(asked)])
        ids = dict(cursor.fetchall())

    def put(place: re.Match[str]) -> str:
        keys = place[1].split(",")
        if not ids.keys() >= set(keys):
            return place[0]
        return f"'{{{','.join(str(ids[key]) for key in keys)}}}'::bigint[]"

    return _TYPES.sub(put, text)


# The later end of a window, when it moves with the clock.
_UNTIL = re.compile(r"e\.occurred_at <= (%\(moving\d+\)s::timestamptz)")


def _by_type(text: str) -> str:
    """The text with the later ends of windows compared beside the index, where there is next to nothing behind them.

    Between two instants that it does not know PostgreSQL expects hardly a row, takes the index by member for as good
    as the one by member and type, and so reads all that the member ever did.
    """
    return _UNTIL.sub(r"(e.occurred_at <= \1) IS TRUE", text)


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


def differing(watched: Watched, *, low: int, high: int, now: datetime) -> list[int]:
    """The members in (low, high] whose stored answer of a watch is not right now. A read that locks nothing."""
    pieces = _compile(watched, now)
    flip = pieces.flip or Sql("NULL::timestamptz")
    with connection.cursor() as cursor:
        cursor.execute(
            watch_texts.DIFFERING.format(test=pieces.test.text, flip=flip.text),
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
