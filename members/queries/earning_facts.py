"""What earning rules look at: orders and events as facts, and what is true of their members. Read set-based."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connection

from members.models import Source
from members.queries.earning_versions import Counting
from members.queries.event_fields import SPECIAL
from members.queries.member_tiers import tier_of
from members.rules.earning import Answer, Fact
from scrm.common import clock, conditions
from scrm.common.conditions import Sql, compose
from scrm.common.conditions.where import compile_tests

EventKey = tuple[int, int, str]  # member id, source id, message id
# For statements over few members: planned for them, not for everybody.
FEW = """
    SELECT set_config('plan_cache_mode', 'force_generic_plan', true), set_config('jit', 'off', true),
           set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
           set_config('enable_mergejoin', 'off', true)
"""
_ORDER = """
    o.id, o.member_id, o.paid_at, o.amount, o.net_amount, o.state IN ('paid', 'shipped', 'completed') AS earns, src.key,
    COALESCE(st.code, ''), o.channel, o.external_number
"""
_LINES = """
    COALESCE((SELECT json_agg(json_build_array(p.sku, p.category, l.amount) ORDER BY l.line_number)
              FROM members_orderline l JOIN members_product p ON p.id = l.product_id WHERE l.order_id = o.id)::text, '')
"""
_FROM = """
    FROM members_order o JOIN members_source src ON src.id = o.source_id
    LEFT JOIN members_store st ON st.id = o.store_id
"""
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def shop_currency() -> str:
    """CNY, or the only currency there is. Orders in another one are not counted: amounts would not compare."""
    found = set(Source.objects.values_list("currency", flat=True).distinct())
    return "CNY" if "CNY" in found or not found else min(found)


def order_source(order_id: UUID | str) -> str:
    """How the ledger names an order as the source of points."""
    return f"order:{order_id}"


def orders(order_ids: Collection[UUID], *, member_ids: Collection[int], lines: bool, currency: str) -> list[Fact]:
    """These orders of these members, with their lines when rules look at them; not those in another currency."""
    listed = ",".join(str(one) for one in order_ids)
    return _orders(
        "o.id = ANY(string_to_array(%s, ',')::uuid[]) AND o.member_id = ANY(%s) AND src.currency = %s",
        [listed, list(member_ids), currency],
        lines=lines,
    )  # fmt: skip


def orders_of_members(
    first: int, last: int, *, since: datetime, until: datetime, lines: bool, currency: str
) -> list[Fact]:
    """The orders of the members from one id to another that were paid in the time, `until` not included."""
    return _orders(
        "o.member_id BETWEEN %s AND %s AND o.paid_at >= %s AND o.paid_at < %s AND src.currency = %s",
        [first, last, since, until, currency],
        lines=lines,
    )


def _orders(where: str, params: Sequence[Any], *, lines: bool) -> list[Fact]:
    zone = clock.shop_zone()
    bought_of = _LINES if lines else "''"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_ORDER}, {bought_of} {_FROM} WHERE {where}", list(params))
        return [
            Fact(
                source=order_source(pk),
                member_id=member_id,
                at=(paid_at or _LONG_AGO).astimezone(zone),
                amount=amount,
                net=net,
                earns=earns and paid_at is not None,
                origin=origin,
                store=store,
                channel=channel,
                number=number,
                lines=[tuple(line) for line in conditions.loads(bought)] if bought else (),
            )
            for pk, member_id, paid_at, amount, net, earns, origin, store, channel, number, bought in cursor.fetchall()
        ]


def events(keys: Iterable[EventKey], *, counting: Sequence[Counting]) -> list[Fact]:
    """These events, each with the versions whose type and tests it passes; those that pass none are left out."""
    listed = list(keys)
    asked = [one for one in counting if one.version.definition.trigger == "event" and not one.broken]
    if not listed or not asked:
        return []
    passes = [
        compose(
            "t.key = %s" if not one.tests else "t.key = %s AND {}",
            *([conditions.join(" AND ", compile_tests(one.tests, "e.properties", SPECIAL))] if one.tests else []),
        )
        for one in asked
    ]
    zone = clock.shop_zone()
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT e.id, e.member_id, e.message_id, e.occurred_at, COALESCE(e.amount, 0),
                   {", ".join(one.text for one in passes)}
            FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS k (member_id, source_id, message_id)
            JOIN members_event e ON e.member_id = k.member_id AND e.source_id = k.source_id
                                AND e.message_id = k.message_id
            JOIN members_eventtype t ON t.id = e.type_id
            """,
            [
                *(
                    value
                    for one, test in zip(asked, passes, strict=True)
                    for value in (one.version.definition.event_type, *test.params)
                ),
                [key[0] for key in listed], [key[1] for key in listed], [key[2] for key in listed],
            ],
        )  # fmt: skip
        found = []
        for pk, member_id, number, occurred_at, amount, *passed in cursor.fetchall():
            versions = frozenset(one.version.id for one, holds in zip(asked, passed, strict=True) if holds)
            if versions:
                amount = max(amount, 0)
                found.append(
                    Fact(
                        source=f"event:{pk}", member_id=member_id, at=occurred_at.astimezone(zone), amount=amount,
                        net=amount, passed=versions, number=number,
                    )
                )  # fmt: skip
        return found


