"""Orders and members as columns, for dry runs: read whole, without an object per row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import numpy as np

from members.models import Source, Store
from members.queries import earning_facts
from members.queries.earning_versions import Counting
from members.queries.member_tiers import tier_of
from members.rules.earning import Definition, Fact
from members.rules.earning_columns import Codes, Ints, Members, Orders, Truth
from scrm.common import clock, conditions
from scrm.common.bitmaps.rows import integers
from scrm.common.conditions import Sql

_NONE = np.empty(0, dtype=np.int64)


def codes_of(definitions: Iterable[Definition]) -> Codes:
    """Numbers for the sources, stores and channels that the rules name."""
    said = list(definitions)
    named = {
        kind: {one.value for definition in said for one in definition.multipliers if one.kind == kind}
        for kind in ("store", "channel")
    }
    sources = {name for definition in said for name in definition.sources}
    stores = named["store"].union(*(definition.stores for definition in said))
    channels = named["channel"].union(*(definition.channels for definition in said))
    return Codes(
        dict(Source.objects.filter(key__in=sources).values_list("key", "id")),
        dict(Store.objects.filter(code__in=stores).values_list("code", "id")),
        {name: number for number, name in enumerate(sorted(channels), 1)},
    )


def orders(
    first: int, last: int, *, since: datetime, until: datetime, lines: bool, currency: str, codes: Codes
) -> tuple[Ints, Orders]:
    """The ids of the members from one id to another who have orders that were paid in the time, and these orders.

    `until` is not included. With `lines` the orders come as facts as well.
    """
    if lines:
        return _of_facts(
            earning_facts.orders_of_members(first, last, since=since, until=until, lines=True, currency=currency), codes
        )
    zone = str(clock.shop_zone())
    channels = sorted(codes.channels, key=codes.channels.__getitem__)
    member, place, *columns = integers(
        """
        SELECT o.member_id, row_number() OVER (ORDER BY o.member_id, o.paid_at, o.external_number COLLATE "C", o.id),
               (o.paid_at AT TIME ZONE %s)::date - DATE '0001-01-01' + 1,
               EXTRACT(hour FROM o.paid_at AT TIME ZONE %s)::bigint, o.amount, o.net_amount,
               (o.state IN ('paid', 'shipped', 'completed'))::int, o.source_id, COALESCE(o.store_id, 0),
               COALESCE(array_position(%s::text[], o.channel::text), 0)
        FROM members_order o JOIN members_source src ON src.id = o.source_id
        WHERE o.member_id BETWEEN %s AND %s AND o.paid_at >= %s AND o.paid_at < %s AND src.currency = %s
        """,
        [zone, zone, channels, first, last, since, until, currency],
        10,
    )
    order = np.argsort(place)
    ids, which = np.unique(member[order], return_inverse=True)
    day, hour, amount, net, earns, source, store, channel = (column[order] for column in columns)
    return ids, Orders(which, day, hour, amount, net, earns == 1, source, store, channel)


def _of_facts(found: list[Fact], codes: Codes) -> tuple[Ints, Orders]:
    found.sort(key=lambda fact: (fact.member_id, fact.at, fact.number, fact.source))
    ids, which = np.unique(_column(fact.member_id for fact in found), return_inverse=True)
    return ids, Orders(
        which,
        _column(fact.at.toordinal() for fact in found),
        _column(fact.at.hour for fact in found),
        _column(fact.amount for fact in found),
        _column(fact.net for fact in found),
        _column(fact.earns for fact in found) == 1,
        _column(codes.sources.get(fact.origin, 0) for fact in found),
        _column(codes.stores.get(fact.store, 0) for fact in found),
        _column(codes.channels.get(fact.channel, 0) for fact in found),
        found,
    )


def _column(values: Iterable[int]) -> Ints:
    return np.fromiter(values, dtype=np.int64)


def members(ids: Ints, *, counting: Sequence[Counting], as_of: datetime) -> Members:
    """What versions ask of these members, as of now. One statement, and one for the tiers."""
    listed = ids.tolist()
    asked: list[tuple[Counting, list[Sql]]] = []
    for one in counting:
        try:
            asked.append((one, earning_facts.asked(one, as_of)))
        except conditions.BadCondition:
            continue
    flat = [column for _, of_version in asked for column in of_version]
    if listed:
        known, birth, *answers = integers(
            f"""
            SELECT m.id, COALESCE(EXTRACT(month FROM m.birth_on) * 32 + EXTRACT(day FROM m.birth_on), 0)::bigint
                   {"".join(f", COALESCE(({column.text})::int, 0)" for column in flat)}
            FROM members_member m WHERE m.id = ANY(%s)
            """,
            [*(value for column in flat for value in column.params), listed],
            2 + len(flat),
        )
    else:
        known, birth, answers = _NONE, _NONE, [_NONE for _ in flat]
    place = np.searchsorted(ids, known)
    left = iter([_placed(place, column, len(ids)) for column in answers])
    truths: Mapping[int, Truth] = {
        one.version.id: Truth(next(left) == 1, {tag: next(left) == 1 for tag in sorted(one.version.definition.tags)})
        for one, _ in asked
    }
    held = tier_of(listed, now=as_of)
    tiers = sorted({"", *held.values()})
    number = {tier: place for place, tier in enumerate(tiers)}
    return Members(
        ids, _column(number[held.get(member_id, "")] for member_id in listed), tiers,
        _placed(place, birth, len(ids)), truths,
    )  # fmt: skip


def _placed(place: Ints, values: Ints, count: int) -> Ints:
    found = np.zeros(count, dtype=np.int64)
    found[place] = values
    return found
