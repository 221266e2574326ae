"""What follows a task that was done or undone: its rewards, the timeline, and whatever hangs on tasks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from members.models import Task, TaskStock
from members.operations import columns, rewards, timeline
from members.operations.rewards import Gift
from members.operations.task_rows import Done, Undone
from members.operations.tasks_known import Known, KnownTask
from scrm.common import reactions
from scrm.common.gates import Signatures
from scrm.common.reactions import Facts

TOPIC = "task"
COMPLETED, UNDONE = "task.completed", "task.undone"


def source(task_id: int, cycle: str) -> str:
    """What the rewards of one doing go back by."""
    return f"task:{task_id}:{cycle}"


def follow(
    done: Sequence[Done],
    undone: Sequence[Undone],
    turned: Collection[int],
    *,
    known: Known,
    now: datetime,
    signatures: Signatures | None = None,
) -> None:
    """Take back what was undone, reward what was done, and say so. Inside the transaction that holds the members.

    `turned`: members of whom conditions on tasks may answer otherwise although nothing was done or undone.
    `signatures`: the gates were passed already.
    """
    if not done and not undone and not turned:
        return
    _take_back(undone, now)
    automatic = [one for one in done if known.tasks[one.task_id].automatic]
    reward(automatic, tasks=known.tasks, claimed=False, now=now)
    names = {task.id: task for task in known.tasks.values()}
    _note(COMPLETED, [(one, min(one.completed_at, now)) for one in done], names, now)
    _note(UNDONE, [(one, now) for one in undone], names, now)
    members_of = {TOPIC: {one.member_id for one in done} | {one.member_id for one in undone} | set(turned)}
    for kind, moved in ((COMPLETED, done), (UNDONE, undone)):
        if moved:
            members_of[f"event:{kind}"] = {one.member_id for one in moved}
    reactions.run(
        Facts(
            now=now,
            member_ids=sorted(members_of[TOPIC]),
            topics=frozenset(members_of),
            members_of=members_of,
        ),
        signatures,
    )


def reward(
    done: Collection[Done], *, tasks: Mapping[int, KnownTask], claimed: bool, now: datetime
) -> set[tuple[int, int, str]]:
    """Give the rewards of what was done, as far as stock lasts; answers (task, member, cycle) of what was left out."""
    left_out: set[tuple[int, int, str]] = set()
    given: list[Done] = []
    for task_id in sorted({one.task_id for one in done}):
        mine = sorted((one for one in done if one.task_id == task_id), key=lambda one: (one.member_id, one.cycle))
        free = _take_stock(task_id, len(mine)) if tasks[task_id].limited else len(mine)
        given += mine[:free]
        left_out |= {(task_id, one.member_id, one.cycle) for one in mine[free:]}
    _mark(given, "rewarded_at = %s" + (", claimed_at = %s" if claimed else ""), [now] * (2 if claimed else 1))
    # What is claimed in vain can be claimed again when stock comes back.
    if not claimed:
        _mark([one for one in done if (one.task_id, one.member_id, one.cycle) in left_out], "out_of_stock = TRUE", [])
    gifts = [
        Gift(
            member_id=one.member_id,
            reference=f"{source(one.task_id, one.cycle)}:{one.round}",
            source=source(one.task_id, one.cycle),
            rewards=tasks[one.task_id].rewards,
            reason=tasks[one.task_id].name,
        )
        for one in given
    ]
    if gifts:
        rewards.give(gifts=gifts, now=now)
    return left_out


def _take_stock(task_id: int, wanted: int) -> int:
    """How many of so many completions can still be rewarded; those are taken."""
    stock = Task.objects.values_list("stock", flat=True).get(pk=task_id)
    if stock is None:
        return wanted
    TaskStock.objects.get_or_create(task_id=task_id)
    row = TaskStock.objects.select_for_update().get(task_id=task_id)
    free = max(0, min(wanted, stock - row.taken))
    if free:
        row.taken += free
        row.save(update_fields=["taken"])
    return free


def _take_back(undone: Sequence[Undone], now: datetime) -> None:
    for one in sorted(undone, key=lambda one: (one.task_id, one.member_id, one.cycle)):
        if one.rewarded:
            with connection.cursor() as cursor:
                cursor.execute(
                    "UPDATE members_taskstock SET taken = GREATEST(taken - 1, 0) WHERE task_id = %s", [one.task_id]
                )
            rewards.take_back(
                member_id=one.member_id,
                source=source(one.task_id, one.cycle),
                reason=_("The task no longer counts as done"),
                now=now,
            )


def _mark(done: Sequence[Done], assignment: str, values: list[Any]) -> None:
    if not done:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE members_taskcompletion x SET {assignment}
            FROM unnest(%s::bigint[], %s::bigint[], {columns.TEXTS}) AS v (task_id, member_id, cycle)
            WHERE x.member_id = v.member_id AND x.task_id = v.task_id AND x.cycle = v.cycle
            """,
            [
                *values,
                columns.integers(one.task_id for one in done),
                columns.integers(one.member_id for one in done),
                columns.texts(one.cycle for one in done),
            ],
        )


def _note(
    kind: str, moved: Sequence[tuple[Done | Undone, datetime]], tasks: Mapping[int, KnownTask], now: datetime
) -> None:
    timeline.append(
        source="tasks",
        type=kind,
        rows=[
            (
                one.member_id,
                f"{kind}:{one.task_id}:{one.cycle}:{one.round}",
                at,
                {"task": tasks[one.task_id].key, "name": tasks[one.task_id].name, "cycle": one.cycle},
            )
            for one, at in moved
        ],
        now=now,
    )
