"""Whom a condition or a segment selects: the members, how many, whom of them a message reaches, how sets overlap.

Every answer is exact and equals that of the compiled SQL over the rows. It comes from the bitmaps of
`scrm.common.bitmaps` where they can answer, and from the rows where not.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from typing import Any

from django.db import connection
from pyroaring import BitMap

from members.enums import Channel, Purpose
from members.queries import consents, scopes
from members.queries import indexes as member_indexes
from scrm.common import conditions
from scrm.common.access import Actor
from scrm.common.bitmaps import selection
from scrm.common.bitmaps.plans import Plan, Stored, plan, stored_parts
from scrm.common.bitmaps.selection import Selection
from scrm.common.bitmaps.solving import Unready, matching
from scrm.common.conditions import Context, Leaf, Node, Sql, bind, compose, join
from scrm.common.conditions.fields import find
from tags.models import Segment, Tag
from tags.queries import indexes, tagging

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
    return _sets([condition], actor=actor, as_of=as_of, stack=stack)[0]


def count(condition: Condition, *, as_of: datetime, actor: Actor | None = None, stack: tuple[Any, ...] = ()) -> int:
    """How many active members are selected; of those the actor may see, when one is given."""
    try:
        found = _select([condition], actor, as_of, stack)
    except Unready:
        where = _visible(condition, actor, as_of, stack)
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM members_member m WHERE {where.text}", where.params)
            return int(cursor.fetchone()[0])
    return len(found.sets[0]) + len(_changed(condition, found.changed, actor, as_of, stack))


def preview(condition: Condition, *, actor: Actor, as_of: datetime, stack: tuple[Any, ...] = ()) -> Preview:
    """Count, reach per channel and the five newest members of an audience, within what the actor sees."""
    try:
        found = _select([condition], actor, as_of, stack, beside=_reach_parts())
    except Unready:
        return preview_sql(condition, actor=actor, as_of=as_of, stack=stack)
    members = found.sets[0]
    total, everyone, sample = len(members), len(found.everyone), list(members[-5:])
    reachable = {channel.value: len(found.view.solve(_reach(channel), members)) for channel in REACH_CHANNELS}
    if found.changed:
        rest = preview_sql(condition, actor=actor, as_of=as_of, stack=stack, among=found.changed)
        total, everyone = total + rest.total, everyone + rest.everyone
        reachable = {channel: number + rest.reachable[channel] for channel, number in reachable.items()}
        sample = sorted([*sample, *rest.sample_ids])[-5:]
    return Preview(total, everyone, reachable, sorted(sample, reverse=True), as_of)


def preview_sql(
    condition: Condition,
    *,
    actor: Actor,
    as_of: datetime,
    stack: tuple[Any, ...] = (),
    among: BitMap | None = None,
) -> Preview:
    """The same from the rows alone; with `among`, counting only those members."""
    where = _visible(condition, actor, as_of, stack)
    scope = compose("m.status = 'active' AND {}", _sql(scopes.member_sql(actor)))
    if among is not None:
        named = bind(list(among))
        where, scope = (compose("m.id = ANY({}) AND {}", named, test) for test in (where, scope))
    reach = [_sql(consents.reachable_sql(channel, Purpose.MARKETING)) for channel in REACH_CHANNELS]
    # One pass: the matching members once, everything asked about them.
    counts = ", ".join(f"count(*) FILTER (WHERE {test.text})" for test in reach)
    params = [value for test in reach for value in test.params]
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*), {counts}, (array_agg(m.id ORDER BY m.id DESC))[1:5]"
            f" FROM members_member m WHERE {where.text}",
            [*params, *where.params],
        )
        total, *reachable, sample = cursor.fetchone()
        cursor.execute(f"SELECT count(*) FROM members_member m WHERE {scope.text}", scope.params)
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
    try:
        found = _select([condition], actor, as_of, ())
    except Unready:
        where = _visible(condition, actor, as_of, ())
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT m.id FROM members_member m WHERE m.id > %s AND {where.text} ORDER BY m.id LIMIT %s",
                [after, *where.params, size],
            )
            return [row[0] for row in cursor.fetchall()]
    members = found.sets[0] | _changed(condition, found.changed, actor, as_of, ())
    start = members.rank(max(after, 0))
    return list(members[start : start + size])


def tag_counts(*, actor: Actor, now: datetime) -> dict[int, int]:
    """How many of the active members that the actor sees have each tag; tags that nobody has are left out."""
    tag_ids = list(Tag.objects.values_list("pk", flat=True))
    context = Context(as_of=now)
    try:
        found = selection.select(_scope(actor), [indexes.tagged(tag_id, context) for tag_id in tag_ids])
    except Unready:
        return tagging.counts(actor=actor, now=now)
    counts = {tag_id: len(members) for tag_id, members in zip(tag_ids, found.sets, strict=True)}
    if found.changed:
        for tag_id, number in _changed_tag_counts(found.changed, actor, now).items():
            counts[tag_id] = counts.get(tag_id, 0) + number
    return {tag_id: number for tag_id, number in counts.items() if number}


def overlaps(audiences: Sequence[Condition], *, actor: Actor, as_of: datetime) -> Overlaps:
    """Size of each audience and of each pair's intersection."""
    sets = _sets(audiences, actor=actor, as_of=as_of)
    common = [[first.intersection_cardinality(second) for second in sets] for first in sets]
    return Overlaps([len(one) for one in sets], common)


