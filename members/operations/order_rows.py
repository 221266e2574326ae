"""The rows behind orders and refunds: reading those a batch touches, and writing what it changed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from members.operations import columns
from members.rules import facts
from members.rules.facts import Purchase, Repayment

OrderKey = tuple[int, str]  # source id, external number
RefundKey = tuple[int, int, str]  # member id, source id, external number


@dataclass(slots=True)
class StoredRefund:
    id: UUID
    order_id: UUID | None
    amount: int


@dataclass(slots=True)
class StoredOrder:
    """An order as it stands, and as this batch leaves it. Amounts in minor units."""

    id: UUID
    member_id: int
    amount: int
    refunded: int
    version: tuple[datetime, int]
    new: bool = False
    # The version that this batch brought, when it brought one.
    purchase: Purchase | None = None
    changed: bool = False
    refunds: list[Repayment] = field(default_factory=list)
    joined: list[UUID] = field(default_factory=list)  # refunds that were waiting for it


def owners(keys: Collection[OrderKey]) -> dict[OrderKey, int]:
    """The member of every order number that is taken."""
    if not keys:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT n.source_id, n.external_number, n.member_id
            FROM unnest(%s::bigint[], {columns.TEXTS}) AS t (source_id, number)
            JOIN members_ordernumber n ON n.source_id = t.source_id AND n.external_number = t.number
            """,
            _keys(keys),
        )
        return {(source_id, number): member_id for source_id, number, member_id in cursor.fetchall()}


def claim(wanted: dict[OrderKey, int]) -> dict[OrderKey, UUID]:
    """Take order numbers for members. Returns the new order ids of those that were still free."""
    if not wanted:
        return {}
    keys = sorted(wanted)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO members_ordernumber (source_id, external_number, member_id, order_id)
            SELECT source_id, number, member_id, uuidv7()
            FROM unnest(%s::bigint[], {columns.TEXTS}, %s::bigint[])
                 WITH ORDINALITY AS t (source_id, number, member_id, n)
            ORDER BY n ON CONFLICT DO NOTHING
            RETURNING source_id, external_number, order_id
            """,
            [*_keys(keys), columns.integers(wanted[key] for key in keys)],
        )
        return {(source_id, number): order_id for source_id, number, order_id in cursor.fetchall()}


def release(keys: Collection[OrderKey]) -> None:
    """Give back numbers that this transaction claimed and does not use."""
    if not keys:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            DELETE FROM members_ordernumber n USING unnest(%s::bigint[], {columns.TEXTS}) AS t (source_id, number)
            WHERE n.source_id = t.source_id AND n.external_number = t.number
            """,
            _keys(keys),
        )


def load(keys: Collection[OrderKey]) -> dict[OrderKey, StoredOrder]:
    """The stored orders among the keys."""
    if not keys:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT n.source_id, n.external_number, o.id, o.member_id, o.amount, o.refunded_amount, o.version_at, o.state
            FROM unnest(%s::bigint[], {columns.TEXTS}) AS t (source_id, number)
            JOIN members_ordernumber n ON n.source_id = t.source_id AND n.external_number = t.number
            JOIN members_order o ON o.id = n.order_id AND o.member_id = n.member_id
            """,
            _keys(keys),
        )
        return {
            (source_id, number): StoredOrder(order_id, member_id, amount, refunded, facts.version(version_at, state))
            for source_id, number, order_id, member_id, amount, refunded, version_at, state in cursor.fetchall()
        }


def load_refunds(keys: Collection[RefundKey]) -> dict[RefundKey, StoredRefund]:
    """The stored refunds among the keys."""
    if not keys:
        return {}
    listed = list(keys)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT r.member_id, r.source_id, r.external_number, r.id, r.order_id, r.amount
            FROM unnest(%s::bigint[], %s::bigint[], {columns.TEXTS}) AS t (member_id, source_id, number)
            JOIN members_refund r
              ON r.member_id = t.member_id AND r.source_id = t.source_id AND r.external_number = t.number
            """,
            [
                columns.integers(member_id for member_id, _, _ in listed),
                columns.integers(source_id for _, source_id, _ in listed),
                columns.texts(number for _, _, number in listed),
            ],
        )
        return {
            (member_id, source_id, number): StoredRefund(refund_id, order_id, amount)
            for member_id, source_id, number, refund_id, order_id, amount in cursor.fetchall()
        }


