"""Many bookings of the same members: crediting what many sources give, and taking it back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from django.db import connection

from members.operations import columns, currencies, points, points_opening
from members.operations.points import Credit
from scrm.common import reactions
from scrm.common.reactions import Facts
from scrm.common.transactions import atomic

_ROUNDS = 4  # beyond so many, looking who has no account yet is worth a statement of its own


@dataclass(frozen=True, slots=True)
class Reversal:
    """One source's share: as in `points.reverse`."""

    member_id: int
    source: str
    amount: int
    reference: str
    detail: Mapping[str, Any]
    occurred_at: datetime


def earn_all(*, currency: str, credits: Sequence[Credit], now: datetime) -> set[tuple[int, str]]:
    """Credit members as often as they come, each one's credits in their order; what follows from it follows once.

    Answers the member and reference of each credit that was booked, now or before; members that are unknown, merged or
    erased are left out. A statement for the first credit of everybody, one for the second, and so on; where these are
    many, one for all credits of those who have had nothing yet. One transaction. Raises as `points.earn_many` does,
    then nothing is booked.
    """
    if not credits:
        return set()
    there: set[tuple[int, str]] = set()
    touched: set[int] = set()
    with points.refusing(), points.durable():
        rounds = _rounds(credits)
        if len(rounds) > _ROUNDS:
            kind = currencies.get(currency)
            touched = points_opening.open_accounts(kind, {credit.member_id for credit in credits})
            first = {(one.member_id, one.reference): one for one in reversed(credits) if one.member_id in touched}
            points_opening.credit(kind, list(reversed(first.values())), now=now)
            there.update(first)
            rounds = _rounds(credit for credit in credits if credit.member_id not in touched)
        for turn in rounds:
            answer = points.credit_many(currency=currency, credits=turn, now=now)
            there.update((one.member_id, one.reference) for one in turn if one.member_id in answer)
            touched.update(member_id for member_id, is_new in answer.items() if is_new)
        reactions.run(Facts(now=now, member_ids=sorted(touched), topics=frozenset({points.topic(currency)})))
    return there


def _rounds(credits: Iterable[Credit]) -> list[list[Credit]]:
    """The first credit of everybody, the second of everybody who has one, and so on."""
    rounds: list[list[Credit]] = []
    had: Counter[int] = Counter()
    for credit in credits:
        if had[credit.member_id] == len(rounds):
            rounds.append([])
        rounds[had[credit.member_id]].append(credit)
        had[credit.member_id] += 1
    return rounds


def reverse_many(*, currency: str, reversals: Sequence[Reversal], now: datetime) -> dict[tuple[int, str], int]:
    """Take back what sources have earned, by the currency's policy; answers how much by member and source.

    Each source comes once. Raises as `points.reverse` does, then nothing is booked.
    """
    if not reversals:
        return {}
    ordered = sorted(reversals, key=lambda one: (one.member_id, one.source))
    with points.refusing(), atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT t.member_id, t.source, r.booked
            FROM unnest(%s::bigint[], {columns.TEXTS}, %s::bigint[], {columns.TEXTS}, {columns.TEXTS},
                        %s::timestamptz[]) WITH ORDINALITY
                 AS t (member_id, source, amount, reference, detail, occurred_at, place)
            CROSS JOIN LATERAL points_reverse(t.member_id, %s, t.source, t.amount, t.reference, '', t.detail::jsonb,
                                              t.occurred_at, %s) AS r
            ORDER BY t.place
            """,
            [
                columns.integers(one.member_id for one in ordered),
                columns.texts(one.source for one in ordered),
                columns.integers(one.amount for one in ordered),
                columns.texts(one.reference for one in ordered),
                columns.texts(msgspec.json.encode(one.detail).decode() for one in ordered),
                columns.instants(one.occurred_at for one in ordered),
                currencies.currency_id(currency),
                now,
            ],
        )
        taken = {(member_id, source): booked for member_id, source, booked in cursor.fetchall()}
        touched = sorted({member_id for (member_id, _), booked in taken.items() if booked})
        reactions.run(Facts(now=now, member_ids=touched, topics=frozenset({points.topic(currency)})))
    return taken
