"""The figures of the first page.

Counting all orders of a large shop takes seconds, so slow answers are kept and say how old they are; a shop whose
figures are counted in a moment always sees them live.
"""

from __future__ import annotations

import time
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.urls import reverse
from django.utils.translation import gettext as _

from analytics.enums import RfmClass, Stage
from analytics.queries import kpis, lifecycle, rfm
from analytics.queries.population import scope_key
from analytics.queries.summary import SourceRow, added_up, find_source, sources
from members.queries import scopes
from scrm.common import clock
from scrm.common.access import SYSTEM, Actor, DataScope

PERIOD = 30
TREND = 90
# Answers that took longer than this are kept.
SLOW_SECONDS = 0.05
# The clock renews kept answers each minute; without it they are counted again after this many seconds.
OLDEST_SECONDS = 600
# Nobody has asked for so long: not renewed any more.
FORGET_SECONDS = 3_600


def overview(*, actor: Actor, source: str | None, now: datetime) -> dict[str, Any]:
    """What the dashboard shows, over the members the actor sees and the orders of `source` (None: of all).

    Keys: `kpis` (rows for partials/kpi.html: label, value, delta, spark, definition, href, note; key and raw),
    `trend` and `trend_orders` (data of partials/chart.html: GMV in minor units, orders), `lifecycle` and `rfm` (rows of
    label, count, share, href), `totals` (all-time buyers, orders, revenue in minor units), `currency`, `sources`
    (keys), `source_row`, `until` (last day of the figures), `is_past` (the source's orders end long ago),
    `updated_at`, and `facts` for the checklist.
    Raises `NotFound` (`no_such_source`).
    """
    row = find_source(source) if source else None
    figures = _figures(actor, row, now)
    stages = lifecycle.distribution(actor=actor)
    model = _model_of(row)
    board = rfm.board(actor=actor, model=model) if model else None
    return {
        "kpis": kpis.cards(figures, row, period=PERIOD),
        "trend": _chart(figures, _("GMV"), "gmv", "money"),
        "trend_orders": _chart(figures, _("Orders"), "orders", "count"),
        "totals": figures["totals"],
        "currency": figures["currency"],
        "sources": [entry.key for entry in sources()],
        "source_row": row,
        "until": date.fromisoformat(figures["until"]),
        "is_past": figures["is_past"],
        "updated_at": datetime.fromisoformat(figures["counted_at"]),
        "lifecycle": [
            {
                "key": stage.value,
                "label": stage.label,
                "count": stages.stages[stage.value],
                "share": stages.stages[stage.value] / stages.members if stages.members else 0.0,
                "href": f"{reverse('member_list')}?stage={stage.value}",
            }
            for stage in Stage
        ]
        if stages.published_at
        else [],
        "rfm": [
            {
                "key": class_.value,
                "label": class_.label,
                "count": board.classes[class_.value].members,
                "share": board.classes[class_.value].share,
                "net": board.classes[class_.value].net,
                "href": f"{reverse('member_list')}?rfm_class={class_.value}"
                + ("" if model is None or model.is_default else f"&rfm_model={model.pk}"),
            }
            for class_ in RfmClass
        ]
        if board
        else [],
        "rfm_model": model,
        "rfm_as_of": board.as_of if board else None,
        "facts": {
            "members": figures["members"],
            "rfm_published": board is not None,
            "segments": figures["segments"],
        },
    }


def _chart(figures: dict[str, Any], name: str, key: str, unit: str) -> dict[str, Any]:
    """The trend as partials/chart.html takes it; no labels when there is no order at all."""
    if not figures["totals"]["orders"]:
        return {"labels": [], "series": []}
    trend = figures["trend"]
    series = [{"name": name, "data": trend[key], "area": True}]
    return {"labels": trend["days"], "series": series, "format": unit, "currency": figures["currency"]}


def _model_of(row: SourceRow | None) -> Any:
    """The RFM model of a source when it has one of its own, else the default one."""
    if row is not None:
        own = next((model for model in rfm.models() if model.scope == {"sources": [row.id]}), None)
        if own is not None:
            return own
    return rfm.find_model()


def _figures(actor: Actor, row: SourceRow | None, now: datetime) -> dict[str, Any]:
    key = f"analytics:overview:{scope_key(actor)}:{row.id if row else 0}"
    kept: dict[str, Any] | None = cache.get(key)
    if kept and now - datetime.fromisoformat(kept["counted_at"]) < timedelta(seconds=OLDEST_SECONDS):
        return kept
    return _count_and_keep(key, actor, row, now)


def refresh(*, now: datetime) -> None:
    """Count the kept answers of those who see everybody again. Costs nothing where counting is quick."""
    for row in [None, *sources()]:
        key = f"analytics:overview:all:{row.id if row else 0}"
        kept: dict[str, Any] | None = cache.get(key)
        # A slow count is not repeated as soon as it is done: at most a fiftieth of the time goes into it.
        if kept and (now - datetime.fromisoformat(kept["counted_at"])).total_seconds() > 50 * kept["seconds"]:
            _count_and_keep(key, SYSTEM, row, now)


