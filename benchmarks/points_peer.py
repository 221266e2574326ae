"""The points ledger as it is usually written with Django: rows locked and saved by the ORM, one after the other.

The same job as the product's functions for an earning and a spending: references booked once, the member and the
account held, a look at what has fallen due, lots consumed by expiry with an allocation each, entries with both sides,
balances. Over the same tables, with the same constraints and triggers.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import F

from members.models import (
    Member,
    MemberSummary,
    PointsAccount,
    PointsAllocation,
    PointsCurrency,
    PointsEntry,
    PointsHold,
    PointsLot,
)
from scrm.common.transactions import atomic


def earn(*, member_id: int, amount: int, reference: str, now: datetime) -> None:
    with atomic():
        currency, account = _hold(member_id, now)
        if _known(account, "earn", reference, amount):
            return
        if not Member.objects.filter(pk=member_id, status="active").exists():
            raise ValueError("no such member")
        owed = max(-account.available, 0)
        entry = _append(account, "earn", "issued", "available", amount, reference, now)
        lot = PointsLot.objects.create(
            member_id=member_id, currency=currency, number=entry.number, earned=amount, remaining=amount, active=True,
            earned_at=now, activates_at=now, expires_at=now + timedelta(days=365), source=f"order:{reference}",
        )  # fmt: skip
        if owed:
            _take(account, entry, lot, min(owed, amount))
        account.due_at = min(account.due_at or lot.expires_at, lot.expires_at)
        _save(account)


def spend(*, member_id: int, amount: int, reference: str, now: datetime) -> None:
    with atomic():
        currency, account = _hold(member_id, now)
        if _known(account, "spend", reference, amount):
            return
        if not Member.objects.filter(pk=member_id, status="active").exists():
            raise ValueError("no such member")
        if not currency.spendable or account.available < amount:
            raise ValueError("cannot be spent")
        entry = _append(account, "spend", "available", "redeemed", amount, reference, now)
        rest = amount
        lots = PointsLot.objects.select_for_update().filter(
            member_id=member_id, currency=currency, active=True, remaining__gt=F("held")
        )
        for lot in lots.order_by(F("expires_at").asc(nulls_last=True), "earned_at", "number"):
            part = min(rest, lot.remaining - lot.held)
            _take(account, entry, lot, part)
            rest -= part
            if not rest:
                break
        _save(account)


def _hold(member_id: int, now: datetime) -> tuple[PointsCurrency, PointsAccount]:
    currency = PointsCurrency.objects.get(key="points")
    MemberSummary.objects.select_for_update().get(member_id=member_id)
    PointsAccount.objects.get_or_create(member_id=member_id, currency=currency)
    account = PointsAccount.objects.select_for_update().get(member_id=member_id, currency=currency)
    if account.due_at is not None and account.due_at <= now:
        holds = PointsHold.objects.filter(member_id=member_id, currency=currency, state="open", expires_at__lte=now)
        lots = PointsLot.objects.filter(member_id=member_id, currency=currency, remaining__gt=0, expires_at__lte=now)
        if holds.exists() or lots.exists():
            raise ValueError("the benchmark's points do not expire")
    return currency, account


def _known(account: PointsAccount, kind: str, reference: str, amount: int) -> bool:
    found = PointsEntry.objects.filter(
        member_id=account.member_id, currency_id=account.currency_id, kind=kind, reference=reference,
        transaction=F("number"),
    ).first()  # fmt: skip
    if found is not None and found.amount != amount:
        raise ValueError("another amount")
    return found is not None


def _append(
    account: PointsAccount, kind: str, debit: str, credit: str, amount: int, reference: str, now: datetime
) -> PointsEntry:
    account.last_number += 1
    account.available += amount if credit == "available" else -amount
    return PointsEntry.objects.create(
        member_id=account.member_id, currency_id=account.currency_id, number=account.last_number,
        transaction=account.last_number, kind=kind, debit=debit, credit=credit, amount=amount,
        available_after=account.available, reference=reference, actor="system", occurred_at=now, booked_at=now,
    )  # fmt: skip


def _take(account: PointsAccount, entry: PointsEntry, lot: PointsLot, part: int) -> None:
    lot.remaining -= part
    lot.save(update_fields=["remaining"])
    PointsAllocation.objects.create(
        member_id=account.member_id, currency_id=account.currency_id, entry=entry.number, lot=lot.number,
        origin=entry.number, taken=part,
    )  # fmt: skip


def _save(account: PointsAccount) -> None:
    account.save(update_fields=["available", "last_number", "due_at"])
