"""RFM of everyone: the product beside an ORM loop, pandas from the database, and DuckDB in memory.

All sides compute the same scores, classes and layers from the same orders and write what differs from the scores
that stand (2 % are spoilt before each repetition). Medians of several repetitions; sides take turns. The ORM loop is
measured on a sample of members and multiplied up.
"""

from __future__ import annotations

import io
import json
import os
import random
import statistics
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import duckdb
import numpy as np
import pandas as pd
from django.db import connection, transaction
from django.db.models import Count, Max, Sum

from analytics.models import RfmRun, RfmScore
from analytics.operations import rfm, rfm_models
from analytics.rules import rfm as rules
from analytics.rules.rfm import CLASSES
from analytics.rules.rfm_layers import LAYERS11
from members.models import Order, Refund
from members.operations import demo
from scrm.common import clock
from scrm.common.access import SYSTEM

REPETITIONS = 5
SAMPLE = 2_000
SPOIL = "UPDATE {table} SET r = 6 - r WHERE member_id % 50 = 0"
SHARES = "[0.2, 0.4, 0.6, 0.8]"


def main(size: int) -> None:
    """Measure with `size` members and five orders each."""
    prepare(size)
    cursor = connection.cursor()
    cursor.execute("SELECT count(*), max(paid_at) FROM members_order WHERE counts")
    orders, last_paid_at = cursor.fetchone()
    as_of = min(clock.shop_date(last_paid_at), clock.shop_date(clock.now()))
    model = rfm_models.ensure_default()

    started = time.perf_counter()
    run = rfm.run(model_id=model.pk, as_of=as_of, actor=SYSTEM)
    first = time.perf_counter() - started
    vacuum("analytics_rfmscore")
    cursor.execute("DROP TABLE IF EXISTS bench_score")
    cursor.execute("CREATE TABLE bench_score (LIKE analytics_rfmscore INCLUDING ALL)")
    cursor.execute("INSERT INTO bench_score SELECT * FROM analytics_rfmscore")
    vacuum("bench_score")

    since = clock.day_start(as_of - timedelta(days=model.window_days))
    until = clock.day_end(as_of)
    duck = duckdb.connect()
    duck.execute("SET threads = 2")
    load_duckdb(duck, since, until)
    peers: dict[str, Callable[[], float]] = {
        "product": lambda: timed_product(model.pk, as_of),
        "pandas": lambda: timed_pandas(as_of, since, until, model.pk),
        "duckdb": lambda: timed_duckdb(duck, as_of, since, until),
    }
    times: dict[str, list[float]] = {name: [] for name in peers}
    for _ in range(REPETITIONS):
        for name, measure in peers.items():
            times[name].append(measure())
    check(duck)
    medians = {name: statistics.median(values) for name, values in times.items()}

    sample = random.Random(1).sample(
        list(RfmScore.objects.filter(model=model).values_list("member_id", flat=True)), min(SAMPLE, run.buyers or 0)
    )
    loop = timed_orm(RfmRun.objects.get(pk=run.pk), sample, since, until)
    orm = loop / len(sample) * size

    print(f"machine: {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.2f}")
    print(f"data: {size:,} members, {orders:,} counting orders, {run.buyers:,} buyers in the window, as of {as_of}")
    print(f"first run (every score is inserted): {first:.2f} s")
    for name, values in times.items():
        print(f"{name:8} median {medians[name]:7.2f} s   all {[round(value, 2) for value in values]}")
    print(f"ORM loop: {loop:.2f} s for {len(sample):,} members, extrapolated to {size:,}: {orm:,.0f} s")
    print("BENCH " + json.dumps({
        "name": "rfm",
        "ratios": {
            "x_faster_than_orm_loop": round(orm / medians["product"]),
            "x_faster_than_pandas": round(medians["pandas"] / medians["product"], 2),
            "x_slower_than_duckdb": round(medians["product"] / medians["duckdb"], 2),
        },
        "figures": {
            "members": size,
            "orders": orders,
            "product_s": round(medians["product"], 3),
            "first_run_s": round(first, 2),
            "pandas_s": round(medians["pandas"], 3),
            "duckdb_s": round(medians["duckdb"], 3),
            "orm_loop_s_extrapolated": round(orm),
            "orm_loop_sample": len(sample),
        },
    }))  # fmt: skip


