"""What a batch of refunds does to what is stored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from members.enums import Rejection
from members.operations import identities, order_rows, references, summaries
from members.operations.identities import Claim, Resolution
from members.operations.order_rows import OrderKey, StoredOrder, StoredRefund
from members.rules.facts import Repayment
from members.rules.identities import Named
from members.rules.intake import Outcome, RefundIn, rejected
from members.rules.rejections import ItemRejected
from scrm.common import reactions
from scrm.common.reactions import Facts

# (index of the item, (its identities or None, its values))
CheckedRefund = tuple[int, tuple[list[Named] | None, Repayment]]


def land(items: Sequence[RefundIn], good: list[CheckedRefund], outcomes: list[Outcome], *, now: datetime) -> None:
    """Store the checked refunds and fill in their outcomes. Inside the batch's transaction."""
    source_of = references.source_ids({items[index].source for index, _ in good})
    keys: dict[int, OrderKey] = {
        index: (source_of[items[index].source], number)
        for index, _ in good
        if (number := items[index].order_number) is not None
    }
    member_of, resolution = _members(items, good, outcomes, keys, source_of, now)
    identities.lock_members(sorted(set(member_of.values())))
    identities.show_masks(resolution.masks)
    # Read again under the lock: an order may have come meanwhile.
    orders = order_rows.load(set(keys.values()))
    known = order_rows.load_refunds(
        {
            (member_of[index], source_of[items[index].source], one.number)
            for index, (_, one) in good
            if index in member_of
        }
    )
    rows: list[tuple[int, str, int, UUID | None, Repayment]] = []
    joined: list[tuple[StoredOrder, UUID]] = []
    for index, (_, one) in good:
        if index not in member_of:
            continue
        source_id = source_of[items[index].source]
        member_id = member_of[index]
        order = orders.get(keys[index]) if index in keys else None
        if order is not None and order.member_id != member_id:
            order = None
        stored = known.get((member_id, source_id, one.number))
        try:
            if stored is None:
                _take(order, one)
                order_id = order.id if order else None
                rows.append((source_id, items[index].order_number or "", member_id, order_id, one))
                # The row gets its id from the database; within the batch it is only told apart by its order.
                known[member_id, source_id, one.number] = StoredRefund(UUID(int=0), order_id, one.amount)
                outcomes[index] = Outcome("accepted")
            elif stored.amount != one.amount or (order is not None and stored.order_id not in (None, order.id)):
                raise ItemRejected(Rejection.CONFLICTING_DUPLICATE, "number")
            elif order is not None and stored.order_id is None and stored.id.int:
                _take(order, one)
                stored.order_id = order.id
                joined.append((order, stored.id))
                outcomes[index] = Outcome("updated")
            else:
                outcomes[index] = Outcome("duplicate")
        except ItemRejected as error:
            outcomes[index] = rejected(error)
    order_rows.add_refunds(rows, now)
    order_rows.join_refunds(joined)
    order_rows.set_refunded([order for order in orders.values() if order.changed])
    touched = sorted({row[2] for row in rows} | {order.member_id for order, _ in joined})
    summaries.refresh_orders(touched)
    reactions.run(
        Facts(
            now=now,
            member_ids=sorted(set(touched).union(*resolution.members_of.values())),
            created_member_ids=resolution.created,
            topics=resolution.topics | {"order"},
            members_of={**resolution.members_of, "order": touched},
            orders=[order.id for order in orders.values() if order.changed],
        )
    )


def _members(
    items: Sequence[RefundIn],
    good: list[CheckedRefund],
    outcomes: list[Outcome],
    keys: dict[int, OrderKey],
    source_of: dict[str, int],
    now: datetime,
) -> tuple[dict[int, int], Resolution]:
    """Whose refund each is: the member of its order, else the one it names. The rest is rejected in place."""
    owners = order_rows.owners(set(keys.values()))
    member_of = {index: owners[key] for index, key in keys.items() if key in owners}
    claimed = []
    claims = []
    for index, (named, one) in good:
        if index in member_of:
            continue
        member = items[index].member
        if member is None or named is None:
            outcomes[index] = rejected(ItemRejected(Rejection.UNKNOWN_ORDER, "order_number"))
            continue
        claimed.append(index)
        claims.append(
            Claim(
                member.member_id,
                named,
                source_of[items[index].source],
                min(one.refunded_at, now),
                f"refund {items[index].source} {one.number}",
            )
        )
    resolution = identities.resolve(claims)
    for index, found in zip(claimed, resolution.members, strict=True):
        if isinstance(found, ItemRejected):
            outcomes[index] = rejected(found)
        else:
            member_of[index] = found
    return member_of, resolution


def _take(order: StoredOrder | None, one: Repayment) -> None:
    """Give back from the order. Raises `ItemRejected` (out_of_range) beyond its amount."""
    if order is None:
        return
    if order.refunded + one.amount > order.amount:
        raise ItemRejected(Rejection.OUT_OF_RANGE, "amount")
    order.refunded += one.amount
    order.changed = True
