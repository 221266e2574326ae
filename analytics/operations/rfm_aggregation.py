"""Adding up orders for RFM: PostgreSQL sums in member order over the covering index and hands over whole columns.

A range of member ids is one query of several parts, which parallel workers take one each; every part answers a single
row of arrays, so nothing is paid per row on the way. Columns come and go in PostgreSQL's binary form.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg
from django.db import connection
from django.db.backends.utils import CursorWrapper

from analytics.queries.rfm_scope import Counted
from analytics.rules.rfm_facts import Facts
from members.queries import traffic
from scrm.common import clock

# Parts of one query: a few more than workers, so that none waits long for the last one.
PARTS = 4
# The covering index delivers orders in member order: adding up without a hash table or a sort. For this transaction.
_IN_ORDER = ("enable_hashagg = off", "enable_seqscan = off", "enable_bitmapscan = off")
_WORKERS = 2
_PARALLEL = (
    "jit = off",
    "statement_timeout = 0",
    "parallel_setup_cost = 0",
    # What a worker hands over is a few rows: nothing below them shall be split once more.
    "parallel_tuple_cost = 1",
    "min_parallel_table_scan_size = 0",
    "min_parallel_index_scan_size = 0",
)


def configure(cursor: CursorWrapper, settings: Sequence[str]) -> None:
    """Set for the rest of this transaction."""
    cursor.execute("; ".join(f"SET LOCAL {setting}" for setting in settings))


def share_work(cursor: CursorWrapper, *settings: str) -> None:
    """Let parallel workers help for the rest of this transaction; nobody while facts are coming in.

    Facts are landed by the same cores, and are waited for.
    """
    workers = 0 if traffic.is_busy(now=clock.now()) else _WORKERS
    configure(cursor, (f"max_parallel_workers_per_gather = {workers}", *_PARALLEL, *settings))


def aggregate(
    cursor: CursorWrapper, counted: Counted, *, since: datetime, until: datetime, low: int, high: int
) -> Facts:
    """What the orders of the member ids in (low, high], paid from `since` until before `until`, add up to."""
    share_work(cursor, *(_IN_ORDER if counted.is_by_source_only else ()))
    parts = PARTS if counted.is_by_source_only and high - low >= PARTS else 1
    bounds = [low + (high - low) * n // parts for n in range(parts + 1)]
    columns = ", ".join(f"array_agg({name})" for name in ("member_id", "last_paid_at", "frequency", "monetary"))
    summed = _by_source() if counted.is_by_source_only else _narrowed(counted)
    sql = " UNION ALL ".join(f"SELECT {columns} FROM ({summed.format(low=n, high=n + 1)}) s" for n in range(parts))
    values: dict[str, Any] = {f"b{n}": bound for n, bound in enumerate(bounds)} | {
        "since": since,
        "until": until,
        "sources": None if counted.source_ids is None else list(counted.source_ids),
        "stores": None if counted.store_ids is None else list(counted.store_ids),
        "channels": None if counted.channels is None else list(counted.channels),
        "products": None if counted.product_ids is None else list(counted.product_ids),
    }
    for setting in ("sources", "stores", "channels", "products"):
        if values[setting] is None:
            del values[setting]
    if counted.source_ids is None:
        sql = sql.replace(_OF_SOURCE, "")
    rows = read_columns(sql, values, "q", "q", "i", "q")
    return ordered(Facts.joined([Facts(*row) for row in rows]))


_OF_SOURCE = "AND source_id = ANY(%(sources)s)"


def _by_source() -> str:
    """Everything is in the covering index of orders; money given back without an order is the source's too."""
    return f"""
        SELECT o.member_id, o.last_paid_at, o.frequency, o.monetary - coalesce(u.amount, 0) AS monetary
        FROM (
            SELECT member_id, max(paid_at) AS last_paid_at, count(*)::int AS frequency,
                   sum(net_amount)::bigint AS monetary
            FROM members_order
            WHERE counts AND member_id > %(b{{low}})s AND member_id <= %(b{{high}})s
              AND paid_at >= %(since)s AND paid_at < %(until)s {_OF_SOURCE}
            GROUP BY member_id
        ) o
        LEFT JOIN (
            SELECT member_id, sum(amount)::bigint AS amount
            FROM members_refund
            WHERE order_id IS NULL AND member_id > %(b{{low}})s AND member_id <= %(b{{high}})s
              AND refunded_at >= %(since)s AND refunded_at < %(until)s {_OF_SOURCE}
            GROUP BY member_id
        ) u USING (member_id)
    """


