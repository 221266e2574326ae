"""Tasks and facts for tests, in few words: days are counted from NOW, a Saturday noon in Shanghai."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from members.models import EventType, Member, PointsAccount, Task, TaskCompletion, TaskProgress
from members.operations import intake, task_runs, tasks
from members.operations.task_definitions import Content
from members.rules.intake import EventIn, IdentityIn, MemberIn, MemberRef, OrderIn, Outcome, RefundIn
from tests.factories import NOW

LONG_AGO = NOW - timedelta(days=60)
_numbers = itertools.count(1)


def points(amount: int, currency: str = "points") -> dict[str, Any]:
    return {"kind": "points", "currency": currency, "amount": amount}


def make_task(key: str = "reads", *, started: bool = True, since: datetime = LONG_AGO, **values: Any) -> Task:
    """A task that has been active since long ago: three page views for 30 points, unless said otherwise."""
    values.setdefault("name", key)
    values.setdefault("kind", "event")
    if values["kind"] == "event":
        values.setdefault("counting", {"types": ["page"]})
        for kind in values["counting"]["types"]:
            EventType.objects.get_or_create(key=kind)
        values.setdefault("needed", 3)
    values.setdefault("counting", {})
    values.setdefault("rewards", [points(30)])
    values["after"] = [one.pk for one in values.get("after", [])]
    task = tasks.create(key=key, content=Content(**values), now=since)
    if started:
        tasks.start(task_id=task.pk, now=since)
        task_runs.evaluate_everyone(task_id=task.pk, now=since)
        task.refresh_from_db()
    return task


def at(days: float = 0, **more: float) -> datetime:
    """So many days after NOW."""
    return NOW + timedelta(days=days, **more)


def event(member: Member, when: datetime = NOW, *, id: str = "", type: str = "page", **properties: Any) -> EventIn:
    amount = properties.pop("amount", None)
    return EventIn(
        source="shop", message_id=id or f"m{next(_numbers)}", type=type, occurred_at=when,
        member=MemberRef(member_id=member.pk), amount=None if amount is None else Decimal(amount),
        properties=properties,
    )  # fmt: skip


def do(member: Member, *whens: datetime, now: datetime = NOW, **values: Any) -> list[Outcome]:
    return intake.land_events(items=[event(member, when, **values) for when in whens or (now,)], now=now)


def order(
    member: Member, amount: str = "100", when: datetime = NOW, *, number: str = "", state: str = "paid", **values: Any
) -> OrderIn:
    return OrderIn(
        source="shop", number=number or f"A{next(_numbers)}", member=MemberRef(member_id=member.pk), state=state,
        ordered_at=when, paid_at=when if state != "created" else None, amount=Decimal(amount), **values,
    )  # fmt: skip


def buy(member: Member, amount: str = "100", when: datetime = NOW, *, now: datetime = NOW, **values: Any) -> None:
    (outcome,) = intake.land_orders(items=[order(member, amount, when, **values)], now=now)
    assert outcome.status in ("accepted", "updated"), outcome


def refund(
    member: Member, number: str, amount: str, *, id: str = "", when: datetime = NOW, now: datetime = NOW
) -> None:
    item = RefundIn(
        source="shop", number=id or f"R{next(_numbers)}", amount=Decimal(amount), refunded_at=when,
        order_number=number, member=MemberRef(member_id=member.pk),
    )  # fmt: skip
    (outcome,) = intake.land_refunds(items=[item], now=now)
    assert outcome.status == "accepted", outcome


def fill_in(member: Member, *, now: datetime = NOW, phone: str = "", **values: Any) -> None:
    named = [IdentityIn(kind="phone", value=phone)] if phone else []
    item = MemberIn(source="shop", member_id=member.pk, identities=named, **values)
    (outcome,) = intake.land_members(items=[item], now=now)
    assert outcome.status in ("accepted", "updated", "duplicate"), outcome


def done(member: Member, task: Task) -> list[str]:
    """The cycles that the member has done and that stand."""
    found = TaskCompletion.objects.filter(member=member, task=task, undone_at=None)
    return sorted(found.values_list("cycle", flat=True))


def progress(member: Member, task: Task) -> dict[str, int]:
    return dict(TaskProgress.objects.filter(member=member, task=task).values_list("cycle", "value"))


def balance(member: Member, currency: str = "points") -> int:
    found = PointsAccount.objects.filter(member=member, currency__key=currency)
    return found.values_list("available", flat=True).first() or 0