def awaiting(wanted: dict[OrderKey, int]) -> dict[OrderKey, list[tuple[str, StoredRefund]]]:
    """Refunds that named these orders, by the same members, before the orders came; oldest first."""
    if not wanted:
        return {}
    keys = list(wanted)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT r.source_id, r.order_number, r.external_number, r.id, r.amount
            FROM unnest(%s::bigint[], {columns.TEXTS}, %s::bigint[]) AS t (source_id, number, member_id)
            JOIN members_refund r ON r.source_id = t.source_id AND r.order_number = t.number
                                 AND r.member_id = t.member_id
            WHERE r.order_id IS NULL AND r.order_number <> ''
            ORDER BY r.refunded_at, r.external_number
            """,
            [*_keys(keys), columns.integers(wanted.values())],
        )
        found: dict[OrderKey, list[tuple[str, StoredRefund]]] = {}
        for source_id, order_number, number, refund_id, amount in cursor.fetchall():
            found.setdefault((source_id, order_number), []).append((number, StoredRefund(refund_id, None, amount)))
        return found


def write(
    orders: dict[OrderKey, StoredOrder], store_of: dict[str, int], product_of: dict[str, int], now: datetime
) -> None:
    """Store new orders and new versions with their lines and refunds. The members are locked."""
    new = [(key, order) for key, order in orders.items() if order.new]
    changed = [(key, order) for key, order in orders.items() if order.changed and not order.new]
    with connection.cursor() as cursor:
        if new:
            cursor.execute(
                f"""
                INSERT INTO members_order (id, member_id, source_id, external_number, state, store_id, channel, amount,
                                           discount, refunded_amount, ordered_at, paid_at, version_at, received_at)
                SELECT id::uuid, member_id, source_id, number, state, store_id, COALESCE(channel, ''), amount,
                       discount, refunded, ordered_at, paid_at, version_at, %s
                FROM unnest({columns.TEXTS}, %s::bigint[], %s::bigint[], {columns.TEXTS}, {_VALUES})
                     AS t (id, member_id, source_id, number, {_NAMES})
                """,
                [
                    now,
                    columns.texts(str(order.id) for _, order in new),
                    columns.integers(order.member_id for _, order in new),
                    columns.integers(key[0] for key, _ in new),
                    columns.texts(key[1] for key, _ in new),
                    *_order_values([order for _, order in new], store_of),
                ],
            )
        versions = [order for _, order in changed if order.purchase is not None]
        if versions:
            cursor.execute(
                f"""
                UPDATE members_order o
                SET state = t.state, store_id = t.store_id, channel = COALESCE(t.channel, ''), amount = t.amount,
                    discount = t.discount, refunded_amount = t.refunded, ordered_at = t.ordered_at,
                    paid_at = t.paid_at, version_at = t.version_at, received_at = %s
                FROM unnest({columns.TEXTS}, %s::bigint[], {_VALUES}) AS t (id, member_id, {_NAMES})
                WHERE o.id = t.id::uuid AND o.member_id = t.member_id
                """,
                [
                    now,
                    columns.texts(str(order.id) for order in versions),
                    columns.integers(order.member_id for order in versions),
                    *_order_values(versions, store_of),
                ],
            )
        set_refunded([order for _, order in changed if order.purchase is None])
        _write_lines([*(order for _, order in new), *versions], product_of)
    add_refunds(
        [(key[0], key[1], order.member_id, order.id, one) for key, order in orders.items() for one in order.refunds],
        now,
    )
    join_refunds([(order, refund_id) for order in orders.values() for refund_id in order.joined])


_NAMES = "state, store_id, channel, amount, discount, refunded, ordered_at, paid_at, version_at"
_VALUES = (
    f"{columns.TEXTS}, %s::bigint[], {columns.TEXTS}, %s::bigint[], %s::bigint[], %s::bigint[], "
    "%s::timestamptz[], %s::timestamptz[], %s::timestamptz[]"
)


def _order_values(orders: Sequence[StoredOrder], store_of: dict[str, int]) -> list[Any]:
    purchases = [(order, order.purchase) for order in orders if order.purchase is not None]
    return [
        columns.texts(one.state for _, one in purchases),
        columns.integers(None if one.store is None else store_of[one.store] for _, one in purchases),
        columns.texts(one.channel for _, one in purchases),
        columns.integers(one.amount for _, one in purchases),
        columns.integers(one.discount for _, one in purchases),
        columns.integers(order.refunded for order, _ in purchases),
        columns.instants(one.ordered_at for _, one in purchases),
        columns.instants(one.paid_at for _, one in purchases),
        columns.instants(one.version_at for _, one in purchases),
    ]


def _write_lines(orders: Sequence[StoredOrder], product_of: dict[str, int]) -> None:
    replaced = [order for order in orders if not order.new and order.purchase and order.purchase.lines is not None]
    rows = [
        (order, number, line)
        for order in orders
        if order.purchase is not None
        for number, line in enumerate(order.purchase.lines or (), 1)
    ]
    with connection.cursor() as cursor:
        if replaced:
            cursor.execute(
                f"DELETE FROM members_orderline WHERE order_id = ANY({columns.TEXTS}::uuid[])",
                [columns.texts(str(order.id) for order in replaced)],
            )
        if rows:
            cursor.execute(
                f"""
                INSERT INTO members_orderline
                    (order_id, member_id, line_number, product_id, quantity, unit_price, amount)
                SELECT order_id::uuid, member_id, line_number, product_id, quantity, unit_price::numeric, amount
                FROM unnest({columns.TEXTS}, %s::bigint[], %s::int[], %s::bigint[], %s::int[], {columns.TEXTS},
                            %s::bigint[])
                     AS t (order_id, member_id, line_number, product_id, quantity, unit_price, amount)
                """,
                [
                    columns.texts(str(order.id) for order, _, _ in rows),
                    columns.integers(order.member_id for order, _, _ in rows),
                    columns.integers(number for _, number, _ in rows),
                    columns.integers(product_of[line.sku] for _, _, line in rows),
                    columns.integers(line.quantity for _, _, line in rows),
                    columns.texts(str(line.unit_price) for _, _, line in rows),
                    columns.integers(line.amount for _, _, line in rows),
                ],
            )


def set_refunded(orders: Sequence[StoredOrder]) -> None:
    """Write how much of these orders was given back."""
    if not orders:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE members_order o SET refunded_amount = t.refunded
            FROM unnest({columns.TEXTS}, %s::bigint[], %s::bigint[]) AS t (id, member_id, refunded)
            WHERE o.id = t.id::uuid AND o.member_id = t.member_id
            """,
            [
                columns.texts(str(order.id) for order in orders),
                columns.integers(order.member_id for order in orders),
                columns.integers(order.refunded for order in orders),
            ],
        )