def _narrowed(counted: Counted) -> str:
    """Orders of stores, channels or categories. A refund without an order belongs to none of these."""
    of_store = "AND o.store_id = ANY(%(stores)s)" if counted.store_ids is not None else ""
    of_channel = "AND o.channel = ANY(%(channels)s)" if counted.channels is not None else ""
    orders = f"""
        FROM members_order o {{lines}}
        WHERE o.counts AND o.member_id > %(b{{{{low}}}})s AND o.member_id <= %(b{{{{high}}}})s
          AND o.paid_at >= %(since)s AND o.paid_at < %(until)s {_OF_SOURCE} {of_store} {of_channel}
        GROUP BY o.member_id ORDER BY o.member_id
    """
    if counted.product_ids is None:
        return (
            "SELECT o.member_id, max(o.paid_at) AS last_paid_at, count(*)::int AS frequency,"
            " sum(o.net_amount)::bigint AS monetary " + orders.format(lines="")
        )
    lines = """
        JOIN (
            SELECT order_id, sum(amount) AS whole, sum(amount) FILTER (WHERE product_id = ANY(%(products)s)) AS part
            FROM members_orderline WHERE member_id > %(b{low})s AND member_id <= %(b{high})s
            GROUP BY order_id HAVING bool_or(product_id = ANY(%(products)s))
        ) l ON l.order_id = o.id
    """
    # net × part ÷ whole, rounded half up, in whole numbers.
    share = "CASE WHEN l.whole > 0 THEN div(2 * o.net_amount::numeric * l.part + l.whole, 2 * l.whole) ELSE 0 END"
    return (
        "SELECT o.member_id, max(o.paid_at) AS last_paid_at, count(*)::int AS frequency,"
        f" sum({share})::bigint AS monetary " + orders.format(lines=lines)
    )


def ordered(facts: Facts) -> Facts:
    """In member order."""
    if facts.size > 1 and bool((np.diff(facts.member_ids) <= 0).any()):
        order = np.argsort(facts.member_ids, kind="stable")
        return Facts(facts.member_ids[order], facts.paid[order], facts.frequency[order], facts.monetary[order])
    return facts


_WIDTHS = {"q": 8, "i": 4, "h": 2}
_ELEMENTS = {"q": 20, "i": 23, "h": 21, "t": 1184}
_ARRAYS = {"q": 1016, "i": 1007, "h": 1005, "t": 1185}
Column = npt.NDArray[np.int64]


def read_columns(sql: str, values: dict[str, Any], *kinds: str) -> list[list[Column]]:
    """Rows of arrays without NULLs as columns of whole numbers; `q` is 8 bytes wide (also times), `i` 4, `h` 2."""
    with psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(sql, values, binary=True)
        result = cursor.pgresult
        assert result is not None  # noqa: S101  # a SELECT has a result
        return [
            [_parse(result.get_value(row, place), kind) for place, kind in enumerate(kinds)]
            for row in range(result.ntuples)
        ]


def _parse(raw: bytes | None, kind: str) -> Column:
    """One array: a header of 20 bytes, then each value behind its length."""
    if raw is None or len(raw) < 20:
        return np.empty(0, dtype=np.int64)
    entries = np.frombuffer(raw, dtype=[("length", ">i4"), ("value", f">i{_WIDTHS[kind]}")], offset=20)
    return entries["value"].astype(np.int64)


class Packed:
    """A column on its way to PostgreSQL as an array parameter; kinds as above, and `t` for times."""

    def __init__(self, kind: str, values: npt.NDArray[Any]) -> None:
        self.oid = _ARRAYS[kind]
        width = _WIDTHS.get(kind, 8)
        entries = np.empty(len(values), dtype=[("length", ">i4"), ("value", f">i{width}")])
        entries["length"] = width
        entries["value"] = values
        dimensions = 1 if len(values) else 0
        header = [dimensions, 0, _ELEMENTS[kind], len(values), 1][: 3 + 2 * dimensions]
        self.data = np.array(header, dtype=">i4").tobytes() + entries.tobytes()


class _PackedDumper(psycopg.adapt.Dumper):
    format = psycopg.pq.Format.BINARY

    def dump(self, obj: Packed) -> bytes:
        return obj.data

    def get_key(self, obj: Packed, format: psycopg.adapt.PyFormat) -> Any:
        return (self.cls, obj.oid)

    def upgrade(self, obj: Packed, format: psycopg.adapt.PyFormat) -> psycopg.adapt.Dumper:
        dumper = type(self)(self.cls)
        dumper.oid = obj.oid
        return dumper


def execute_with(sql: str, values: dict[str, Any], *, binary: bool = False) -> list[tuple[Any, ...]]:
    """Run one statement whose values may be `Packed` or bytes, inside the transaction that is open.

    `binary`: read the answer in binary, for large values.
    """
    with psycopg.Cursor(connection.connection) as cursor:
        cursor.adapters.register_dumper(Packed, _PackedDumper)
        cursor.execute(sql, values, binary=binary)
        return cursor.fetchall() if cursor.description else []