def venn(audiences: Sequence[Condition], *, actor: Actor, as_of: datetime) -> dict[tuple[bool, ...], int]:
    """How many members are in exactly these of two or three audiences.

    Keyed by membership in each: (True, False, True) is the first and the third without the second.
    """
    if not 2 <= len(audiences) <= 3:
        raise ValueError("a Venn diagram shows two or three sets")
    sets = _sets(audiences, actor=actor, as_of=as_of)
    regions: dict[tuple[bool, ...], int] = {}
    for inside in product((True, False), repeat=len(sets)):
        if any(inside):
            held = BitMap.intersection(*(one for one, is_in in zip(sets, inside, strict=True) if is_in))
            for one, is_in in zip(sets, inside, strict=True):
                held = held if is_in else held - one
            regions[inside] = len(held)
    return regions


def _scope(actor: Actor | None) -> list[Plan]:
    return [member_indexes.active()] if actor is None else [member_indexes.active(), member_indexes.visible(actor)]


def _reach(channel: Channel) -> Plan:
    return member_indexes.reachable(channel, Purpose.MARKETING)


@functools.cache
def _reach_parts() -> list[Stored]:
    return [part for channel in REACH_CHANNELS for part in stored_parts(_reach(channel))]


def _select(
    audiences: Sequence[Condition],
    actor: Actor | None,
    as_of: datetime,
    stack: tuple[Any, ...],
    *,
    beside: Iterable[Stored] = (),
) -> Selection:
    plans = [plan(node_of(one), as_of=as_of, stack=stack) for one in audiences]
    return selection.select(_scope(actor), plans, beside=beside)


def _sets(
    audiences: Sequence[Condition], *, actor: Actor | None, as_of: datetime, stack: tuple[Any, ...] = ()
) -> list[BitMap]:
    """Several audiences as of one instant."""
    try:
        found = _select(audiences, actor, as_of, stack)
    except Unready:
        return [matching(_visible(one, actor, as_of, stack), None) for one in audiences]
    return [
        members | _changed(one, found.changed, actor, as_of, stack)
        for one, members in zip(audiences, found.sets, strict=True)
    ]


def _changed(
    condition: Condition, changed: BitMap, actor: Actor | None, as_of: datetime, stack: tuple[Any, ...]
) -> BitMap:
    """Those of the changed members whom the rows select."""
    return matching(_visible(condition, actor, as_of, stack), changed) if changed else changed


def _changed_tag_counts(changed: BitMap, actor: Actor, now: datetime) -> dict[int, int]:
    scope = _sql(scopes.member_sql(actor))
    with connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT mt.tag_id, count(*) FROM members_member m JOIN tags_membertag mt ON mt.member_id = m.id
                WHERE m.id = ANY(%s) AND m.status = 'active' AND {scope.text}
                  AND (mt.expires_at IS NULL OR mt.expires_at > %s) GROUP BY mt.tag_id""",
            [list(changed), *scope.params, now],
        )
        return dict(cursor.fetchall())


def _visible(condition: Condition, actor: Actor | None, as_of: datetime, stack: tuple[Any, ...]) -> Sql:
    test = conditions.compile_condition(node_of(condition), as_of=as_of, stack=stack)
    scope = Sql("TRUE") if actor is None else _sql(scopes.member_sql(actor))
    return compose("m.status = 'active' AND {}", join(" AND ", [scope, test]))


def _sql(pair: tuple[str, Iterable[Any]]) -> Sql:
    return Sql(pair[0], tuple(pair[1]))