def add_refunds(rows: Sequence[tuple[int, str, int, UUID | None, Repayment]], now: datetime) -> None:
    """Store refunds: (source id, order number, member id, order id or None, refund)."""
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO members_refund (source_id, order_number, member_id, order_id, external_number, amount,
                                        refunded_at, reason, received_at)
            SELECT source_id, COALESCE(order_number, ''), member_id, order_id::uuid, number, amount, refunded_at,
                   COALESCE(reason, ''), %s
            FROM unnest(%s::bigint[], {columns.TEXTS}, %s::bigint[], {columns.TEXTS}, {columns.TEXTS}, %s::bigint[],
                        %s::timestamptz[], {columns.TEXTS})
                 AS t (source_id, order_number, member_id, order_id, number, amount, refunded_at, reason)
            """,
            [
                now,
                columns.integers(source_id for source_id, *_ in rows),
                columns.texts(order_number for _, order_number, *_ in rows),
                columns.integers(member_id for _, _, member_id, *_ in rows),
                columns.texts(None if order_id is None else str(order_id) for _, _, _, order_id, _ in rows),
                columns.texts(one.number for *_, one in rows),
                columns.integers(one.amount for *_, one in rows),
                columns.instants(one.refunded_at for *_, one in rows),
                columns.texts(one.reason for *_, one in rows),
            ],
        )


def join_refunds(pairs: Sequence[tuple[StoredOrder, UUID]]) -> None:
    """Give refunds that waited for their order to it."""
    if not pairs:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE members_refund r SET order_id = t.order_id::uuid
            FROM unnest({columns.TEXTS}, {columns.TEXTS}, %s::bigint[]) AS t (id, order_id, member_id)
            WHERE r.id = t.id::uuid AND r.member_id = t.member_id
            """,
            [
                columns.texts(str(refund_id) for _, refund_id in pairs),
                columns.texts(str(order.id) for order, _ in pairs),
                columns.integers(order.member_id for order, _ in pairs),
            ],
        )


def _keys(keys: Collection[OrderKey]) -> list[Any]:
    listed = list(keys)
    return [
        columns.integers(source_id for source_id, _ in listed),
        columns.texts(number for _, number in listed),
    ]
