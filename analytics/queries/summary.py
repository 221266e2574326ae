"""The all-time totals of orders, exact and counted when asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.utils.translation import gettext as _

from members.queries import scopes
from scrm.common.access import Actor, DataScope
from scrm.common.errors import NotFound


@dataclass(frozen=True, slots=True)
class SourceRow:
    id: int
    key: str
    name: str
    currency: str


@dataclass(frozen=True, slots=True)
class Summary:
    """Amounts are minor units of `currency`; revenue is gross: refunds are told beside it, not subtracted."""

    source: str | None
    paid_only: bool
    buyers: int
    orders: int
    revenue: int
    refunds: int
    refund_count: int
    currency: str
    first_order_at: datetime | None
    last_order_at: datetime | None
    as_of: datetime


def find_source(key: str) -> SourceRow:
    """Raises `NotFound` (`no_such_source`)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, key, name, currency FROM members_source WHERE key = %s", [key.replace("\x00", "")])
        row = cursor.fetchone()
    if row is None:
        raise NotFound(_("There is no such source."), code="no_such_source", field="source")
    return SourceRow(*row)


def sources() -> list[SourceRow]:
    """Sources that orders can come from."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, key, name, currency FROM members_source WHERE key NOT LIKE 'scrm.%%' ORDER BY key", []
        )
        return [SourceRow(*row) for row in cursor.fetchall()]


def added_up(found: SourceRow | None) -> tuple[list[int], str]:
    """The sources whose orders a figure adds up, and their currency: the one asked for, or all of one currency.

    Amounts of different currencies are never added: over all sources that is the shop's CNY, or the only one there is.
    """
    if found is not None:
        return [found.id], found.currency
    rows = sources()
    currencies = sorted({row.currency for row in rows})
    currency = "CNY" if "CNY" in currencies or not currencies else currencies[0]
    return [row.id for row in rows if row.currency == currency], currency


def summary(*, actor: Actor, now: datetime, source: str | None = None, paid_only: bool = True) -> Summary:
    """Buyers, orders and revenue of one source, or of all in the shop's currency, over the members the actor sees.

    `paid_only`: counting orders only (paid and not refunded whole); otherwise every order in whatever state.
    Raises `NotFound` (`no_such_source`).
    """
    found = find_source(source) if source else None
    visible, params = scopes.member_sql(actor)
    inside = (
        ""
        if actor.scope == DataScope.ALL
        else f"AND x.member_id IN (SELECT m.id FROM members_member m WHERE {visible})"
    )
    source_ids, currency = added_up(found)
    values = [source_ids, *(params if inside else [])]
    of_source = "AND x.source_id = ANY(%s)"
    with connection.cursor() as cursor:
        # Per member first: counting distinct members over all orders at once would sort them.
        cursor.execute(
            f"""
            SELECT count(*), coalesce(sum(n), 0), coalesce(sum(amount), 0), min(first_at), max(last_at) FROM (
                SELECT count(*) AS n, sum(x.amount) AS amount, min(x.paid_at) AS first_at, max(x.paid_at) AS last_at
                FROM members_order x WHERE {"x.counts" if paid_only else "TRUE"} {of_source} {inside}
                GROUP BY x.member_id
            ) per_member
            """,  # built from fixed parts
            values,
        )
        buyers, orders, revenue, first_at, last_at = cursor.fetchone()
        cursor.execute(
            f"SELECT count(*), coalesce(sum(x.amount), 0) FROM members_refund x WHERE TRUE {of_source} {inside}",
            values,
        )
        refund_count, refunds = cursor.fetchone()
    return Summary(
        source=source or None,
        paid_only=paid_only,
        buyers=buyers,
        orders=int(orders),
        revenue=int(revenue),
        refunds=int(refunds),
        refund_count=refund_count,
        currency=currency,
        first_order_at=first_at,
        last_order_at=last_at,
        as_of=now,
    )
