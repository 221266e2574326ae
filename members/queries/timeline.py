"""A member's timeline: events, orders, refunds and movements of points, merged by time, latest first.

Points are read from their ledger, not copied into events: one line a movement that gave or took something.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils.translation import gettext as _

from members.models import EventType
from scrm.common import pagination
from scrm.common.errors import Invalid

# What the timeline can be narrowed to. An event type belongs to the first group whose beginning its key has;
# everything else is what the member did.
PREFIXES: dict[str, tuple[str, ...]] = {
    "messages": ("message",),
    "changes": ("tag", "lifecycle", "aipl", "rfm", "segment", "consent", "member", "stage", "points", "tier"),
}
KINDS = ("purchases", "behaviour", "messages", "changes", "points")


@dataclass(slots=True)
class Entry:
    """One thing that happened. `amount` is minor units; `lines` are the first products of an order.

    Of a movement of points `type_key` is what it was, `type_name` which kind of points, and the properties say how many
    `points` it gave (below 0: took), and the `reason`.
    """

    kind: str  # "event", "order", "refund" or "points"
    id: UUID
    at: datetime
    source: str
    type_key: str = ""
    type_name: str = ""
    amount: int | None = None
    number: str = ""
    state: str = ""
    store: str = ""
    properties: dict[str, Any] = field(default_factory=dict)
    products: list[str] = field(default_factory=list)
    line_count: int = 0


@dataclass(frozen=True, slots=True)
class TimelinePage:
    entries: Sequence[Entry]
    next_cursor: str | None


# Each table is read from the cursor on, along its own index, and no further than one page.
_EVENTS = """
    (SELECT 'event' AS kind, e.id, e.occurred_at AS at, COALESCE(NULLIF(s.name, ''), s.key), t.key, t.name,
            e.amount, '' AS number, '' AS state, '' AS store, e.properties
     FROM members_event e
     JOIN members_eventtype t ON t.id = e.type_id JOIN members_source s ON s.id = e.source_id
     WHERE e.member_id = %(member)s AND {after_event} AND {types}
     ORDER BY e.occurred_at DESC, e.id DESC LIMIT %(limit)s)
"""
_ORDERS = """
    (SELECT 'order', o.id, o.ordered_at, COALESCE(NULLIF(s.name, ''), s.key), '', '', o.amount, o.external_number,
            o.state, COALESCE(st.name, ''), NULL::jsonb
     FROM members_order o JOIN members_source s ON s.id = o.source_id LEFT JOIN members_store st ON st.id = o.store_id
     WHERE o.member_id = %(member)s AND {after_order}
     ORDER BY o.ordered_at DESC, o.id DESC LIMIT %(limit)s)
"""
_REFUNDS = """
    (SELECT 'refund', r.id, r.refunded_at, COALESCE(NULLIF(s.name, ''), s.key), '', '', r.amount,
            COALESCE(o.external_number, r.external_number), r.reason, '', NULL::jsonb
     FROM members_refund r JOIN members_source s ON s.id = r.source_id LEFT JOIN members_order o ON o.id = r.order_id
     WHERE r.member_id = %(member)s AND {after_refund}
     ORDER BY r.refunded_at DESC, r.id DESC LIMIT %(limit)s)
"""
# What a member would call a movement; the steps in between are in the ledger.
_POINTS = """
    (SELECT 'points', p.id, p.booked_at, '', p.kind, p.name, NULL::bigint, '', '', '',
            jsonb_build_object('points', p.points, 'reason', p.reason)
     FROM (
         SELECT (lpad(to_hex(e.currency_id), 16, '0') || lpad(to_hex(e.number), 16, '0'))::uuid AS id, e.booked_at,
                e.kind, c.name, e.reason,
                e.amount * CASE WHEN e.debit IN ('pending', 'available', 'held') THEN -1 ELSE 1 END AS points
         FROM members_pointsentry e JOIN members_pointscurrency c ON c.id = e.currency_id
         WHERE e.member_id = %(member)s AND e.transaction = e.number
           AND e.kind IN ('earn', 'spend', 'post', 'refund', 'reverse', 'expire', 'adjust', 'move')
     ) p
     WHERE {after_points} ORDER BY p.booked_at DESC, p.id DESC LIMIT %(limit)s)
