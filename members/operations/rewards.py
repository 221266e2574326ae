"""Giving rewards, and taking them back: for finished tasks, check-ins, tier upgrades.

Points are booked in the ledger, benefits are given as claims; what another part fulfils is written as a grant.
Everything that one occasion gives carries its `source`, by which it is taken back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from members.enums import BenefitKind, ClaimSource
from members.models import Benefit, PointsCurrency
from members.operations import benefits, columns, holders, points, summaries
from members.rules import rewards as rules
from members.rules.rewards import Reward
from scrm.common.errors import Invalid
from scrm.common.transactions import atomic

_WORDS = {
    "not_a_list": lambda: _("Rewards are a list."),
    "too_many": lambda: _("At most ten rewards."),
    "not_an_object": lambda: _("A reward is an object."),
    "unknown_kind": lambda: _("There is no such kind of reward."),
    "unknown_field": lambda: _("A reward of this kind has no such field."),
    "unknown_item": lambda: _("A grant is of a coupon or a lottery chance."),
    "bad_key": lambda: _("1 to 64 characters are needed."),
    "out_of_range": lambda: _("The number is out of range."),
    "unknown_currency": lambda: _("There is no such kind of points."),
    "unknown_benefit": lambda: _("There is no such benefit."),
    "not_claimable": lambda: _("It cannot be given: nobody has to claim it."),
}


# What a source gave a member by currency, how much of it was not taken back, and whether that was asked for before:
# over all ledgers in which it may stand.
_GIVEN = f"""
    SELECT c.key, g.name, g.earned - COALESCE(b.taken, 0), COALESCE(b.asked, false)
    FROM (
        SELECT t.currency_id, sum(t.earned)::bigint AS earned, t.source || ':back:' || sum(t.earned) AS name
        FROM members_pointslot t JOIN members_pointsentry e
             ON e.member_id = t.member_id AND e.currency_id = t.currency_id AND e.number = t.number AND e.kind <> 'move'
        WHERE t.member_id = ANY(points_related(%(member)s)) AND t.source = %(source)s
          AND {holders.whose("e")} = %(member)s::text
        GROUP BY t.currency_id, t.source
    ) g JOIN members_pointscurrency c ON c.id = g.currency_id CROSS JOIN LATERAL (
        SELECT sum(e.amount)::bigint AS taken,
               bool_or(e.reference IN (g.name, g.name || '@' || %(member)s)) AS asked
        FROM members_pointsentry e
        WHERE e.member_id = ANY(points_related(%(member)s)) AND e.currency_id = g.currency_id
          AND e.source = %(source)s AND e.kind = 'reverse' AND {holders.whose("e")} = %(member)s::text
    ) b ORDER BY c.key
