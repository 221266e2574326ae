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
from members.operations import benefits, columns, points, summaries
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


@dataclass(frozen=True, slots=True)
class Gift:
    """What one member gets on one occasion. `reference` tells occasions apart, `source` groups what goes back together.

    A reference is at most 110 characters, a source 80.
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

    Members who are unknown, merged or erased get nothing.
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
        cursor.execute(
            """
            SELECT c.key, sum(t.earned)::bigint, sum(t.earned)::bigint - COALESCE((
                SELECT sum(e.amount)::bigint FROM members_pointsentry e
                WHERE e.member_id = t.member_id AND e.currency_id = t.currency_id AND e.source = t.source
                  AND e.kind = 'reverse'), 0)
            FROM members_pointslot t JOIN members_pointscurrency c ON c.id = t.currency_id
            WHERE t.member_id = %s AND t.source = %s GROUP BY c.key, t.member_id, t.currency_id, t.source ORDER BY c.key
            """,
            [member_id, source],
        )
        for currency, earned, left in cursor.fetchall():
            if left > 0:
                # What was given again after it was taken back has another sum, and is taken back again.
                points.reverse(
                    member_id=member_id, currency=currency, source=source, amount=left,
                    reference=f"{source}:back:{earned}", reason=reason, now=now,
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


def _points(gifts: Sequence[Gift]) -> dict[tuple[str, str], list[list[points.Credit]]]:
    """The credits by currency and reason, in rounds in which each member comes once."""
    found: dict[tuple[str, str], list[list[points.Credit]]] = {}
    seen: dict[tuple[str, str, int], int] = {}
    for gift in gifts:
        for place, reward in enumerate(gift.rewards):
            if isinstance(reward, rules.Points):
                batch = (reward.currency, gift.reason)
                turn = seen[(*batch, gift.member_id)] = seen.get((*batch, gift.member_id), -1) + 1
                rounds = found.setdefault(batch, [])
                if turn == len(rounds):
                    rounds.append([])
                rounds[turn].append(
                    points.Credit(gift.member_id, reward.amount, f"{gift.reference}#{place}", gift.source)
                )
    return found


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
