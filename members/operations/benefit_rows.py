"""Writing claims: rows, the codes that find them, partners' codes, timelines and what follows; set-based."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import connection

from members.enums import BenefitKind, ClaimState
from members.models import Benefit, MemberBenefit
from members.operations import columns, timeline
from members.rules import benefit_codes
from members.rules.benefits import Span
from scrm.common import clock, reactions
from scrm.common.reactions import Facts
from scrm.common.transactions import current_actor

TOPIC = "benefit"
LONGEST_REFERENCE = 120


class NewClaim(NamedTuple):
    """One claim to write. `use_reference` and what follows: one that is used at once."""

    member_id: int
    span: Span
    ordinal: int
    quota: int | None
    reference: str
    use_reference: str | None = None
    store_id: int | None = None
    given_for: str = ""


class Written(NamedTuple):
    claim_id: str
    member_id: int
    reference: str


class PartnerCode(NamedTuple):
    pk: int
    expires_at: datetime | None


def insert(
    *, benefit: Benefit, rows: Sequence[NewClaim], source: str, reason: str = "", now: datetime
) -> list[Written]:
    """Write claims of a benefit; answers those that were new. Inside a transaction that holds the members.

    Whose quota is used up in between, whose reference is known, and for whom there is no partner's code left, is left
    out. Claims that are to be used get a code of ours, or one of the partner's.
    """
    partner_codes: list[PartnerCode] = []
    if benefit.kind == BenefitKind.PARTNER_CODE:
        partner_codes = _take(benefit.pk, len(rows), now)
        rows = rows[: len(partner_codes)]
    if not rows:
        return []
    codes = [None if partner_codes or row.use_reference is not None else benefit_codes.make() for row in rows]
    ends = [
        _earliest([expiry(benefit, row.span, now), partner_codes[place].expires_at if partner_codes else None])
        for place, row in enumerate(rows)
    ]
    actor = current_actor()
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO members_memberbenefit (
                member_id, benefit_id, period, ordinal, quota, state, source, code, partner_code_id, cost, reference,
                given_for, reason, actor, claimed_at, expires_at, use_reference, used_by, redeemed_at, store_id,
                staff_id)
            SELECT t.member_id, %s, t.period, t.ordinal, t.quota,
                   CASE WHEN t.used IS NULL THEN 'claimed' ELSE 'redeemed' END, %s, COALESCE(t.code, ''),
                   t.partner_code, %s, t.reference, COALESCE(t.given_for, ''), %s, %s, %s,
                   CASE WHEN t.used IS NULL THEN t.expires_at END, t.used,
                   CASE WHEN t.used IS NULL THEN '' ELSE %s END, CASE WHEN t.used IS NOT NULL THEN %s END,
                   t.store_id, CASE WHEN t.used IS NOT NULL THEN %s::bigint END
            FROM unnest(%s::bigint[], {columns.TEXTS}, %s::int[], %s::int[], {columns.TEXTS}, %s::bigint[],
                        {columns.TEXTS}, %s::timestamptz[], {columns.TEXTS}, %s::bigint[],
                        {columns.TEXTS})
                 AS t (member_id, period, ordinal, quota, code, partner_code, reference, expires_at, used, store_id,
                       given_for)
            ORDER BY t.member_id
            ON CONFLICT DO NOTHING
            RETURNING id, member_id, reference, code, partner_code_id
            """,
            [
                benefit.pk, source, benefit.cost, reason, actor.ref, now, actor.ref, now, actor.staff_id,
                columns.integers(row.member_id for row in rows),
                columns.texts(row.span.key for row in rows),
                columns.integers(row.ordinal for row in rows),
                columns.integers(row.quota for row in rows),
                columns.texts(codes),
                columns.integers(code.pk for code in partner_codes) if partner_codes
                else columns.integers(None for _ in rows),
                columns.texts(row.reference for row in rows),
                columns.instants(ends),
                columns.texts(row.use_reference for row in rows),
                columns.integers(row.store_id for row in rows),
                columns.texts(row.given_for for row in rows),
            ],
        )  # fmt: skip
        made = cursor.fetchall()
        if not made:
            return []
        cursor.execute(
            f"""
            INSERT INTO members_benefitclaimcode (code, member_id, claim_id)
            SELECT * FROM unnest({columns.TEXTS}, %s::bigint[], %s::uuid[]) AS t (code, member_id, claim_id)
            WHERE code IS NOT NULL
            """,
            [
                columns.texts(row[3] for row in made),
                columns.integers(row[1] for row in made),
                [row[0] for row in made],
            ],
        )
        if partner_codes:
            cursor.execute(
                """
                UPDATE members_benefitcode c
                SET state = 'given', given_at = %s, member_id = t.member_id, claim_id = t.claim_id
                FROM unnest(%s::bigint[], %s::bigint[], %s::uuid[]) AS t (id, member_id, claim_id) WHERE c.id = t.id
                """,
                [now, [row[4] for row in made], [row[1] for row in made], [row[0] for row in made]],
            )
    used = {(row.member_id, row.reference) for row in rows if row.use_reference is not None}
    told = [(row[1], row[0], (row[1], row[2]) in used) for row in made]
    note(benefit, "benefit.claimed", [(member, claim) for member, claim, at_once in told if not at_once], now=now)
    note(benefit, "benefit.redeemed", [(member, claim) for member, claim, at_once in told if at_once], now=now)
    return [Written(claim_id=row[0], member_id=row[1], reference=row[2]) for row in made]


def note(benefit: Benefit, event: str, claims: Sequence[tuple[int, object]], *, now: datetime) -> None:
    """Tell timelines what became of claims, and whoever hangs on it. `claims`: (member id, claim id)."""
    if not claims:
        return
    what = {"benefit": benefit.name, "key": benefit.key}
    timeline.append(
        source="benefits",
        type=event,
        rows=[(member_id, f"{event}:{claim_id}", now, what) for member_id, claim_id in claims],
        now=now,
    )
    members = sorted({member_id for member_id, _ in claims})
    reactions.run(Facts(now=now, member_ids=members, topics=frozenset({TOPIC, f"event:{event}"})))


def expiry(benefit: Benefit, span: Span, now: datetime) -> datetime | None:
    """When a claim of now lapses: after the days of its benefit, with the window of the birthday, with the benefit.

    N days are whole shop days after the one it is claimed on.
    """
    own = None
    if benefit.claim_days is not None:
        own = clock.day_end(clock.shop_date(now) + timedelta(days=benefit.claim_days))
    elif benefit.kind == BenefitKind.BIRTHDAY_GIFT and span.after is not None:
        own = clock.day_start(span.after)
    return _earliest([own, benefit.valid_until])


def is_over(claim: MemberBenefit, now: datetime) -> bool:
    """Whether a claim that nobody used has lapsed."""
    return claim.state == ClaimState.EXPIRED or (
        claim.state == ClaimState.CLAIMED and claim.expires_at is not None and claim.expires_at <= now
    )


def _earliest(ends: Iterable[datetime | None]) -> datetime | None:
    return min((at for at in ends if at is not None), default=None)


def _take(benefit_id: int, count: int, now: datetime) -> list[PartnerCode]:
    """Up to so many free codes that nobody else is taking, locked: the first to expire first."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT id, expires_at FROM members_benefitcode
            WHERE benefit_id = %s AND state = 'free' AND (expires_at IS NULL OR expires_at > %s)
            ORDER BY expires_at, id LIMIT %s FOR UPDATE SKIP LOCKED
            """,
            [benefit_id, now, count],
        )
        return [PartnerCode(*row) for row in cursor.fetchall()]
