"""Previews of nested conditions: the product beside EXISTS SQL and DuckDB in memory, over the same members.

Each side answers what the console shows while a condition is edited: how many members match, how many of everybody,
how many of them a message reaches on each channel, and the five newest. The product's time is that of the whole call,
with reading which versions hold and who changed. EXISTS SQL is what the product's compiler says, over vacuumed tables
with the product's indexes. DuckDB has everything in memory, codes instead of texts, reach as ready-made columns, and
tags sorted by tag. The answers are compared. The data lives in a database of its own, dropped at the end.
"""

from __future__ import annotations

import gc
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import duckdb
import numpy as np
import pandas as pd
from django.core.management import call_command
from django.db import connection

from benchmarks.segment_data import Data, fill, make
from scrm.common import clock, conditions
from scrm.common.access import SYSTEM
from scrm.common.bitmaps import families, folding
from tags.queries import audiences

DATABASE = "scrm_bench_segment"
DAY = 86_400

MEMORY = """
import django, gc, os
django.setup()
from django.db import connection
from scrm.common.bitmaps import cache, solving
from scrm.common.bitmaps.plans import Having
connection.settings_dict["NAME"] = "{database}"
def resident():
    gc.collect()
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
with connection.cursor() as cursor:
    cursor.execute('''
        SELECT b.version, b.name FROM common_bitmapblob b JOIN common_bitmapslot s ON s.base = b.version
        WHERE s.family = 'tag' AND b.name = 'has=0' OR s.family = 'profile' AND b.name ~ '^(city|gender)='
           OR s.family = 'rfm' AND b.name ~ '^[rfm]=' OR s.family = 'stage' AND b.name ~ '^lifecycle=' ''')
    places = cursor.fetchall()
before = resident()
for place in places:
    cache.load([tuple(place)])
print(len(places), resident() - before)
"""


def main(size: int) -> None:
    """Measure with `size` members."""
    started = time.perf_counter()
    home = connection.settings_dict["NAME"]
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {DATABASE}")
        cursor.execute(f"CREATE DATABASE {DATABASE}")
    connection.close()
    connection.settings_dict["NAME"] = DATABASE
    try:
        call_command("migrate", verbosity=0)
        measure(size, started)
    finally:
        connection.close()
        connection.settings_dict["NAME"] = home
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")


def measure(size: int, started: float) -> None:
    """Fill the database, ask all sides, and print what came out."""
    say = reporter(started)
    data = make(size)
    say("data made")
    tag_ids = fill(data)
    say("tables filled and vacuumed")
    building = {}
    for family in families.every():
        begin = time.perf_counter()
        folding.rebuild(family.name)
        building[family.name] = round(time.perf_counter() - begin, 1)
    say(f"bitmaps built: {building}")
    count, grown = worker_memory()
    duck = load_duckdb(data)
    del data
    gc.collect()
    say("DuckDB loaded")
    with connection.cursor() as cursor:
        cursor.execute("SET jit = off; SET work_mem = '256MB'; SET statement_timeout = 0")
    ratios: dict[str, list[float]] = {"exists": [], "duckdb": [], "broad": []}
    figures: dict[str, Any] = {}
    small = size <= 2_000_000
    repetitions = 3 if small else 1  # of the side that takes seconds to minutes
    for name, (tree, where) in questions(tag_ids).items():
        node = conditions.parse(tree)
        ours, found = timed(partial(audiences.preview, node, actor=SYSTEM, as_of=NOW), 15)
        theirs, row = timed(partial(ask_duckdb, duck, where), 5 if small else 3)
        assert row == answer(found), f"{name}: DuckDB has another answer: {row} instead of {answer(found)}"
        line = f"{name:4} product {ours:9.2f} ms   DuckDB {theirs:9.2f} ms   {found.total:,} of {found.everyone:,}"
        figures[f"{name}_ms"], figures[f"{name}_duckdb_ms"] = round(ours, 2), round(theirs, 1)
        ratios["broad" if name.startswith("B") else "duckdb"].append(theirs / ours)
        if not name.startswith("B"):
            of_rows = partial(audiences.preview_sql, node, actor=SYSTEM, as_of=NOW)
            rows, same = timed(of_rows, repetitions, warm=small)
            assert same == found, f"{name}: SQL has another answer"
            ratios["exists"].append(rows / ours)
            figures[f"{name}_exists_ms"] = round(rows, 1)
            line += f"   EXISTS {rows:10.1f} ms"
        say(line)
    figures |= folding_cost(tag_ids)
    print(f"machine: {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.2f}; {size:,} members")
    print("BENCH " + json.dumps({
        "name": "segment",
        "ratios": {
            "x_faster_than_exists_sql": round(mean(ratios["exists"]), 1),
            "x_faster_than_exists_sql_min": round(min(ratios["exists"]), 1),
            "x_faster_than_duckdb": round(mean(ratios["duckdb"]), 1),
            "x_faster_than_duckdb_min": round(min(ratios["duckdb"]), 1),
            "broad_numeric_x_faster_than_duckdb": round(mean(ratios["broad"]), 1),
            "broad_numeric_x_faster_than_duckdb_min": round(min(ratios["broad"]), 1),
        },
        "figures": {
            "members": size, "worker_mib": round(grown / 2**20, 1), "worker_bitmaps": count,
            "build_s": round(sum(building.values()), 1), "all_s": round(time.perf_counter() - started), **figures,
        },
    }))  # fmt: skip


