"""Which fields over members, orders, identities and consents are answered from bitmaps, and how."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable

from members.enums import Channel, ConsentState, MemberStatus, Purpose
from members.models import Store
from members.queries import tier_schemes
from members.queries.consents import ADDRESS_KINDS
from scrm.common.access import Actor, DataScope
from scrm.common.bitmaps import operators
from scrm.common.bitmaps.answers import by_instant, by_number, by_value, listed, of_values
from scrm.common.bitmaps.families import Column, Family, Kind, register
from scrm.common.bitmaps.plans import Answer, Every, Having, Plan, Some, Within, Without, index
from scrm.common.bitmaps.stored import Value
from scrm.common.conditions import Context, Leaf

_BIRTH_CODE = "EXTRACT(month FROM t.birth_on)::int * 100 + EXTRACT(day FROM t.birth_on)::int"
# Twice the average rounded down, one more when it is not whole: compares with whole amounts as the average itself.
_OVER = "mod(mod(t.net_amount, t.order_count) + t.order_count, t.order_count)"
_AVERAGE = f"CASE WHEN t.order_count > 0 THEN (t.net_amount - {_OVER}) / t.order_count * 2 + ({_OVER} <> 0)::int END"

register(
    Family(
        "profile",
        "members_member",
        "id",
        (
            Column("status", "t.status", Kind.TEXT),
            Column("gender", "NULLIF(t.gender, '')", Kind.TEXT),
            Column("city", "NULLIF(t.city, '')", Kind.TEXT),
            Column("province", "NULLIF(t.province, '')", Kind.TEXT),
            Column("country", "NULLIF(t.country, '')", Kind.TEXT),
            Column("store", "t.store_id", Kind.WHOLE),
            Column("owner", "t.owner_id", Kind.WHOLE),
            Column("source", "t.source_id", Kind.WHOLE),
            Column("birth_code", _BIRTH_CODE, Kind.WHOLE),
            Column("born", operators.day_sql("t.birth_on"), Kind.NUMBER),
            Column("joined", operators.instant_sql("t.joined_at"), Kind.NUMBER),
        ),
    ),
    # Nothing ordered is the same as no row: such rows, which the intake of events makes, are not indexed.
    Family(
        "order",
        "members_membersummary",
        "member_id",
        (
            Column("count", "NULLIF(t.order_count, 0)", Kind.NUMBER),
            Column("net", "NULLIF(t.net_amount, 0)", Kind.NUMBER),
            Column("average", _AVERAGE, Kind.NUMBER),
            Column("first", operators.instant_sql("t.first_order_at"), Kind.NUMBER),
            Column("last", operators.instant_sql("t.last_order_at"), Kind.NUMBER),
        ),
    ),
    Family("identity", "members_identity", "member_id", (Column("kind", "t.kind", Kind.TEXT),)),
    Family(
        "consent",
        "members_consent",
        "member_id",
        (Column("answer", "t.channel || ':' || t.purpose || ':' || t.state", Kind.TEXT),),
    ),
    Family(
        "tier",
        "members_membertier",
        "member_id",
        (
            Column("tier", "t.tier_id", Kind.WHOLE),
            Column("since", operators.instant_sql("t.since"), Kind.NUMBER),
            Column("expires", operators.instant_sql("t.expires_at"), Kind.NUMBER),
        ),
    ),
)


def active() -> Plan:
    """Members that are neither merged away nor erased."""
    return Having("profile", "", "status", _is(MemberStatus.ACTIVE.value))


def visible(actor: Actor) -> Plan:
    """Members that the actor sees; the same as `scopes.member_sql`."""
    match actor.scope:
        case DataScope.ALL:
            return Every(())
        case DataScope.REGION:
            return _in_stores(Store.objects.filter(region_id=actor.region_id or -1).values_list("pk", flat=True))
        case DataScope.STORE:
            return _in_stores([actor.store_id or -1])
        case DataScope.OWN:
            return Having("profile", "", "owner", _is(actor.staff_id or -1))


@functools.cache
def reachable(channel: Channel, purpose: Purpose) -> Plan:
    """Members with an address on the channel who allow the purpose; the same as `consents.reachable_sql`."""
    kind = ADDRESS_KINDS.get(channel)
    has_address = [] if kind is None else [Having("identity", "", "kind", _is(kind.value))]
    if purpose == Purpose.MARKETING and channel != Channel.SANDBOX:
        return Every((_consent(channel, purpose, ConsentState.GRANTED), *has_address))
    return Every((Without((_consent(channel, purpose, ConsentState.WITHDRAWN),)), *has_address))


def _is(wanted: Value) -> Callable[[Value], bool]:
    return lambda value: value == wanted


def _consent(channel: Channel, purpose: Purpose, state: ConsentState) -> Plan:
    return Having("consent", "", "answer", _is(f"{channel.value}:{purpose.value}:{state.value}"))


def _in_stores(store_ids: Iterable[int]) -> Plan:
    ids = frozenset(store_ids)
    return Having("profile", "", "store", lambda value: value in ids)


def _birthday(leaf: Leaf, context: Context) -> Plan | None:
    match leaf.op:
        case "set":
            return Having("profile", "", "birth_code")
        case "not_set":
            return Without((Having("profile", "", "birth_code"),))
    codes = operators.day_codes(leaf.op, leaf.value, context)
    if codes is not None:
        return Having("profile", "", "birth_code", codes)
    ranges = operators.day_ranges(leaf.op, leaf.value, context)
    return None if ranges is None else Within("profile", "", "born", ranges)


def _age(leaf: Leaf, context: Context) -> Plan | None:
    """Whole years: those of at least n are born by a day, and nobody is born after today."""
    today = context.today
    born = Within("profile", "", "born", ((None, today.toordinal() + 1),))
    if leaf.op in ("set", "not_set"):
        return born if leaf.op == "set" else Without((born,))
    years = operators.number_ranges(leaf.op, leaf.value)
    if years is None:
        return None
    ranges = []
    for low, high in years:
        youngest = today.toordinal() if low is None else operators.born_by(low, today)
        oldest = None if high is None else operators.born_by(high, today)
        if youngest is None or (high is not None and high <= 0):
            continue
        ranges.append((None if oldest is None else oldest + 1, youngest + 1))
    return Within("profile", "", "born", tuple(ranges)) if ranges else Some(())


def _region(leaf: Leaf, _context: Context) -> Plan | None:
    test = None if leaf.op in ("set", "not_set") else operators.value_test(leaf.op, leaf.value)
    stores = Store.objects.filter(region__isnull=False).values_list("pk", "region_id")
    inside = _in_stores(store for store, region in stores if test is None or test(region))
    return Without((inside,)) if leaf.op == "not_set" else inside


def _identity(leaf: Leaf, _context: Context) -> Plan | None:
    parts = [Having("identity", "", "kind", _is(value)) for value in listed(leaf)]
    return of_values(leaf.op, parts, lambda: Having("identity", "", "kind"))


def _consented(channel: Channel) -> Answer:
    def answer(leaf: Leaf, _context: Context) -> Plan | None:
        test = None if leaf.op in ("set", "not_set") else operators.value_test(leaf.op, leaf.value)
        states = [state for state in ConsentState if test is None or test(state.value)]
        found = Some(tuple(_consent(channel, Purpose.MARKETING, state) for state in states))
        return Without((found,)) if leaf.op == "not_set" else found

    return answer


def _tier(leaf: Leaf, context: Context) -> Plan | None:
    """Who has no row has the lowest tier; while there is no ladder SQL answers that nobody has any."""
    base = tier_schemes.base_id(context.as_of)
    if base is None or leaf.op in ("set", "not_set"):
        return None
    return by_value("tier", "tier", absent=base)(leaf, context)


def _level(leaf: Leaf, context: Context) -> Plan | None:
    """The tiers whose level passes."""
    base = tier_schemes.base_id(context.as_of)
    ranges = None if leaf.op in ("set", "not_set") else operators.number_ranges(leaf.op, leaf.value)
    if base is None or ranges is None:
        return None
    passing = frozenset(
        pk
        for pk, tier in tier_schemes.tiers().items()
        if any((low is None or low <= tier.level) and (high is None or tier.level < high) for low, high in ranges)
    )
    if base in passing:
        return Without((Having("tier", "", "tier", lambda value: value not in passing),))
    return Having("tier", "", "tier", lambda value: value in passing)


for _key in ("gender", "city", "province", "country", "store", "owner", "source"):
    index(_key, by_value("profile", _key))
index("region", _region)
index("birthday", _birthday)
index("age", _age)
index("joined_at", by_instant("profile", "joined"))
index("order.count", by_number("order", "count", absent=0))
index("order.sum", by_number("order", "net", absent=0))
index("order.average", by_number("order", "average", scale=2))
index("order.first_at", by_instant("order", "first"))
index("order.last_at", by_instant("order", "last"))
index("tier", _tier)
index("tier.level", _level)
index("tier.since", by_instant("tier", "since"))
index("tier.expires_at", by_instant("tier", "expires"))
index("identity", _identity)
for _channel in Channel:
    index(f"consent.{_channel.value}", _consented(_channel))
