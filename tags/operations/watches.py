"""Watches: conditions whose answer is kept for everyone.

The answer follows the facts in the transaction that lands them (`react`), the clock by instants that were worked out
ahead (`sweep`), and what is computed elsewhere when that says so (`refresh`). Writing order is the same everywhere, so
that nobody waits in a circle: member rows, then `summaries.hold`, then the gate, then tags and answers.

The gate: whoever settles answers passes through it shared, for the rest of the transaction; `watch_runs` shuts it for
a moment after a watch was enabled or changed. A batch that did not yet know of the watch has then committed, and an
evaluation of everyone sees its facts.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from django.db import connection

from members.operations import summaries
from scrm.common import clock, conditions
from scrm.common.errors import DomainError, NotFound
from scrm.common.gates import Signatures
from scrm.common.reactions import Facts
from scrm.common.transactions import atomic
from tags.enums import WatchKind
from tags.models import Watch
from tags.operations import watch_breaks, watch_effects, watch_runs
from tags.operations.watch_rounds import answers, follow, follow_moves
from tags.operations.watch_runs import Evaluated, evaluate_everyone
from tags.operations.watch_statements import Block, read
from tags.operations.watches_known import GATE
from tags.queries import watches as queries

__all__ = [
    "Evaluated", "change", "create", "disable", "discard", "enable", "evaluate_everyone", "follow", "follow_moves",
    "purge", "react", "reconsider", "refresh", "sweep", "sweep_due",
]  # fmt: skip

_CHUNK = 1_000
# Rows of a watch that are removed in one transaction.
_AT_ONCE = 20_000
# Of what is due at a tick so many chunks are swept gently, with a rest behind each; what is left then is a backlog.
_GENTLE_CHUNKS = 40
_CHUNKS = 100
_GENTLE_SIZE, _SIZE = 50, 200


def react(facts: Facts, signatures: Signatures) -> None:
    """Bring every watch up to date with a batch of facts, inside its transaction."""
    touched = {topic: facts.touched(topic) for topic in facts.topics}
    only_events = all(topic.startswith("event:") for topic in touched)
    follow(
        touched,
        occurred=facts.occurred if only_events else None,
        known=GATE.known(signatures),
        now=facts.now,
    )


def refresh(*, topics: Collection[str], member_ids: Collection[int], now: datetime) -> None:
    """Bring the watches that hang on the topics up to date for these members: for what was computed elsewhere.

    In chunks, each a transaction of its own unless one is open.
    """
    # What is committed already is seen by the evaluation of a watch that is enabled from now on.
    if not connection.in_atomic_block and not any(watch.enabled for watch in queries.hanging_on(topics)):
        return
    ordered = sorted(set(member_ids))
    for start in range(0, len(ordered), _CHUNK):
        chunk = ordered[start : start + _CHUNK]
        with atomic():
            summaries.hold(chunk)
            follow(dict.fromkeys(topics, chunk), now=now)


def sweep_due() -> int:
    """Sweep everything that is due, as a tick of the clock does; answers how many answers. The next tick goes on.

    Gently: batches of facts come first, so a few are swept at a time, and then nothing for as long as that took. A
    backlog, as after a standstill or at midnight, is swept in larger chunks and without rest.
    """
    swept = 0
    for number in range(_CHUNKS):
        gentle = number < _GENTLE_CHUNKS
        started = time.perf_counter()
        found = sweep(now=clock.now(), limit=_GENTLE_SIZE if gentle else _SIZE)
        if not found:
            break
        swept += found
        if gentle:
            time.sleep(time.perf_counter() - started)
    return swept


def sweep(*, now: datetime, limit: int = _SIZE) -> int:
    """Evaluate what time alone may have turned by now, for just the members concerned; answers how many answers.

    Few at once: their members are held, and facts about them wait. Several may sweep at once: each passes over the
    members that another one, or an intake, is busy with.
    """
    with atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT watch_id, member_id FROM tags_watchflip WHERE due_at <= %s ORDER BY due_at LIMIT %s",
                [now, limit],
            )
            due = cursor.fetchall()
        if not due:
            return 0
        held = set(summaries.hold({member_id for _, member_id in due}, wait=False))
        watches = GATE.enter(now=now, by_index=True)
        asked: dict[int, set[int]] = {}
        idle = []
        for watch_id, member_id in due:
            if watch_id not in watches.by_id:
                idle.append((watch_id, member_id))
            elif member_id in held:
                asked.setdefault(watch_id, set()).add(member_id)
        if idle:
            _forget(idle)
        if asked:
            follow_moves(watch_effects.apply(answers(watches, asked, now=now), now=now), now=now)
        return len(idle) + sum(map(len, asked.values()))


def _forget(flips: Iterable[tuple[int, int]]) -> None:
    """Flips of watches that are switched off; enabling one works them out anew."""
    listed = list(flips)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            DELETE FROM tags_watchflip f USING unnest(%s::bigint[], %s::bigint[]) AS v (watch_id, member_id)
            WHERE f.watch_id = v.watch_id AND f.member_id = v.member_id
            """,
            [[watch_id for watch_id, _ in listed], [member_id for _, member_id in listed]],
        )


