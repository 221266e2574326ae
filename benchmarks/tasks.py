"""Counting the funnels of tasks: one that everybody began, one for every month, and one that has just been started.

Measured are what the page costs (what it counts from rows, and the counts it reads) and the count of everybody.
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Callable
from typing import Any

from django.db import connection, transaction

from members.models import Task
from members.operations import task_funnels as acts
from members.queries import task_funnels
from scrm.common import bulk, clock

_TABLES = ["members_member", "members_taskprogress", "members_taskcompletion"]
MONTHS = 3


def main(size: int) -> None:
    ids = _fill(size)
    acts.count(now=clock.now())  # plans and pages are warm
    counted_s, _none = _timed(lambda: acts.count(now=clock.now()))
    found = task_funnels.funnels(ids)
    live = task_funnels.counts(ids)
    assert {pk: dataclasses.astuple(one)[:5] for pk, one in found.items()} == live  # noqa: S101  # a benchmark
    page_s = min(_timed(lambda: task_funnels.funnels(ids))[0] for _ in range(5))
    rows_s = min(_timed(lambda: _from_rows(ids))[0] for _ in range(2))
    print(f"{[one.started for one in found.values()]} begun, {[one.done for one in found.values()]} done")
    print(f"the page {page_s * 1_000:.1f} ms; counting all rows {rows_s:.1f} s; the hourly count {counted_s:.1f} s")
    figures = {
        "members": size, "page_ms": round(page_s * 1_000, 1), "all_rows_s": round(rows_s, 1),
        "hourly_count_s": round(counted_s, 1), "load": round(os.getloadavg()[0], 1),
    }  # fmt: skip
    ratios = {"page_x_faster_than_all_rows": round(rows_s / page_s)}
    print("BENCH " + json.dumps({"name": "tasks", "ratios": ratios, "figures": figures}))


def _from_rows(ids: list[int]) -> None:
    """What a page cost when it counted every row."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT task_id, count(DISTINCT member_id) FROM members_taskprogress WHERE task_id = ANY(%s) GROUP BY 1",
            [ids],
        )
        cursor.execute(
            """
            SELECT task_id, count(DISTINCT member_id), count(DISTINCT member_id) FILTER (WHERE rewarded_at IS NOT NULL),
                   count(*), count(rewarded_at)
            FROM members_taskcompletion WHERE task_id = ANY(%s) AND undone_at IS NULL GROUP BY 1
            """,
            [ids],
        )


def _fill(size: int) -> list[int]:
    """Members, who stay for the next run, and what they have done, in the order in which it happened: any."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute("SELECT count(*) FROM members_taskprogress")
        ids = list(Task.objects.order_by("position").values_list("pk", flat=True))
        if cursor.fetchone()[0] >= size:
            return ids
        cursor.execute("TRUNCATE members_task, members_taskprogress, members_taskcompletion CASCADE")
        everybody, monthly, fresh = [
            Task.objects.create(
                key=key, name=key, position=place, kind="order", counting={}, needed=2, state="active",
                window=window, times=times, rewards=[{"kind": "points", "currency": "points", "amount": 10}],
            ).pk
            for place, (key, window, times) in enumerate(
                [("everybody", "whole", 1), ("monthly", "month", 0), ("fresh", "whole", 1)]
            )
        ]  # fmt: skip
        with bulk.without_indexes(_TABLES):
            cursor.execute(
                """
                INSERT INTO members_member (status, name, gender, province, city, country, language, time_zone,
                                            phone_masked, email_masked, joined_at)
                SELECT 'active', '', '', '', '', '', '', '', '', '', now() - interval '3 years'
                FROM generate_series((SELECT count(*) FROM members_member) + 1, %s)
                """,
                [size],
            )
            cursor.execute("SELECT min(id) FROM members_member")
            first = cursor.fetchone()[0]
            cursor.execute(
                """
                CREATE TEMPORARY TABLE begun ON COMMIT DROP AS
                SELECT %(all)s AS task_id, m AS member_id, '1' AS cycle, m %% 10 < 6 AS done
                FROM generate_series(%(first)s, %(last)s) m
                UNION ALL
                SELECT %(monthly)s, m, '2026-0' || c || '-01', (m / 5 + c) %% 2 = 0
                FROM generate_series(%(first)s, %(last)s, 5) m, generate_series(1, %(months)s) c
                UNION ALL
                SELECT %(fresh)s, m, '1', m %% 2 = 0 FROM generate_series(%(first)s, %(last)s, 1000) m
                """,
                {
                    "all": everybody,
                    "monthly": monthly,
                    "fresh": fresh,
                    "first": first,
                    "last": first + size - 1,
                    "months": MONTHS,
                },
            )
            cursor.execute(
                """
                INSERT INTO members_taskprogress (member_id, task_id, cycle, value, done, started_at)
                SELECT member_id, task_id, cycle, done::int + 1, done, now() FROM begun ORDER BY random()
                """
            )
            cursor.execute(
                """
                INSERT INTO members_taskcompletion (member_id, task_id, cycle, round, version, completed_at, noted_at,
                                                    rewarded_at, out_of_stock)
                SELECT member_id, task_id, cycle, 1, 1, now(), now(), CASE WHEN member_id % 8 > 0 THEN now() END, FALSE
                FROM begun WHERE done ORDER BY random()
                """
            )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE members_member, members_taskprogress, members_taskcompletion")
    return [everybody, monthly, fresh]


def _timed(act: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    found = act()
    return time.perf_counter() - started, found
