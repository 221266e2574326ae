"""Looking at everybody's membership tier again: growth of twelve rolling months, four levels.

Each member has growth lots of the last two years. Measured are the first placing, a night in which nothing has changed,
one in which one per cent of the members have earned more or are due, and the exact preview of a changed ladder.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
from django.db import connection, transaction

from members.models import PointsCurrency, TierScheme
from members.operations import currencies, tier_schemes, tier_trials, tiers
from members.operations.tier_schemes import Content, StepContent
from scrm.common import bulk, clock, jobs
from scrm.common.access import SYSTEM

_TABLES = ["members_member", "members_membersummary", "members_pointslot"]
LOTS_EACH = 4


def main(size: int) -> None:
    currencies.get("growth")
    currency = PointsCurrency.objects.get(key="growth").pk
    _fill(size, currency)
    now = clock.now()
    steps = [("basic", 0), ("silver", 500), ("gold", 2_000), ("diamond", 6_000)]
    tier_schemes.save(
        content=Content(steps=[StepContent(name=key, key=key, threshold=threshold) for key, threshold in steps]),
        version=0, actor=SYSTEM, now=now,
    )  # fmt: skip
    first, placed = _timed(now)
    print(f"first placing of {size:,}: {first:.1f} s, {placed:,} above the lowest")
    night, written = _timed(now + timedelta(minutes=1))
    print(f"nothing new: {night:.1f} s, {written:,} written")
    # One per cent have earned enough for another level.
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE members_pointslot SET earned = earned + 20000, remaining = remaining + 20000"
            " WHERE member_id %% 100 = 0 AND number = 1 AND currency_id = %s",
            [currency],
        )
        cursor.execute("UPDATE members_pointslot SET earned_at = %s WHERE member_id %% 100 = 0 AND number = 1", [now])
    changed_s, changed = _timed(now + timedelta(minutes=2))
    print(f"one per cent new: {changed_s:.1f} s, {changed:,} written")
    preview_s = _previewed(now)
    print(f"exact preview of a changed ladder: {preview_s:.1f} s")
    figures = {
        "exact_preview_1m_s": round(preview_s * 1_000_000 / size, 1),
        "members": size, "evaluate_1m_s": round(changed_s * 1_000_000 / size, 1), "changed": changed,
        "first_placing_1m_s": round(first * 1_000_000 / size, 1), "placed": placed,
        "nothing_new_1m_s": round(night * 1_000_000 / size, 1), "load": round(os.getloadavg()[0], 1),
    }  # fmt: skip
    print("BENCH " + json.dumps({"name": "tiers", "ratios": {}, "figures": figures}))


def _previewed(now: datetime) -> float:
    """Everybody by a ladder of which every threshold is lower by a fifth, as the job counts them."""
    former = tier_schemes.content_of(TierScheme.objects.get())
    content = replace(former, steps=[replace(step, threshold=step.threshold * 4 // 5) for step in former.steps])
    content = replace(content, steps=[replace(step, retention=step.threshold) for step in content.steps])
    started = time.perf_counter()
    trial = tier_trials.queue(content=content, actor=SYSTEM, now=now)
    jobs.run(job_id=trial.job_id or 0, handler=lambda _job_id, progress: tier_trials.run(progress=progress))
    return time.perf_counter() - started


def _timed(now: datetime) -> tuple[float, int]:
    started = time.perf_counter()
    changed = tiers.evaluate_everyone(now=now)
    return time.perf_counter() - started, changed


def _fill(size: int, currency: int) -> None:
    """Members, who stay for the next run, with growth of two years; no ladder, and nobody placed yet."""
    rng = np.random.default_rng(7)
    now = int(clock.now().timestamp())
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute("TRUNCATE members_tier, members_tierscheme, members_membertier, members_tiermove CASCADE")
        cursor.execute("DELETE FROM members_pointslot WHERE currency_id = %s", [currency])
        with bulk.without_indexes(_TABLES):
            cursor.execute(
                """
                WITH made AS (
                    INSERT INTO members_member (status, name, gender, province, city, country, language, time_zone,
                                                phone_masked, email_masked, joined_at)
                    SELECT 'active', '', '', '', '', '', '', '', '', '', now() - interval '3 years'
                    FROM generate_series((SELECT count(*) FROM members_member) + 1, %s) RETURNING id
                ) INSERT INTO members_membersummary (member_id) SELECT id FROM made
                """,
                [size],
            )
            cursor.execute("SELECT id FROM members_member ORDER BY id LIMIT %s", [size])
            ids = np.array(cursor.fetchall(), np.int64)[:, 0]
            member = np.repeat(ids, LOTS_EACH)
            amount = np.maximum(rng.lognormal(5, 1.2, len(member)), 1).astype(np.int64)
            at = bulk.timestamps(now - (rng.random(len(member)) * 730 * 86_400).astype(np.int64))
            bulk.copy_columns(
                "members_pointslot",
                {
                    "member_id": member, "currency_id": np.full(len(member), currency, np.int64),
                    "number": np.tile(np.arange(1, LOTS_EACH + 1, dtype=np.int64), size), "earned": amount,
                    "remaining": amount, "active": np.ones(len(member), bool), "earned_at": at, "activates_at": at,
                },
            )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE members_member, members_membersummary, members_pointslot")
