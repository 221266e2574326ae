"""Whom a condition or a segment selects: the members, how many, whom of them a message reaches, how sets overlap.

Every answer is exact and equals that of the compiled SQL over the rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from typing import Any

from django.db import connection
from pyroaring import BitMap

from members.enums import Channel, Purpose
from members.queries import consents, scopes
from scrm.common import conditions
from scrm.common.access import Actor
from scrm.common.conditions import Leaf, Node, Sql, compose, join
from scrm.common.conditions.fields import find
from tags.models import Segment
from tags.queries import tagging

# The channels whose reach the console shows.
REACH_CHANNELS = (Channel.EMAIL, Channel.SMS, Channel.WECOM, Channel.SANDBOX)

Condition = Node | Segment


@dataclass(frozen=True, slots=True)
class Preview:
    """What a condition selects right now, within the actor's data scope."""

    total: int
    everyone: int
    reachable: dict[str, int]  # by channel: with an address and marketing consent
    sample_ids: list[int]
    as_of: datetime

    @property
    def share(self) -> float:
        """Per cent of everyone the actor sees."""
        return 100 * self.total / self.everyone if self.everyone else 0.0


@dataclass(frozen=True, slots=True)
class Overlaps:
    """How many members each of several audiences has, and each two of them have in common (symmetric)."""

    sizes: list[int]
    common: list[list[int]]


def node_of(condition: Condition) -> Node:
    """The condition itself, or the one leaf that says "in the segment"."""
    if not isinstance(condition, Segment):
        return condition
    field = find("segment")
    assert field is not None  # noqa: S101  # registered by this app
    return Leaf("", field, "any_of", [condition.pk])


def members_of(
    condition: Condition, *, as_of: datetime, actor: Actor | None = None, stack: tuple[Any, ...] = ()
) -> BitMap:
    """Ids of the active members selected; of those the actor may see, when one is given.

    `stack` names the segments being answered around it. Raises what compiling raises: `BrokenSegment`, `Invalid`
    (`cycle`, `too_deep`), `NotFound`.
    """
    where = _visible(condition, actor, as_of, stack)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT m.id FROM members_member m WHERE {where.text}", where.params)
        return BitMap(row[0] for row in cursor.fetchall())


def count(condition: Condition, *, as_of: datetime, actor: Actor | None = None, stack: tuple[Any, ...] = ()) -> int:
    """How many active members are selected; of those the actor may see, when one is given."""
    where = _visible(condition, actor, as_of, stack)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM members_member m WHERE {where.text}", where.params)
        return int(cursor.fetchone()[0])


def preview(condition: Condition, *, actor: Actor, as_of: datetime, stack: tuple[Any, ...] = ()) -> Preview:
    """Count, reach per channel and the five newest members of an audience, within what the actor sees."""
    where = _visible(condition, actor, as_of, stack)
    reach = [_sql(consents.reachable_sql(channel, Purpose.MARKETING)) for channel in REACH_CHANNELS]
    # One pass: the matching members once, everything asked about them.
    counts = ", ".join(f"count(*) FILTER (WHERE {test.text})" for test in reach)
    params = [value for test in reach for value in test.params]
    scope = _sql(scopes.member_sql(actor))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*), {counts}, (array_agg(m.id ORDER BY m.id DESC))[1:5]"
            f" FROM members_member m WHERE {where.text}",
            [*params, *where.params],
        )
        total, *reachable, sample = cursor.fetchone()
        cursor.execute(
            f"SELECT count(*) FROM members_member m WHERE m.status = 'active' AND {scope.text}",
            scope.params,
        )
        everyone = cursor.fetchone()[0]
    return Preview(
        total=total,
        everyone=everyone,
        reachable={channel.value: number for channel, number in zip(REACH_CHANNELS, reachable, strict=True)},
        sample_ids=list(sample or []),
        as_of=as_of,
    )


def page(condition: Condition, *, actor: Actor, as_of: datetime, after: int, size: int) -> list[int]:
    """Ids above `after`, in order: a keyset page of the members the actor may see."""
    where = _visible(condition, actor, as_of, ())
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT m.id FROM members_member m WHERE m.id > %s AND {where.text} ORDER BY m.id LIMIT %s",
            [after, *where.params, size],
        )
        return [row[0] for row in cursor.fetchall()]


def tag_counts(*, actor: Actor, now: datetime) -> dict[int, int]:
    """How many of the active members that the actor sees have each tag; tags that nobody has are left out."""
    return tagging.counts(actor=actor, now=now)


def overlaps(audiences: Sequence[Condition], *, actor: Actor, as_of: datetime) -> Overlaps:
    """Size of each audience and of each pair's intersection."""
    sets = [members_of(one, as_of=as_of, actor=actor) for one in audiences]
    common = [[first.intersection_cardinality(second) for second in sets] for first in sets]
    return Overlaps([len(one) for one in sets], common)


def venn(audiences: Sequence[Condition], *, actor: Actor, as_of: datetime) -> dict[tuple[bool, ...], int]:
    """How many members are in exactly these of two or three audiences.

    Keyed by membership in each: (True, False, True) is the first and the third without the second.
    """
    if not 2 <= len(audiences) <= 3:
        raise ValueError("a Venn diagram shows two or three sets")
    sets = [members_of(one, as_of=as_of, actor=actor) for one in audiences]
    regions: dict[tuple[bool, ...], int] = {}
    for inside in product((True, False), repeat=len(sets)):
        if any(inside):
            held = BitMap.intersection(*(one for one, is_in in zip(sets, inside, strict=True) if is_in))
            for one, is_in in zip(sets, inside, strict=True):
                held = held if is_in else held - one
            regions[inside] = len(held)
    return regions


def _visible(condition: Condition, actor: Actor | None, as_of: datetime, stack: tuple[Any, ...]) -> Sql:
    test = conditions.compile_condition(node_of(condition), as_of=as_of, stack=stack)
    scope = Sql("TRUE") if actor is None else _sql(scopes.member_sql(actor))
    return compose("m.status = 'active' AND {}", join(" AND ", [scope, test]))


def _sql(pair: tuple[str, Iterable[Any]]) -> Sql:
    return Sql(pair[0], tuple(pair[1]))
