"""Facts come in: events, orders, refunds and members, a batch at a time.

Each call is one transaction. Items are checked one by one, so a bad one loses no other; the good ones are resolved,
stored and summed up set-based, and what reacts to them runs before the commit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from members.operations import identities, landing_members, landing_orders, landing_refunds, references, timeline
from members.operations.identities import Claim, Resolution
from members.rules import facts
from members.rules.identities import Named
from members.rules.intake import (
    ACCEPTED,
    DUPLICATE,
    EventIn,
    MemberIn,
    OrderIn,
    Outcome,
    RefundIn,
    rejected,
)
from members.rules.rejections import LATEST_AHEAD, ItemRejected, check_source, properties_json
from scrm.common import reactions
from scrm.common.reactions import Facts
from scrm.common.transactions import atomic

In = TypeVar("In")
Checked = TypeVar("Checked")


def land_events(*, items: Sequence[EventIn], now: datetime) -> list[Outcome]:
    """Store events. Answers in the order of the items: accepted, duplicate or rejected.

    Idempotent by (source, message id). `now` bounds the future: more than seven days ahead is rejected.
    """
    outcomes = [ACCEPTED] * len(items)
    good: list[tuple[int, facts.Happening]] = []
    for index, found in enumerate(facts.events(items, now + LATEST_AHEAD)):
        if isinstance(found, ItemRejected):
            outcomes[index] = rejected(found)
        else:
            good.append((index, found))
    if not good:
        return outcomes
    with atomic(by_index=True):
        source_of = references.source_ids({items[index].source for index, _ in good})
        type_of = references.type_ids({items[index].type for index, _ in good})
        resolution = _whose(items, good, source_of, now)
        identities.show_masks(resolution.masks)
        rows: dict[timeline.EventKey, tuple[int, timeline.EventRow]] = {}
        for (index, (_, amount, properties)), member in zip(good, resolution.members, strict=True):
            if isinstance(member, ItemRejected):
                outcomes[index] = rejected(member)
                continue
            item = items[index]
            source_id = source_of[item.source]
            row = (
                member, source_id, type_of[item.type], item.message_id, item.occurred_at, amount, properties
            )  # fmt: skip
            # The first of a message id counts, also inside a batch.
            if rows.setdefault((member, source_id, item.message_id), (index, row))[0] != index:
                outcomes[index] = DUPLICATE
        if not rows:
            return outcomes
        landed = timeline.insert([row for _, row in rows.values()], now=now)
        for key, (index, _) in rows.items():
            outcomes[index] = ACCEPTED if landed is None or key in landed else DUPLICATE
        new = rows.keys() if landed is None else landed
        members_of = resolution.members_of
        occurred: dict[int, tuple[datetime, datetime]] = {}
        events: dict[str, list[timeline.EventKey]] = {}
        for key in new:
            item = items[rows[key][0]]
            members_of.setdefault(f"event:{item.type}", set()).add(key[0])
            events.setdefault(item.type, []).append(key)
            first, last = occurred.get(key[0], (item.occurred_at, item.occurred_at))
            occurred[key[0]] = (min(first, item.occurred_at), max(last, item.occurred_at))
        reactions.run(
            Facts(
                now=now,
                member_ids=sorted({key[0] for key in new}.union(*members_of.values())),
                event_count=len(new),
                created_member_ids=resolution.created,
                topics=frozenset(members_of),
                members_of=members_of,
                occurred=occurred,
                events=events,
            )
        )
    return outcomes


def land_orders(*, items: Sequence[OrderIn], now: datetime) -> list[Outcome]:
    """Store orders with their lines and refunds.

    An order is known by (source, number): a newer version updates it (lines replaced), an older one is ignored;
    refunds named in any version are added once. Answers accepted, updated, duplicate, ignored or rejected.
    """
    latest = now + LATEST_AHEAD
    outcomes, good = _checked(
        items,
        lambda item: (_named(item), facts.purchase(item, latest)),
    )
    if good:
        with atomic():
            landing_orders.land(items, good, outcomes, now=now)
    return outcomes


def land_refunds(*, items: Sequence[RefundIn], now: datetime) -> list[Outcome]:
    """Store refunds, of an order or of a member.

    A refund is known by (source, number) and never changes. One whose order has not arrived yet is kept with the
    member it names and joins the order when that comes. Answers accepted, duplicate or rejected.
    """
    latest = now + LATEST_AHEAD
    outcomes, good = _checked(
        items,
        lambda item: (_named(item) if item.member else None, facts.repayment(item, latest)),
    )
    if good:
        with atomic():
            landing_refunds.land(items, good, outcomes, now=now)
    return outcomes


def land_members(*, items: Sequence[MemberIn], now: datetime) -> list[Outcome]:
    """Make members or bring their profiles up to date. Answers accepted, updated, duplicate or rejected."""
    latest = now + LATEST_AHEAD
    outcomes, good = _checked(items, lambda item: _member(item, latest))
    if good:
        with atomic():
            landing_members.land(items, good, outcomes, now=now)
    return outcomes


def _checked(items: Sequence[In], check: Callable[[In], Checked]) -> tuple[list[Outcome], list[tuple[int, Checked]]]:
    """Rejections in place, and (index, checked values) of the rest."""
    outcomes = [ACCEPTED] * len(items)
    good = []
    for index, item in enumerate(items):
        try:
            good.append((index, check(item)))
        except ItemRejected as error:
            outcomes[index] = rejected(error)
    return outcomes, good


def _whose(
    items: Sequence[EventIn], good: list[tuple[int, facts.Happening]], source_of: dict[str, int], now: datetime
) -> Resolution:
    """The members of the events: most are named by one known identity, the others are resolved together."""
    alone = [
        named[0] if len(named) == 1 and items[index].member.member_id is None else None for index, (named, _, _) in good
    ]
    owner_of = identities.known(one for one in set(alone) if one is not None)
    members: list[int | None] = [owner_of.get(one) if one is not None else None for one in alone]
    open_at = [position for position, member in enumerate(members) if member is None]
    claims = []
    for position in open_at:
        index, (named, _, _) = good[position]
        item = items[index]
        claims.append(
            Claim(
                item.member.member_id,
                named,
                source_of[item.source],
                min(item.occurred_at, now),
                f"event {item.source} {item.message_id}",
            )
        )
    resolution = identities.resolve(claims) if claims else Resolution(members=[])
    answers = iter(resolution.members)
    resolution.members = [next(answers) if member is None else member for member in members]
    resolution.creators = {open_at[claim] for claim in resolution.creators}
    return resolution


def _named(item: OrderIn | RefundIn) -> list[Named]:
    check_source(item.source)
    assert item.member is not None  # noqa: S101  # the callers checked
    return facts.named(item.member, item.source)


def _member(item: MemberIn, latest: datetime) -> tuple[list[Named], str]:
    check_source(item.source)
    facts.check_member(item, latest)
    named = facts.named(item, item.source, parent="")
    return named, properties_json(item.attributes, "attributes") if item.attributes else "{}"