def prepare(size: int) -> None:
    """Fill an empty database; refuse one of another size."""
    if demo.is_empty():
        demo.load(members=size, seed=1, now=clock.now(), orders_per_member=5.0, report=lambda line: print(line))
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM members_member")
        (members,) = cursor.fetchone()
    if members < size:
        raise SystemExit(f"the benchmark's database has {members:,} members; `make clean` makes room for {size:,}")
    for table in ("members_member", "members_order", "members_refund"):
        vacuum(table)


def vacuum(table: str) -> None:
    """Do what autovacuum does within minutes: index-only scans need the visibility map."""
    with connection.cursor() as cursor:
        cursor.execute(f"VACUUM ANALYZE {table}")


def spoil(table: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(SPOIL.format(table=table).replace("%", "%%"), [])


def timed_product(model_id: int, as_of: date) -> float:
    """The product's own entry, whole: run and job rows, ranges, publication, distribution."""
    spoil("analytics_rfmscore")
    started = time.perf_counter()
    rfm.run(model_id=model_id, as_of=as_of, actor=SYSTEM)
    return time.perf_counter() - started


ORDERS = """
    SELECT member_id, (extract(epoch FROM paid_at) * 1000000)::bigint AS paid, net_amount FROM members_order
    WHERE counts AND paid_at >= '{since}' AND paid_at < '{until}'
"""
REFUNDS = """
    SELECT member_id, amount FROM members_refund
    WHERE order_id IS NULL AND refunded_at >= '{since}' AND refunded_at < '{until}'
"""


def copied(sql: str) -> io.BytesIO:
    """The rows of a query as CSV with a header."""
    buffer = io.BytesIO()
    with connection.cursor() as cursor, cursor.copy(f"COPY ({sql}) TO STDOUT (FORMAT csv, HEADER)") as copy:
        for block in copy:
            buffer.write(block)
    buffer.seek(0)
    return buffer


def timed_pandas(as_of: date, since: datetime, until: datetime, model_id: int) -> float:
    """COPY out, read_csv, groupby, score, COPY in, update what differs: as fast as pandas gets from a database."""
    spoil("bench_score")
    started = time.perf_counter()
    orders = pd.read_csv(copied(ORDERS.format(since=since, until=until)))
    refunds = pd.read_csv(copied(REFUNDS.format(since=since, until=until)))
    table = orders.groupby("member_id").agg(
        paid=("paid", "max"), f_value=("paid", "size"), m_value=("net_amount", "sum")
    )
    unlinked = refunds.groupby("member_id")["amount"].sum()
    table["m_value"] -= unlinked.reindex(table.index, fill_value=0).astype("int64")
    days = (pd.Timestamp(as_of) - pd.to_datetime(table["paid"], unit="us", utc=True).dt.tz_convert("Asia/Shanghai")
            .dt.tz_localize(None).dt.normalize()).dt.days  # fmt: skip
    columns = {"r": days, "f": table["f_value"], "m": table["m_value"]}
    cuts = {name: np.floor(column.quantile([0.2, 0.4, 0.6, 0.8]).to_numpy()) + 1 for name, column in columns.items()}
    reached = {name: np.searchsorted(cuts[name], column, side="right") for name, column in columns.items()}
    table["r"], table["f"], table["m"] = 5 - reached["r"], 1 + reached["f"], 1 + reached["m"]
    high = (
        (days <= days.mean()) * 4
        + (table["f_value"] >= table["f_value"].mean()) * 2
        + (table["m_value"] >= table["m_value"].mean()) * 1
    )
    table["rfm_class"] = class_names()[high.to_numpy()]
    fm = table["f"] + table["m"]
    table["layer"] = np.select(
        [(table["r"] >= row.r[0]) & (table["r"] <= row.r[1]) & (fm >= 2 * row.fm) for row in LAYERS11],
        [row.key for row in LAYERS11],
        default="",
    )
    buffer = io.StringIO()
    table.reset_index().to_csv(
        buffer, index=False, header=False,
        columns=["member_id", "paid", "f_value", "m_value", "r", "f", "m", "rfm_class", "layer"],
    )  # fmt: skip
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE new_score (member_id bigint, paid bigint, frequency int, monetary bigint, r smallint,"
            " f smallint, m smallint, rfm_class text, layer text) ON COMMIT DROP"
        )
        with cursor.copy("COPY new_score FROM STDIN (FORMAT csv)") as copy:
            copy.write(buffer.getvalue())
        cursor.execute(
            """
            UPDATE bench_score o SET last_paid_at = to_timestamp(n.paid / 1000000.0), frequency = n.frequency,
                monetary = n.monetary, r = n.r, f = n.f, m = n.m, rfm_class = n.rfm_class, layer = n.layer
            FROM new_score n WHERE o.model_id = %s AND n.member_id = o.member_id
              AND (o.frequency, o.monetary, o.r, o.f, o.m, o.rfm_class, o.layer)
                  <> (n.frequency, n.monetary, n.r, n.f, n.m, n.rfm_class, n.layer)
            """,
            [model_id],
        )
    return time.perf_counter() - started


def class_names() -> Any:
    return np.array([CLASSES[bool(n & 4), bool(n & 2), bool(n & 1)].value for n in range(8)], dtype=object)


def load_duckdb(duck: Any, since: datetime, until: datetime) -> None:
    """Bring all orders and refunds into memory, untimed; DuckDB starts from its own columns."""
    wide = {"since": "1970-01-01", "until": "2100-01-01"}
    for name, sql in (("orders", ORDERS), ("refunds", REFUNDS.replace("amount FROM", "amount, (extract(epoch FROM "
                      "refunded_at) * 1000000)::bigint AS refunded FROM"))):  # fmt: skip
        frame = pd.read_csv(copied(sql.format(**wide)))
        duck.register("frame", frame)
        duck.execute(f"CREATE TABLE {name} AS SELECT * FROM frame")
        duck.unregister("frame")
    duck.execute("CREATE TABLE fresh AS SELECT 1")


def timed_duckdb(duck: Any, as_of: date, since: datetime, until: datetime) -> float:
    """The same aggregation, cuts, classes and layers, and the update of what differs, all in memory."""
    low, high = int(since.timestamp() * 1e6), int(until.timestamp() * 1e6)
    midnight = int(until.timestamp() * 1e6)
    # The shop's zone has had one offset for longer than any window: days are whole days before the end of `as_of`.
    classes = " ".join(f"WHEN {n} THEN '{name}'" for n, name in enumerate(class_names()))
    layer_cases = " ".join(
        f"WHEN r BETWEEN {row.r[0]} AND {row.r[1]} AND f + m >= {2 * row.fm} THEN '{row.key}'" for row in LAYERS11
    )

    def reached(column: str, cuts: str) -> str:
        return " + ".join(f"({column} >= floor({cuts}[{i}]) + 1)::int" for i in (1, 2, 3, 4))

    query = f"""
        WITH o AS (SELECT member_id, max(paid) AS paid, count(*) AS fv, sum(net_amount)::bigint AS mv FROM orders
                   WHERE paid >= {low} AND paid < {high} GROUP BY member_id),
        u AS (SELECT member_id, sum(amount)::bigint AS amount FROM refunds
              WHERE refunded >= {low} AND refunded < {high} GROUP BY member_id),
        a AS (SELECT member_id, paid, fv, mv - coalesce(amount, 0) AS mv, ({midnight} - 1 - paid) // 86400000000 AS days
              FROM o LEFT JOIN u USING (member_id)),
        q AS (SELECT quantile_cont(days, {SHARES}) AS qr, quantile_cont(fv, {SHARES}) AS qf,
                     quantile_cont(mv, {SHARES}) AS qm, avg(days) AS ar, avg(fv) AS af, avg(mv) AS am FROM a),
        s AS (SELECT member_id, paid, fv, mv, 5 - ({reached("days", "qr")}) AS r, 1 + {reached("fv", "qf")} AS f,
                     1 + {reached("mv", "qm")} AS m, (days <= ar)::int * 4 + (fv >= af)::int * 2 + (mv >= am)::int AS h
              FROM a, q)
        SELECT member_id, paid, fv, mv, r, f, m, CASE h {classes} END AS rfm_class, CASE {layer_cases} END AS layer
        FROM s
    """
    if not duck.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'score'").fetchone():
        duck.execute(f"CREATE TABLE score AS {query}")
    duck.execute(SPOIL.format(table="score"))
    started = time.perf_counter()
    duck.execute(f"CREATE OR REPLACE TABLE fresh AS {query}")
    duck.execute(
        """
        UPDATE score SET paid = n.paid, fv = n.fv, mv = n.mv, r = n.r, f = n.f, m = n.m,
            rfm_class = n.rfm_class, layer = n.layer
        FROM fresh n WHERE n.member_id = score.member_id
          AND (score.paid, score.fv, score.mv, score.r, score.f, score.m, score.rfm_class, score.layer)
              <> (n.paid, n.fv, n.mv, n.r, n.f, n.m, n.rfm_class, n.layer)
        """
    )
    return time.perf_counter() - started


def check(duck: Any) -> None:
    """All sides have the same answer: a fast wrong one would not count."""
    columns = "member_id, frequency, monetary, r, f, m, rfm_class, layer"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns} FROM analytics_rfmscore ORDER BY member_id")
        ours = cursor.fetchall()
        cursor.execute(f"SELECT {columns} FROM bench_score ORDER BY member_id")
        assert cursor.fetchall() == ours, "pandas has another answer"
    theirs = duck.execute(
        "SELECT member_id, fv, mv, r, f, m, rfm_class, layer FROM score ORDER BY member_id"
    ).fetchall()
    assert theirs == ours, "DuckDB has another answer"