NOW = clock.now()


def reporter(started: float) -> Callable[[str], None]:
    return lambda text: print(f"[{time.perf_counter() - started:5.0f} s] {text}", flush=True)


def mean(values: list[float]) -> float:
    return math.exp(statistics.fmean(math.log(value) for value in values))


def timed(ask: Callable[[], Any], repetitions: int, *, warm: bool = True) -> tuple[float, Any]:
    """The median time in milliseconds, and the answer."""
    if warm:
        ask()
    times = []
    for _ in range(repetitions):
        begin = time.perf_counter()
        found = ask()
        times.append((time.perf_counter() - begin) * 1000)
    return statistics.median(times), found


def questions(tag: dict[int, int]) -> dict[str, tuple[dict[str, Any], str]]:
    """Conditions as the product and as DuckDB read them. B: broad, over numbers."""
    cities = [f"c{code:04}" for code in (1, 2, 3, 5, 8)]
    ninety = int(NOW.timestamp()) - 90 * DAY
    year = int(NOW.timestamp()) - 180 * DAY
    today = clock.shop_date(NOW)
    youngest = (today.replace(year=today.year - 25)).toordinal()
    oldest = (today.replace(year=today.year - 41)).toordinal()

    def tagged(op: str, *numbers: int) -> dict[str, Any]:
        return {"field": "tag", "op": op, "value": [tag[number] for number in numbers]}

    def leaf(field: str, op: str, value: Any) -> dict[str, Any]:
        return {"field": field, "op": op, "value": value}

    def has(*numbers: int) -> str:
        return f"id IN (SELECT member_id FROM mt WHERE tag_id IN ({', '.join(map(str, numbers))}))"

    return {
        "S1": ({"all": [tagged("any_of", 3), tagged("any_of", 10)]}, f"{has(3)} AND {has(10)}"),
        "S2": (
            {"all": [
                tagged("any_of", 5, 20, 50), tagged("none_of", 7), leaf("rfm.r", "ge", 4), leaf("city", "in", cities),
                leaf("lifecycle", "in", ["sleeping", "returned"]),
            ]},
            f"{has(5, 20, 50)} AND NOT {has(7)} AND r >= 4 AND city IN (1, 2, 3, 5, 8) AND stage >= 1",
        ),
        "S3": (
            {"any": [
                {"all": [tagged("any_of", 1), tagged("none_of", 2),
                         {"any": [leaf("rfm.m", "ge", 4), leaf("order.sum", "gt", "1000")]}]},
                {"all": [leaf("lifecycle", "eq", "returned"), leaf("order.count", "ge", 3),
                         leaf("age", "between", [25, 40])]},
            ]},
            f"({has(1)} AND NOT {has(2)} AND (m >= 4 OR net > 100000))"
            f" OR (stage = 2 AND orders >= 3 AND born <= {youngest} AND born > {oldest})",
        ),
        "S4": (
            {"all": [tagged("all_of", 150, 180), leaf("rfm.r", "eq", 5)]}, f"{has(150)} AND {has(180)} AND r = 5"
        ),
        "S5": (
            {"any": [
                {"all": [tagged("any_of", 2), leaf("city", "in", cities), {"none": [leaf("rfm.r", "le", 2)]}]},
                {"all": [leaf("order.last_at", "in_last", {"n": 90, "unit": "day"}), tagged("any_of", 12, 30),
                         {"none": [tagged("any_of", 4, 6)]}]},
            ]},
            f"({has(2)} AND city IN (1, 2, 3, 5, 8) AND NOT r <= 2)"
            f" OR (last > {ninety} AND {has(12, 30)} AND NOT {has(4, 6)})",
        ),
        "B1": (leaf("order.sum", "ge", "300"), "net >= 30000"),
        "B2": (
            {"all": [leaf("order.count", "ge", 3), leaf("order.sum", "between", ["123.45", "2345.67"])]},
            "orders >= 3 AND net BETWEEN 12345 AND 234567",
        ),
        "B3": (leaf("order.last_at", "in_last", {"n": 180, "unit": "day"}), f"last > {year}"),
    }  # fmt: skip


