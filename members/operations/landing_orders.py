"""What a batch of orders and refunds does to what is stored: decided in Python under locks, written set-based."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from members.enums import Rejection
from members.operations import identities, order_rows, references, summaries
from members.operations.identities import Claim, Resolution
from members.operations.order_rows import OrderKey, RefundKey, StoredOrder, StoredRefund
from members.rules.facts import Purchase, Repayment
from members.rules.identities import Named
from members.rules.intake import OrderIn, Outcome, rejected
from members.rules.rejections import ItemRejected
from scrm.common import reactions
from scrm.common.errors import Conflict
from scrm.common.reactions import Facts

# (index of the item, (its identities, its values))
CheckedOrder = tuple[int, tuple[list[Named], Purchase]]
_ATTEMPTS = 5


def land(items: Sequence[OrderIn], good: list[CheckedOrder], outcomes: list[Outcome], *, now: datetime) -> None:
    """Store the checked orders and fill in their outcomes. Inside the batch's transaction."""
    source_of = references.source_ids({items[index].source for index, _ in good})
    store_of = references.store_ids(one.store for _, (_, one) in good if one.store is not None)
    good = _usable(items, good, outcomes, source_of, store_of)
    products = {line.sku: (line.name, line.category) for _, (_, one) in good for line in one.lines or ()}
    product_of = references.product_ids(products)
    for _ in range(_ATTEMPTS):
        point = transaction.savepoint()
        batch = _Batch(items, good, source_of, now)
        refused = batch.plan()
        if refused is None or (refused and batch.resolution.wrote):
            # Somebody took one of the numbers for another member, or a refused item has made members: once more.
            transaction.savepoint_rollback(point)
            for index, error in (refused or {}).items():
                outcomes[index] = rejected(error)
            good = [one for one in good if one[0] not in (refused or {})]
            continue
        for index, error in refused.items():
            outcomes[index] = rejected(error)
        # A refused order must not keep its number: the next try with good content is to find it free.
        order_rows.release(batch.claimed - batch.orders.keys())
        order_rows.write(batch.orders, store_of, product_of, now)
        _follow(batch.orders, batch.resolution, now)
        identities.note_candidates(batch.suspects)
        transaction.savepoint_commit(point)
        for index, outcome in batch.answers.items():
            outcomes[index] = outcome
        return
    raise Conflict("The same orders are being sent by others; send it again.", code="busy")


def _usable(
    items: Sequence[OrderIn],
    good: list[CheckedOrder],
    outcomes: list[Outcome],
    source_of: dict[str, int],
    store_of: dict[str, int],
) -> list[CheckedOrder]:
    """Leave out orders of unknown stores and in another currency than their source's."""
    currency_of = references.currencies(source_of.values()) if any(one.currency for _, (_, one) in good) else {}
    kept = []
    for index, (named, one) in good:
        if one.store is not None and one.store not in store_of:
            outcomes[index] = rejected(ItemRejected(Rejection.UNKNOWN_STORE, "store"))
        elif one.currency and one.currency != currency_of[source_of[items[index].source]]:
            outcomes[index] = rejected(ItemRejected(Rejection.INVALID, "currency"))
        else:
            kept.append((index, (named, one)))
    return kept


def _follow(orders: dict[OrderKey, StoredOrder], resolution: Resolution, now: datetime) -> None:
    """What follows written orders: the summaries, and the reactions."""
    touched = {order.member_id for order in orders.values() if order.new or order.changed}
    member_ids = sorted(touched)
    summaries.refresh_orders(member_ids)
    reactions.run(
        Facts(
            now=now,
            member_ids=sorted(touched.union(*resolution.members_of.values())),
            order_count=sum(order.new for order in orders.values()),
            created_member_ids=resolution.created,
            topics=resolution.topics | {"order"},
            members_of={**resolution.members_of, "order": member_ids},
            orders=[order.id for order in orders.values() if order.new or order.changed],
        )
    )