def _count_and_keep(key: str, actor: Actor, row: SourceRow | None, now: datetime) -> dict[str, Any]:
    started = time.perf_counter()
    figures = _count(actor, row, now)
    seconds = time.perf_counter() - started
    figures |= {"counted_at": now.isoformat(), "seconds": seconds}
    if seconds > SLOW_SECONDS:
        cache.set(key, figures, FORGET_SECONDS)
    return figures


class _Scope:
    """The parts of SQL that limit orders and members to what the actor sees and to the source."""

    def __init__(self, actor: Actor, row: SourceRow | None) -> None:
        visible, params = scopes.member_sql(actor)
        self.members = visible + (" AND m.source_id = %s" if row else "")
        self.members_params = [*params, *([row.id] if row else [])]
        limited = actor.scope != DataScope.ALL
        inside = f" AND o.member_id IN (SELECT m.id FROM members_member m WHERE {visible})" if limited else ""
        source_ids, self.currency = added_up(row)
        self.orders = "o.counts AND o.source_id = ANY(%s)" + inside
        self.orders_params = [source_ids, *(params if limited else [])]


def _count(actor: Actor, row: SourceRow | None, now: datetime) -> dict[str, Any]:
    scope = _Scope(actor, row)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT count(*), coalesce(sum(n), 0), coalesce(sum(amount), 0), max(last_at) FROM (
                SELECT count(*) AS n, sum(o.amount) AS amount, max(o.paid_at) AS last_at
                FROM members_order o WHERE {scope.orders} GROUP BY o.member_id
            ) per_member
            """,  # built from fixed parts
            scope.orders_params,
        )
        buyers, orders, revenue, last_at = cursor.fetchone()
        today = clock.shop_date(now)
        last_day = clock.shop_date(last_at) if last_at else today
        is_past = (today - last_day).days > PERIOD
        until = last_day if is_past else today
        daily = _daily(cursor, scope, until)
        joined, members = _joined(cursor, scope, until)
        current = _period(cursor, scope, until)
        former = _period(cursor, scope, until - timedelta(days=PERIOD))
        cursor.execute("SELECT EXISTS (SELECT FROM tags_segment)")
        (segments,) = cursor.fetchone()
    return {
        "totals": {"buyers": buyers, "orders": int(orders), "revenue": int(revenue)},
        "members": members,
        "joined": joined,
        "daily": [daily[day] for day in sorted(daily)],
        "current": current,
        "former": former,
        "trend": {
            "days": [day.isoformat() for day in sorted(daily)],
            "gmv": [daily[day][1] for day in sorted(daily)],
            "orders": [daily[day][0] for day in sorted(daily)],
        },
        "until": until.isoformat(),
        "is_past": is_past,
        "segments": int(segments),
        "currency": scope.currency,
    }


def _daily(cursor: Any, scope: _Scope, until: date) -> dict[date, tuple[int, int]]:
    """Orders and gross amount per shop day of the last `TREND` days; every day is there."""
    first = until - timedelta(days=TREND - 1)
    cursor.execute(
        f"""
        SELECT (o.paid_at AT TIME ZONE %s)::date, count(*), sum(o.amount) FROM members_order o
        WHERE {scope.orders} AND o.paid_at >= %s AND o.paid_at < %s GROUP BY 1
        """,  # built from fixed parts
        [settings.TIME_ZONE, *scope.orders_params, clock.day_start(first), clock.day_end(until)],
    )
    found = {day: (int(count), int(amount)) for day, count, amount in cursor.fetchall()}
    return {first + timedelta(days=n): found.get(first + timedelta(days=n), (0, 0)) for n in range(TREND)}


def _joined(cursor: Any, scope: _Scope, until: date) -> tuple[list[int], int]:
    """New members per shop day of the last two periods, and members in all."""
    first = until - timedelta(days=2 * PERIOD - 1)
    cursor.execute(
        f"""
        SELECT (m.joined_at AT TIME ZONE %s)::date, count(*) FROM members_member m
        WHERE m.status = 'active' AND {scope.members} AND m.joined_at >= %s AND m.joined_at < %s GROUP BY 1
        """,  # built from fixed parts
        [settings.TIME_ZONE, *scope.members_params, clock.day_start(first), clock.day_end(until)],
    )
    found = dict(cursor.fetchall())
    cursor.execute(
        f"SELECT count(*) FROM members_member m WHERE m.status = 'active' AND {scope.members}",
        scope.members_params,
    )
    return [found.get(first + timedelta(days=n), 0) for n in range(2 * PERIOD)], cursor.fetchone()[0]


def _period(cursor: Any, scope: _Scope, until: date) -> dict[str, int]:
    """Buyers, repeat buyers, orders and gross amount of the period that ends with `until`."""
    cursor.execute(
        f"""
        SELECT count(*), count(*) FILTER (WHERE n > 1), coalesce(sum(n), 0), coalesce(sum(amount), 0) FROM (
            SELECT count(*) AS n, sum(o.amount) AS amount FROM members_order o
            WHERE {scope.orders} AND o.paid_at >= %s AND o.paid_at < %s GROUP BY o.member_id
        ) per_member
        """,  # built from fixed parts
        [*scope.orders_params, clock.day_start(until - timedelta(days=PERIOD - 1)), clock.day_end(until)],
    )
    buyers, repeated, orders, gmv = cursor.fetchone()
    return {"buyers": buyers, "repeated": repeated, "orders": int(orders), "gmv": int(gmv)}
