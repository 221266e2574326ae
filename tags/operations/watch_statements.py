"""Watched conditions as one prepared statement: evaluated, compared with what is stored, and the differences stored.

A statement covers up to 62 watches and any members. Which watches are evaluated for which member is said by their
places beside each member, so that the text stays the same from batch to batch and PostgreSQL plans it once per
connection.

Conditions are compiled at both ends and in the middle of a quarter of an hour, and those that differ in values only are
written as one (`watch_shapes`). Every change of a calendar day and of the world's clocks falls on a quarter.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from members.operations import columns
from scrm.common import conditions, statements
from scrm.common.conditions import Leaf, Node, Sql
from scrm.common.conditions.compiler import context_of, value_of
from tags.operations import watch_shapes, watch_texts
from tags.operations.watch_bounds import Bound, bound_of
from tags.queries import watches as queries

# So many conditions are still prepared for running in little time, though most batches ask for few of them.
LARGEST_BLOCK = 62
_CELL = timedelta(minutes=15)


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


_PIECES = 3


def _compile(watched: Watched, as_of: datetime) -> _Pieces:
    leaf = watched.weight
    return _Pieces(
        conditions.compile_condition(watched.node, as_of=as_of, few=True),
        conditions.compile_flip(watched.node, as_of=as_of),
        None if leaf is None else value_of(leaf, leaf.field.source(context_of(leaf, as_of=as_of))),
    )


# The times of each member's new events, the first and the last.
Occurred = Mapping[int, tuple[datetime, datetime]]
# A flip that the next sweep is to find.
SOON = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class _Ready:
    """The two statements for a quarter of an hour."""

    cell: datetime
    exact: str
    bounded: str
    # Each parameter that moves with the clock, as its distance from the present.
    moving: Mapping[str, timedelta]
    # The place of each watch, by id.
    places: Mapping[int, str]


class Block:
    """Up to 62 watches in one statement. Raises `DomainError` at the first use when a condition cannot be compiled."""

    def __init__(self, watches: Sequence[Watched]) -> None:
        assert len(watches) <= LARGEST_BLOCK  # noqa: S101  # the callers cut
        self.watches = tuple(watches)
        self._ids = frozenset(watched.id for watched in self.watches)
        # Replaced as one, for other threads.
        self._ready: _Ready | None = None

    def covers(self, watch_id: int) -> bool:
        return watch_id in self._ids

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
        ready = self._statement(now)
        values: dict[str, Any] = {name: now + offset for name, offset in ready.moving.items()}
        places: dict[int, list[str]] = {}
        for watch_id, member_ids in members_of.items():
            place = ready.places[watch_id]
            for member_id in member_ids:
                places.setdefault(member_id, []).append(place)
        members = sorted(places)
        values["members"] = columns.integers(members)
        values["places"] = columns.texts(" ".join(places[member_id]) for member_id in members)
        values["now"], values["soon"] = now, now + SOON
        text = ready.exact
        if occurred is not None:
            text = ready.bounded
            values["since"] = columns.instants(occurred[member_id][0] for member_id in members)
            values["until"] = columns.instants(occurred[member_id][1] for member_id in members)
        if prepared:
            text, values = statements.prepared(text, values)
        return list(itertools.starmap(Transition, statements.run_safely(text, values)))

    def _statement(self, now: datetime) -> _Ready:
        cell = now.astimezone(UTC).replace(minute=now.minute // 15 * 15, second=0, microsecond=0)
        ready = self._ready
        if ready is None or ready.cell != cell:
            try:
                ready = self._write(cell, [cell, cell + _CELL / 2, cell + _CELL - timedelta(microseconds=1)])
            except watch_shapes.Irregular:
                return self._write(cell, [now])
            self._ready = ready
        return ready

    def _write(self, cell: datetime, instants: Sequence[datetime]) -> _Ready:
        """The statements, as they are at all of the instants. Raises `Irregular`."""
        at_each = [self._pieces(instant) for instant in instants]
        texts = [watch_shapes.over(same, instants) for same in zip(*at_each, strict=True)]
        spelled = [
            watch_shapes.Spelled(watched, tuple(texts[_PIECES * index : _PIECES * (index + 1)]))
            for index, watched in enumerate(self.watches)
        ]
        writer = watch_shapes.Writer()
        parts: list[watch_texts.Placed] = []
        ids: list[int] = []
        for group in watch_shapes.alike(spelled, lambda watched: watched.bound):
            which = f"w.place - {len(ids) - 1}"
            pieces = [writer.write(same, which) for same in zip(*(one.texts for one in group), strict=True)]
            parts.append((len(ids), watch_texts.part(group[0].watched.bound, *pieces)))
            ids += [one.watched.id for one in group]
        return _Ready(
            cell=cell,
            exact=_by_type(watch_texts.settle(ids, parts, bounded=False)),
            bounded=_by_type(watch_texts.settle(ids, parts, bounded=True)),
            moving=writer.moving,
            places={watch_id: str(place) for place, watch_id in enumerate(ids)},
        )

    def _pieces(self, as_of: datetime) -> list[Sql | None]:
        return watch_shapes.with_known_types(
            [piece for watched in self.watches for piece in _compile(watched, as_of).each()]
        )


# The later end of a window, when it moves with the clock.
_UNTIL = re.compile(r"e\.occurred_at <= (%\(moving\d+\)s::timestamptz)")


def _by_type(text: str) -> str:
    """The text with the later ends of windows compared beside the index, where there is next to nothing behind them.

    Between two instants that it does not know PostgreSQL expects hardly a row, takes the index by member for as good
    as the one by member and type, and so reads all that the member ever did.
    """
    return _UNTIL.sub(r"(e.occurred_at <= \1) IS TRUE", text)


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