def create(*, kind: str, condition: Any, now: datetime) -> Watch:
    """A new watch, switched off. `condition` is raw JSON.

    Raises `conditions.BadCondition`, and `Invalid` (`cycle`, `too_deep`, `unusable`) as compiling does.
    """
    with atomic():
        depends = _checked(condition, now)
        return Watch.objects.create(kind=WatchKind(kind), condition=condition, depends=depends)


def change(*, watch_id: int, condition: Any, now: datetime) -> Watch:
    """Give a watch another condition; when it is enabled, everyone is evaluated again. Raises as `create` does."""
    with atomic():
        watch = _locked(watch_id)
        watch.depends = _checked(condition, now)
        watch.condition = condition
        watch.version += 1
        watch.broken = ""
        watch.save(update_fields=["depends", "condition", "version", "broken"])
        if watch.enabled:
            watch_runs.queue(watch)
        return watch


def enable(*, watch_id: int, now: datetime) -> Watch:
    """Switch a watch on: from now on it follows every fact; everyone is evaluated in the background.

    Raises as `create` does when its condition can no longer be used. Twice changes nothing.
    """
    with atomic():
        watch = _locked(watch_id)
        if not watch.enabled:
            watch.depends = _checked(watch.condition, now)
            watch.enabled, watch.broken, watch.evaluated_at = True, "", None
            # Others moved on while it stood still, also where the condition is the same.
            watch.version += 1
            watch.save(update_fields=["depends", "enabled", "broken", "evaluated_at", "version"])
            watch_runs.queue(watch)
        return watch


def disable(*, watch_id: int, now: datetime | None = None) -> Watch:
    """Switch a watch off. What it has found stays. Twice changes nothing."""
    with atomic():
        watch = _locked(watch_id)
        if watch.enabled:
            watch.enabled = False
            watch.save(update_fields=["enabled"])
        return watch


def discard(*, watch_id: int) -> None:
    """Remove a watch and what it has found: at once when that is little, else switched off until `purge`."""
    with atomic():
        disable(watch_id=watch_id)
        if _emptied(watch_id):
            Watch.objects.filter(pk=watch_id).delete()


def purge() -> int:
    """Remove the watches that nothing refers to any more; answers how many are gone."""
    gone = 0
    for watch_id in Watch.objects.filter(enabled=False, rule=None, segment=None).values_list("pk", flat=True):
        while True:
            with atomic():
                if _emptied(watch_id):
                    Watch.objects.filter(pk=watch_id).delete()
                    gone += 1
                    break
    return gone


def _emptied(watch_id: int) -> bool:
    """Remove some of what a watch has found; whether nothing is left."""
    with connection.cursor() as cursor:
        left = 0
        for table in ("tags_watchflip", "tags_watchmember"):
            cursor.execute(
                f"""
                DELETE FROM {table} WHERE watch_id = %s AND member_id IN (
                    SELECT member_id FROM {table} WHERE watch_id = %s ORDER BY member_id LIMIT %s)
                """,
                [watch_id, watch_id, _AT_ONCE],
            )
            left += cursor.rowcount == _AT_ONCE
    return not left


def reconsider(*, topics: Collection[str], now: datetime) -> int:
    """What conditions name was itself redefined (a segment's condition, the default RFM model, an attribute).

    `topics` say what ("segment:5", "rfm", "attribute"). Enabled watches that hang on it are read anew and evaluated
    for everyone; those that can no longer be read are marked broken. Answers how many watches were concerned.
    """
    found = queries.hanging_on(topics)
    for watch in found:
        with atomic():
            try:
                with atomic():
                    change(watch_id=watch.pk, condition=watch.condition, now=now)
            except DomainError as error:
                watch_breaks.mark(watch.pk, str(error.message))
    return len(found)


def _checked(condition: Any, now: datetime) -> list[str]:
    """What the condition hangs on. It is run once, for nobody, so that what is stored can be run."""
    watched = read(0, 0, condition, interest=False)
    conditions.compile_condition(watched.node, as_of=now)
    watch_breaks.try_out(Block([watched]), now=now)
    return sorted(watched.topics)


def _locked(watch_id: int) -> Watch:
    watch = Watch.objects.select_for_update(no_key=True).filter(pk=watch_id).first()
    if watch is None:
        raise NotFound("There is no such watch.")
    return watch