def timed_orm(run: Any, sample: list[int], since: datetime, until: datetime) -> float:
    """The loop that a Django developer writes first, with the cut points given for free."""
    scales = {
        name: rules.Scale(tuple(run.cuts[name]), run.middles[name]["high_from"], 0.0) for name in rules.DIMENSIONS
    }
    started = time.perf_counter()
    for member_id in sample:
        found = Order.objects.filter(member_id=member_id, counts=True, paid_at__gte=since, paid_at__lt=until).aggregate(
            last=Max("paid_at"), frequency=Count("id"), monetary=Sum("net_amount")
        )
        back = Refund.objects.filter(
            member_id=member_id, order=None, refunded_at__gte=since, refunded_at__lt=until
        ).aggregate(amount=Sum("amount"))["amount"]
        days = (run.as_of - clock.shop_date(found["last"])).days
        frequency, monetary = found["frequency"], found["monetary"] - (back or 0)
        r, f, m = (
            rules.score(name, value, scales[name].cuts)
            for name, value in (("r", days), ("f", frequency), ("m", monetary))
        )
        RfmScore.objects.update_or_create(
            model_id=run.model_id,
            member_id=member_id,
            defaults={
                "last_paid_at": found["last"],
                "frequency": frequency,
                "monetary": monetary,
                "r": r,
                "f": f,
                "m": m,
                "rfm_class": rules.class_of(scales, r_days=days, frequency=frequency, monetary=monetary),
                "layer": rules.layer_of(r, f, m),
            },
        )
    return time.perf_counter() - started