"""


def of_member(
    member_id: int, *, kind: str = "", cursor: str | None = None, size: int = 30, with_points: bool = True
) -> TimelinePage:
    """One page of a member's timeline. The caller has checked that the actor may see the member.

    `with_points=False` leaves out what only somebody who may see points may see.
    `kind` is one of `KINDS`, or empty for everything. Raises `Invalid` (codes `bad_kind`, `bad_cursor`).
    """
    if kind and kind not in KINDS:
        raise Invalid(_("There is no such kind of entry."), code="bad_kind", field="kind")
    values: dict[str, Any] = {"member": member_id, "limit": size + 1}
    bounds = {"after_event": "TRUE", "after_order": "TRUE", "after_refund": "TRUE", "types": "TRUE"}
    bounds["after_points"] = "TRUE"
    if cursor:
        values["at"], values["id"] = _decoded(cursor)
        for name, column in (
            ("after_event", "(e.occurred_at, e.id)"),
            ("after_order", "(o.ordered_at, o.id)"),
            ("after_refund", "(r.refunded_at, r.id)"),
            ("after_points", "(p.booked_at, p.id)"),
        ):
            bounds[name] = f"{column} < (%(at)s, %(id)s)"
    parts = [_EVENTS, _ORDERS, _REFUNDS, _POINTS]
    if kind == "purchases":
        parts = [_ORDERS, _REFUNDS]
    elif kind == "points":
        parts = [_POINTS]
    elif kind:
        parts = [_EVENTS]
        bounds["types"] = "e.type_id = ANY(%(types)s)"
        values["types"] = _types_of(kind)
    if not with_points:
        parts = [part for part in parts if part is not _POINTS]
        if not parts:
            return TimelinePage([], None)
    merged = " UNION ALL ".join(parts).format(**bounds)
    sql = f"SELECT * FROM ({merged}) AS happened ORDER BY 3 DESC, 2 DESC LIMIT %(limit)s"
    with connection.cursor() as reader:
        reader.execute(sql, values)
        entries = [_entry(row) for row in reader.fetchall()]
    more = len(entries) > size
    entries = entries[:size]
    _add_products(member_id, entries)
    return TimelinePage(entries, pagination.encode([entries[-1].at, str(entries[-1].id)]) if more else None)


def _decoded(cursor: str) -> tuple[datetime, UUID]:
    at, raw = pagination.decode(cursor, 2)
    try:
        if not isinstance(at, datetime):
            raise ValueError
        return at, UUID(str(raw))
    except ValueError as error:
        raise Invalid(_("This page address is not valid."), code="bad_cursor", field="cursor") from error


def _types_of(kind: str) -> list[int]:
    named = tuple(prefix for prefixes in PREFIXES.values() for prefix in prefixes)
    wanted = PREFIXES.get(kind)
    return [
        key
        for key, name in EventType.objects.values_list("pk", "key")
        if (name.startswith(wanted) if wanted is not None else not name.startswith(named))
    ]


def _entry(row: Sequence[Any]) -> Entry:
    kind, id_, at, source, type_key, type_name, amount, number, state, store, properties = row
    if isinstance(properties, str):
        properties = json.loads(properties)
    return Entry(
        kind, id_, at, source, type_key, type_name, amount, number, state, store,
        properties if isinstance(properties, dict) else {},
    )  # fmt: skip


def _add_products(member_id: int, entries: Sequence[Entry]) -> None:
    """The first two products and the number of lines of each order, in one query."""
    orders = {entry.id: entry for entry in entries if entry.kind == "order"}
    if not orders:
        return
    with connection.cursor() as reader:
        reader.execute(
            """
            SELECT l.order_id, count(*),
                   (array_agg(COALESCE(NULLIF(p.name, ''), p.sku) ORDER BY l.line_number))[1:2]
            FROM members_orderline l JOIN members_product p ON p.id = l.product_id
            WHERE l.order_id = ANY(%s) AND l.member_id = %s GROUP BY l.order_id
            """,
            [list(orders), member_id],
        )
        for order_id, lines, products in reader.fetchall():
            orders[order_id].line_count = lines
            orders[order_id].products = list(products)