"""


@dataclass(frozen=True, slots=True)
class Gift:
    """What one member gets on one occasion. `reference` tells occasions apart, `source` groups what goes back together.

    A reference is at most 96 characters, a source 80.
    """

    member_id: int
    reference: str
    source: str
    rewards: Sequence[Reward]
    reason: str = ""


def read(listed: Any, *, field: str = "rewards") -> tuple[Reward, ...]:
    """A definition that can be given. Raises `Invalid`, its `field` naming the reward: "rewards[1].amount"."""
    try:
        found = rules.parse(listed)
        known = set(PointsCurrency.objects.values_list("key", flat=True)) | {"points", "growth"}
        for place, reward in enumerate(found):
            if isinstance(reward, rules.Points) and reward.currency not in known:
                raise rules.BadReward("unknown_currency", place, "currency")
            if isinstance(reward, rules.Benefit):
                benefit = Benefit.objects.filter(key=reward.key).first()
                if benefit is None:
                    raise rules.BadReward("unknown_benefit", place, "key")
                if not benefit.claimed_first or benefit.kind == BenefitKind.POINTS_MULTIPLIER:
                    raise rules.BadReward("not_claimable", place, "key")
    except rules.BadReward as error:
        where = f"{field}[{error.place}]" + (f".{error.field}" if error.field else "")
        raise Invalid(_WORDS[error.code](), code=error.code, field=where) from error
    return found


def give(*, gifts: Sequence[Gift], now: datetime) -> None:
    """Give everything, once: what was given under the same reference stays as it is. One transaction, set-based.

    Points of a member whose ledger was moved go where it is now. Members who are unknown, merged or erased get nothing.
    """
    with atomic():
        for (currency, reason), rounds in _points(gifts).items():
            for credits in rounds:
                points.earn_many(currency=currency, credits=credits, reason=reason, now=now)
        _benefits(gifts, now)
        _grant(gifts, now)


def take_back(*, member_id: int, source: str, reason: str, now: datetime) -> None:
    """Take back what a source gave: points as their currency's policy says, grants that are open are cancelled, those
    given are recalled, unused claims of benefits are voided. Twice changes nothing.
    """
    with atomic(), connection.cursor() as cursor:
        summaries.hold([member_id])
        holder = summaries.hold_holders([member_id]).get(member_id, member_id)
        cursor.execute(_GIVEN, {"member": member_id, "source": source})
        for currency, name, left, asked in cursor.fetchall():
            if left > 0 and not asked:
                # What was given again after it was taken back has another sum, and is taken back again.
                points.reverse(
                    member_id=holder, currency=currency, source=source, amount=left,
                    reference=_reference(name, member_id, holder), reason=reason,
                    detail=holders.detail({}, of_member=member_id, holder=holder), now=now,
                )  # fmt: skip
        benefits.take_away(member_id=member_id, given_for=source, reason=reason, now=now)
        cursor.execute(
            """
            UPDATE members_grant
            SET state = CASE state WHEN 'open' THEN 'cancelled' ELSE 'recalled' END, settled_at = %s
            WHERE member_id = %s AND source = %s AND state IN ('open', 'fulfilled')
            """,
            [now, member_id, source],
        )


def _reference(reference: str, member_id: int, holder: int) -> str:
    """The same occasion of two members is told apart in one ledger."""
    return reference if holder == member_id else f"{reference}@{member_id}"


def _points(gifts: Sequence[Gift]) -> dict[tuple[str, str], list[list[points.Credit]]]:
    """The credits by currency and reason, in rounds in which each ledger comes once."""
    items = [
        (gift, reward, f"{gift.reference}#{place}")
        for gift in gifts
        for place, reward in enumerate(gift.rewards)
        if isinstance(reward, rules.Points)
    ]
    moved = summaries.hold_holders({gift.member_id for gift, _, _ in items}) if items else {}
    had = _had([(gift.member_id, reward.currency, name) for gift, reward, name in items if gift.member_id in moved])
    found: dict[tuple[str, str], list[list[points.Credit]]] = {}
    seen: dict[tuple[str, str, int], int] = {}
    for gift, reward, name in items:
        if (gift.member_id, reward.currency, name) in had:
            continue
        batch, holder = (reward.currency, gift.reason), moved.get(gift.member_id, gift.member_id)
        turn = seen[(*batch, holder)] = seen.get((*batch, holder), -1) + 1
        rounds = found.setdefault(batch, [])
        if turn == len(rounds):
            rounds.append([])
        rounds[turn].append(
            points.Credit(
                holder, reward.amount, _reference(name, gift.member_id, holder), gift.source,
                detail=holders.detail({}, of_member=gift.member_id, holder=holder),
            )
        )  # fmt: skip
    return found


def _had(wanted: Sequence[tuple[int, str, str]]) -> set[tuple[int, str, str]]:
    """Those (member, currency, reference) that were booked before the member's ledger was moved."""
    if not wanted:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT e.member_id, c.key, e.reference
            FROM unnest(%s::bigint[], {columns.TEXTS}, {columns.TEXTS}) AS t (member_id, currency, reference)
            JOIN members_pointscurrency c ON c.key = t.currency
            JOIN members_pointsentry e ON e.reference = t.reference AND e.member_id = t.member_id
                 AND e.currency_id = c.id AND e.kind = 'earn' AND e.transaction = e.number
            """,
            [
                columns.integers(member_id for member_id, _, _ in wanted),
                columns.texts(currency for _, currency, _ in wanted),
                columns.texts(reference for _, _, reference in wanted),
            ],
        )
        return set(cursor.fetchall())


def _benefits(gifts: Sequence[Gift], now: datetime) -> None:
    """Claims of benefits, beside their quotas; each of a quantity under a reference of its own. For what there is no
    partner's code left, it is owed.
    """
    items: dict[tuple[str, str, str], list[tuple[int, str]]] = {}
    for gift in gifts:
        for place, reward in enumerate(gift.rewards):
            if isinstance(reward, rules.Benefit):
                items.setdefault((reward.key, gift.source, gift.reason), []).extend(
                    (gift.member_id, f"{gift.reference}#{place}.{number}") for number in range(1, reward.quantity + 1)
                )
    for (key, source, reason), wanted in sorted(items.items()):
        benefits.issue_many(
            benefit_key=key, items=wanted, reason=reason, source=ClaimSource.REWARD.value, given_for=source, now=now
        )  # fmt: skip


def _grant(gifts: Sequence[Gift], now: datetime) -> None:
    rows = [
        (gift, reward, f"{gift.reference}#{place}")
        for gift in gifts
        for place, reward in enumerate(gift.rewards)
        if isinstance(reward, rules.Grant)
    ]
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO members_grant (member_id, item, key, quantity, reference, source, reason, created_at)
            SELECT t.member_id, t.item, t.key, t.quantity, t.reference, t.source, COALESCE(t.reason, ''), %s
            FROM unnest(%s::bigint[], {columns.TEXTS}, {columns.TEXTS}, %s::int[], {columns.TEXTS}, {columns.TEXTS},
                        {columns.TEXTS}) AS t (member_id, item, key, quantity, reference, source, reason)
            JOIN members_member m ON m.id = t.member_id AND m.status = 'active'
            ORDER BY t.member_id, t.reference ON CONFLICT (member_id, reference) DO NOTHING
            """,
            [
                now,
                columns.integers(gift.member_id for gift, _reward, _reference in rows),
                columns.texts(reward.item for _gift, reward, _reference in rows),
                columns.texts(reward.key for _gift, reward, _reference in rows),
                columns.integers(reward.quantity for _gift, reward, _reference in rows),
                columns.texts(reference for _gift, _reward, reference in rows),
                columns.texts(gift.source for gift, _reward, _reference in rows),
                columns.texts(gift.reason for gift, _reward, _reference in rows),
            ],
        )
