"""After a publication: conditions that hang on scores or stages are looked at again for the members who changed.

Once per run and again after a crash, in chunks with a transaction each; nothing to do while no condition is watched.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django.db import connection

from analytics.enums import RunState
from analytics.models import LifecycleRun, RfmRun
from tags.operations import watches
from tags.queries.watches import hanging_on

CHUNK = 5_000
Tick = Callable[[], None]

# Each answers the next ids, in order.
_SCORED = """
    SELECT member_id FROM analytics_rfmscore WHERE model_id = %(model)s AND run_id = %(run)s AND member_id > %(last)s
    ORDER BY member_id LIMIT %(chunk)s
"""
_UNSCORED = """
    SELECT member_id FROM analytics_rfmchange WHERE run_id = %(run)s AND class_after = '' AND member_id > %(last)s
    ORDER BY member_id LIMIT %(chunk)s
"""
_MOVED = """
    SELECT DISTINCT member_id FROM analytics_stagechange WHERE run_id = %(run)s AND member_id > %(last)s
    ORDER BY member_id LIMIT %(chunk)s
"""
# The first run logs no changes: it is about everybody.
_EVERYBODY = """
    SELECT member_id FROM analytics_memberstage WHERE member_id > %(last)s ORDER BY member_id LIMIT %(chunk)s
"""


def follow_rfm(*, run_id: int, now: datetime, tick: Tick = lambda: None) -> int:
    """Bring watched conditions up to date after this run; answers for how many members. `tick` is called per chunk."""
    run = RfmRun.objects.filter(pk=run_id, state=RunState.PUBLISHED, followed_at=None).first()
    if run is None:
        return 0
    changed = 0
    if hanging_on({"rfm"}):
        values = {"model": run.model_id, "run": run.pk}
        changed = sum(_refresh("rfm", sql, values, now, tick) for sql in (_SCORED, _UNSCORED))
    RfmRun.objects.filter(pk=run.pk).update(followed_at=now)
    return changed


def follow_lifecycle(*, run_id: int, now: datetime, tick: Tick = lambda: None) -> int:
    """The same after a run of stages."""
    run = LifecycleRun.objects.filter(pk=run_id, state=RunState.PUBLISHED, followed_at=None).first()
    if run is None:
        return 0
    changed = 0
    if hanging_on({"lifecycle"}):
        first = not LifecycleRun.objects.filter(state=RunState.PUBLISHED, pk__lt=run.pk).exists()
        changed = _refresh("lifecycle", _EVERYBODY if first else _MOVED, {"run": run.pk}, now, tick)
    LifecycleRun.objects.filter(pk=run.pk).update(followed_at=now)
    return changed


def _refresh(topic: str, sql: str, values: dict[str, int], now: datetime, tick: Tick) -> int:
    """Chunks of ids, so that a shop of ten million never has them all in memory."""
    last, done = 0, 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(sql, {**values, "last": last, "chunk": CHUNK})
            member_ids = [row[0] for row in cursor.fetchall()]
        if not member_ids:
            return done
        watches.refresh(topics={topic}, member_ids=member_ids, now=now)
        last, done = member_ids[-1], done + len(member_ids)
        tick()