def answer(found: audiences.Preview) -> tuple[Any, ...]:
    return found.total, found.everyone, *found.reachable.values(), found.sample_ids


def ask_duckdb(duck: Any, where: str) -> tuple[Any, ...]:
    total, email, sms, wecom, sample = duck.execute(
        f"""SELECT count(*), count(*) FILTER (WHERE email), count(*) FILTER (WHERE sms),
                   count(*) FILTER (WHERE wecom), max(id, 5) FROM mp WHERE active AND ({where})"""
    ).fetchone()
    (everyone,) = duck.execute("SELECT count(*) FROM mp WHERE active").fetchone()
    return total, everyone, email, sms, wecom, total, list(sample or [])


def load_duckdb(data: Data) -> Any:
    """The same members, in memory."""
    duck = duckdb.connect()
    duck.execute(f"SET threads = {os.cpu_count()}")
    frames = {
        "id": np.arange(1, data.size + 1, dtype=np.int32), "city": data.city, "r": data.r, "m": data.m,
        "stage": data.stage, "born": data.born, "orders": data.orders, "net": data.net, "last": data.last,
        "email": data.reach["email"], "sms": data.reach["sms"], "wecom": data.reach["wecom"],
        "active": np.ones(data.size, np.bool_),
    }  # fmt: skip
    duck.register("frame", pd.DataFrame(frames))
    duck.execute("CREATE TABLE mp AS SELECT * FROM frame")
    duck.unregister("frame")
    duck.execute("CREATE TABLE mt (tag_id SMALLINT, member_id INTEGER)")
    for number, members in data.tags():
        duck.register("held", pd.DataFrame({"member_id": members.astype(np.int32)}))
        duck.execute(f"INSERT INTO mt SELECT {number}, member_id FROM held")
    return duck


def worker_memory() -> tuple[int, int]:
    """How many bitmaps a fresh process loads, and by how many bytes it grows."""
    environment = {**os.environ, "BITMAP_CACHE_MIB": "4096"}
    code = MEMORY.replace("{database}", DATABASE)
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)  # noqa: S603
    count, grown = done.stdout.split()[-2:]
    return int(count), int(grown)


def folding_cost(tag: dict[int, int]) -> dict[str, Any]:
    """What is stored, and what it takes to fold in 5,000 members with another tag and another order."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT sum(length(data)) FROM common_bitmapblob")
        stored = int(cursor.fetchone()[0])
        cursor.execute(
            """SELECT s.family, sum(length(b.data)) FROM common_bitmapblob b
               JOIN common_bitmapslot s ON s.base = b.version GROUP BY 1"""
        )
        by_family = {name: round(int(size) / 2**20, 1) for name, size in cursor.fetchall()}
        cursor.execute(
            "DELETE FROM tags_membertag WHERE tag_id = %s AND member_id IN"
            " (SELECT member_id FROM tags_membertag WHERE tag_id = %s LIMIT 5000)",
            [tag[1], tag[1]],
        )
        cursor.execute("UPDATE members_membersummary SET net_amount = net_amount + 1 WHERE member_id <= 5000")
    node = conditions.parse({"all": [
        {"field": "tag", "op": "any_of", "value": [tag[1]]}, {"field": "order.sum", "op": "ge", "value": "300"},
    ]})  # fmt: skip
    unfolded, found = timed(lambda: audiences.preview(node, actor=SYSTEM, as_of=NOW), 5)
    begin = time.perf_counter()
    folding.fold_everything()
    folded = time.perf_counter() - begin
    after, same = timed(lambda: audiences.preview(node, actor=SYSTEM, as_of=NOW), 5)
    assert same == found, "folding changed the answer"
    return {
        "stored_mib": round(stored / 2**20, 1), "stored_mib_by_family": by_family,
        "fold_10k_changes_ms": round(folded * 1000), "with_10k_unfolded_ms": round(unfolded, 1),
        "with_10k_folded_ms": round(after, 1),
    }  # fmt: skip
