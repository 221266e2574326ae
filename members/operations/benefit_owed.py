"""Rewards that wait for a partner's code: owed when there is none left, given once codes are delivered.

What is owed is a claim of the period "owed" without a code. It counts as claimed from when its code is given. The
oldest come first, and before anybody else: a delivery gives them in the transaction that takes it in.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils.translation import gettext_noop

from members.enums import BenefitKind, BenefitState, MemberStatus
from members.models import Benefit
from members.operations import benefit_notices, benefit_rows, columns, summaries
from members.operations.benefit_rows import NewClaim, Written
from members.queries import benefit_stock
from members.rules.benefits import GIVEN, OWED, Span
from scrm.common.transactions import atomic

# So many are given in one transaction.
AT_ONCE = 1_000

_OUT = gettext_noop("“%(name)s” has no codes left: rewards wait until more are delivered")


def owe(
    *, benefit: Benefit, items: Sequence[tuple[int, str]], source: str, given_for: str, reason: str, now: datetime
) -> list[Written]:
    """Write down that members get a code when there is one, once per reference: (member id, reference).

    Whoever manages the programme is told. Inside a transaction that holds the members.
    """
    ordinals = benefit_rows.last_ordinals(benefit.pk, [member_id for member_id, _ in items], OWED)
    rows = []
    for member_id, reference in items:
        ordinals[member_id] = ordinals.get(member_id, 0) + 1
        rows.append(NewClaim(member_id, Span(OWED), ordinals[member_id], None, reference, given_for=given_for))
    written = benefit_rows.insert(benefit=benefit, rows=rows, source=source, reason=reason, now=now)
    if written:
        tell(benefit, now=now)
    return written


def give(*, benefit_id: int, limit: int = AT_ONCE, now: datetime) -> int:
    """Give codes to up to `limit` of those who wait, as far as they last; answers how many. Safe to repeat.

    Members whom somebody else holds are passed over: the next call finds them.
    """
    with atomic():
        free = benefit_stock.free_up_to({benefit_id: limit}, now=now)[benefit_id]
        waiting = _waiting(benefit_id, limit=free) if free else []
        held = summaries.hold({member_id for member_id, _ in waiting}, wait=False)
        # Read again: what was taken back meanwhile is not owed any more.
        rows = [row for row in _waiting(benefit_id, among=[row[1] for row in waiting]) if row[0] in held]
        if not rows:
            return 0
        benefit = Benefit.objects.get(pk=benefit_id)
        codes = benefit_rows.take(benefit_id, len(rows), now)
        rows = rows[: len(codes)]
        ordinals = benefit_rows.last_ordinals(benefit_id, [member_id for member_id, _ in rows], GIVEN)
        places = []
        for member_id, _claim_id in rows:
            ordinals[member_id] = ordinals.get(member_id, 0) + 1
            places.append(ordinals[member_id])
        with connection.cursor() as cursor:
            cursor.execute(
                """
                UPDATE members_memberbenefit b
                SET period = %s, ordinal = t.ordinal, partner_code_id = t.code, claimed_at = %s, expires_at = t.ends
                FROM unnest(%s::bigint[], %s::uuid[], %s::int[], %s::bigint[], %s::timestamptz[])
                     AS t (member_id, id, ordinal, code, ends)
                WHERE b.member_id = t.member_id AND b.id = t.id
                """,
                [
                    GIVEN, now,
                    [member_id for member_id, _ in rows],
                    [claim_id for _, claim_id in rows],
                    places,
                    [code.pk for code in codes],
                    columns.instants(benefit_rows.ending(benefit, Span(GIVEN), code, now) for code in codes),
                ],
            )  # fmt: skip
        benefit_rows.hand_out([(code.pk, *row) for code, row in zip(codes, rows, strict=True)], now)
        benefit_rows.note(benefit, "benefit.claimed", rows, now=now)
        return len(rows)


def sweep(*, now: datetime) -> int:
    """Give what can be given, and tell of what still waits; answers how many were given. Safe to repeat."""
    given = 0
    stocked = Benefit.objects.filter(kind=BenefitKind.PARTNER_CODE).exclude(state=BenefitState.DRAFT)
    for benefit in stocked.order_by("pk"):
        while done := give(benefit_id=benefit.pk, now=now):
            given += done
        if not benefit_notices.told_today(_url(benefit), now=now) and _waiting(benefit.pk, limit=1):
            tell(benefit, now=now)
    return given


def tell(benefit: Benefit, *, now: datetime) -> None:
    """Tell those who manage the programme that rewards wait: once a benefit and shop day."""
    with atomic():
        benefit_notices.once_a_day(message=_OUT, values={"name": benefit.name}, url=_url(benefit), now=now)


def _url(benefit: Benefit) -> str:
    return f"/benefits/{benefit.pk}/#stock"


def _waiting(
    benefit_id: int, *, limit: int | None = None, among: Sequence[object] | None = None
) -> list[tuple[int, object]]:
    """(member id, claim id) of what is owed, the oldest first; of `among` only, when that is given.

    By an index of such claims (`benefit_claim_owed`): its words are in the text, so that every plan may use it.
    """
    test, values = ("", []) if among is None else ("AND b.id = ANY(%s)", [list(among)])
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT b.member_id, b.id FROM members_memberbenefit b JOIN members_member m ON m.id = b.member_id
            WHERE b.benefit_id = %s AND b.period = '{OWED}' AND b.state = 'claimed' AND m.status = %s {test}
            ORDER BY b.claimed_at, b.id LIMIT %s
            """,
            [benefit_id, MemberStatus.ACTIVE.value, *values, limit],
        )
        rows: list[tuple[int, Any]] = cursor.fetchall()
        return rows