class _Batch:
    """Orders of one batch: who they belong to, what is stored, and what each item changes."""

    def __init__(
        self, items: Sequence[OrderIn], good: list[CheckedOrder], source_of: dict[str, int], now: datetime
    ) -> None:
        self.items = items
        self.good = good
        self.now = now
        self.keys: dict[int, OrderKey] = {
            index: (source_of[items[index].source], one.number) for index, (_, one) in good
        }
        self.claimed: set[OrderKey] = set()
        self.orders: dict[OrderKey, StoredOrder] = {}
        self.refunds: dict[RefundKey, StoredRefund] = {}
        self.answers: dict[int, Outcome] = {}
        self.suspects: dict[tuple[int, int], dict[str, Any]] = {}
        self.resolution = Resolution(members=[])

    def plan(self) -> dict[int, ItemRejected] | None:
        """Lock, load and decide. Returns the refused items by index, or None when it has to be tried again."""
        self.resolution = identities.resolve(
            [
                Claim(
                    self.items[index].member.member_id,
                    named,
                    self.keys[index][0],
                    min(one.ordered_at, self.now),
                    f"order {self.items[index].source} {one.number}",
                )
                for index, (named, one) in self.good
            ]
        )
        refused: dict[int, ItemRejected] = {}
        member_of: dict[int, int] = {}
        for (index, _), member in zip(self.good, self.resolution.members, strict=True):
            if isinstance(member, ItemRejected):
                refused[index] = member
            else:
                member_of[index] = member
        taken = order_rows.owners(set(self.keys.values()))
        locked = {*member_of.values(), *taken.values()}
        identities.lock_members(sorted(locked))
        identities.show_masks(self.resolution.masks)
        free: dict[OrderKey, int] = {}
        for index, member in member_of.items():
            if self.keys[index] not in taken:
                free.setdefault(self.keys[index], member)
        new = order_rows.claim(free)
        self.claimed = set(new)
        self.orders = order_rows.load(set(self.keys.values()) - new.keys())
        if not {order.member_id for order in self.orders.values()} <= locked:
            return None
        self._load_refunds(free)
        waiting = order_rows.awaiting({key: free[key] for key in new})
        for index, (_, one) in self.good:
            if index in refused:
                continue
            key = self.keys[index]
            order = self.orders.get(key)
            try:
                if order is None:
                    self._open(index, one, new[key], free[key], waiting.get(key, []))
                else:
                    self._change(index, one, order)
                    if member_of[index] != order.member_id:
                        self.suspects[order.member_id, member_of[index]] = {
                            "fact": f"order {self.items[index].source} {one.number}",
                            "identities": [],
                            "strong": False,
                        }
            except ItemRejected as error:
                refused[index] = error
        return refused

    def _load_refunds(self, free: dict[OrderKey, int]) -> None:
        wanted: set[RefundKey] = set()
        for index, (_, one) in self.good:
            key = self.keys[index]
            order = self.orders.get(key)
            member_id = order.member_id if order else free.get(key)
            if member_id is not None:
                wanted.update((member_id, key[0], refund.number) for refund in one.refunds)
        self.refunds = order_rows.load_refunds(wanted)

    def _open(
        self, index: int, one: Purchase, order_id: UUID, member_id: int, waiting: list[tuple[str, StoredRefund]]
    ) -> None:
        order = StoredOrder(
            order_id,
            member_id,
            one.amount,
            0,
            one.version,
            new=True,
            purchase=one,
            changed=True,
        )
        self._add_refunds(self.keys[index][0], one, order)
        for number, refund in waiting:
            key = (member_id, self.keys[index][0], number)
            known = self.refunds.get(key)
            if (known is None or known.order_id is None) and order.refunded + refund.amount <= order.amount:
                order.refunded += refund.amount
                order.joined.append(refund.id)
                self.refunds[key] = StoredRefund(refund.id, order.id, refund.amount)
        self.orders[self.keys[index]] = order
        self.answers[index] = Outcome("accepted", id=str(order.id))

    def _change(self, index: int, one: Purchase, order: StoredOrder) -> None:
        newer = one.version > order.version
        if one.version == order.version and order.purchase is not None and not _same(one, order.purchase):
            raise ItemRejected(Rejection.CONFLICTING_DUPLICATE, "number")
        before = order.amount
        if newer:
            if order.refunded > one.amount:
                raise ItemRejected(Rejection.OUT_OF_RANGE, "amount")
            order.amount = one.amount
        try:
            added = self._add_refunds(self.keys[index][0], one, order)
        except ItemRejected:
            order.amount = before
            raise
        if newer:
            lines = one.lines
            if lines is None and order.purchase is not None:
                one = _with_lines(one, order.purchase)
            order.purchase, order.version = one, one.version
        if newer or added:
            order.changed = True
            self.answers[index] = Outcome("updated", id=str(order.id))
        elif one.version == order.version:
            self.answers[index] = Outcome("duplicate", id=str(order.id))
        else:
            self.answers[index] = Outcome("ignored", id=str(order.id))

    def _add_refunds(self, source_id: int, one: Purchase, order: StoredOrder) -> bool:
        """Add the refunds that the order does not have; all or none. False when it had them."""
        new: list[Repayment] = []
        joined: list[tuple[RefundKey, StoredRefund]] = []
        for place, refund in enumerate(one.refunds):
            key = (order.member_id, source_id, refund.number)
            known = self.refunds.get(key)
            if known is None:
                new.append(refund)
            elif known.amount != refund.amount or known.order_id not in (None, order.id):
                raise ItemRejected(Rejection.CONFLICTING_DUPLICATE, f"refunds[{place}].number")
            elif known.order_id is None:
                joined.append((key, known))
        more = sum(refund.amount for refund in new) + sum(refund.amount for _, refund in joined)
        if order.refunded + more > order.amount:
            raise ItemRejected(Rejection.OUT_OF_RANGE, "refunds")
        order.refunded += more
        order.refunds += new
        order.joined += [refund.id for _, refund in joined]
        for refund in new:
            self.refunds[order.member_id, source_id, refund.number] = StoredRefund(order.id, order.id, refund.amount)
        for key, known in joined:
            self.refunds[key] = StoredRefund(known.id, order.id, known.amount)
        return bool(new or joined)


def _same(one: Purchase, other: Purchase) -> bool:
    return all(
        getattr(one, name) == getattr(other, name)
        for name in ("store", "channel", "amount", "discount", "ordered_at", "paid_at")
    ) and (one.lines is None or other.lines is None or one.lines == other.lines)


def _with_lines(one: Purchase, other: Purchase) -> Purchase:
    """The newer version with the lines of the older one of the same batch, which it left out."""
    return replace(one, lines=other.lines)