def answers(
    counting: Sequence[Counting], member_ids: Collection[int], *, as_of: datetime
) -> dict[int, dict[int, Answer]]:
    """What is true of each member now, by version and member: conditions, tags, tier, birthday. One statement.

    Versions whose condition can no longer be read have no answers.
    """
    listed = sorted(set(member_ids))
    readable, columns = [], []
    for one in counting:
        try:
            columns.append(asked(one, as_of))
        except conditions.BadCondition:
            continue
        readable.append(one)
    if not readable or not listed:
        return {}
    flat = [column for of_version in columns for column in of_version]
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT m.id, EXTRACT(month FROM m.birth_on)::int, EXTRACT(day FROM m.birth_on)::int
                   {"".join(f", ({column.text})" for column in flat)}
            FROM members_member m WHERE m.id = ANY(%s)
            """,
            [*(value for column in flat for value in column.params), listed],
        )
        rows = cursor.fetchall()
    tiers = tier_of(listed, now=as_of) if any(_looks_at_tiers(one) for one in readable) else {}
    found: dict[int, dict[int, Answer]] = {one.version.id: {} for one in readable}
    for member_id, month, day, *values in rows:
        birth = (month, day) if month else None
        left = iter(values)
        for one in readable:
            holds = next(left)
            tags = frozenset(tag for tag in sorted(one.version.definition.tags) if next(left))
            found[one.version.id][member_id] = Answer(holds, tags, tiers.get(member_id, ""), birth)
    return found


def asked(one: Counting, as_of: datetime) -> list[Sql]:
    """One column for the condition, and one for each tag that multiplies."""
    if one.broken:
        raise conditions.BadCondition([{"path": "", "code": "broken", "message": one.broken}])
    holds = conditions.compile_condition(one.node, as_of=as_of) if one.node is not None else Sql("TRUE")
    return [holds, *(_has_tag(tag, as_of) for tag in sorted(one.version.definition.tags))]


def _has_tag(tag: int, as_of: datetime) -> Sql:
    # The tag's own app says in the language of conditions who has it. One that is gone nobody has.
    try:
        node = conditions.parse({"field": "tag", "op": "any_of", "value": [tag]})
    except conditions.BadCondition:
        return Sql("FALSE")
    return conditions.compile_condition(node, as_of=as_of)


def _looks_at_tiers(one: Counting) -> bool:
    return any(multiplier.kind == "tier" for multiplier in one.version.definition.multipliers)


def answer_document(answer: Answer) -> Mapping[str, Any]:
    """As it is kept with the fact."""
    said: dict[str, Any] = {"holds": answer.holds}
    if answer.tags:
        said["tags"] = sorted(answer.tags)
    if answer.tier:
        said["tier"] = answer.tier
    if answer.birth:
        said["birth"] = list(answer.birth)
    return said


def answer_of(said: Mapping[str, Any]) -> Answer:
    """What `answer_document` wrote."""
    birth = said.get("birth")
    return Answer(
        said["holds"], frozenset(said.get("tags", ())), said.get("tier", ""), (birth[0], birth[1]) if birth else None
    )
