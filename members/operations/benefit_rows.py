"""Writing claims: rows, the codes that find them, partners' codes, timelines and what follows; set-based."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import connection
from django.db.models import Max
from django.utils.translation import gettext as _

from members.enums import BenefitKind, ClaimState
from members.models import Benefit, MemberBenefit
from members.operations import columns, timeline
from members.rules import benefit_codes
from members.rules.benefits import OWED, Span
from scrm.common import clock, reactions
from scrm.common.errors import Invalid
from scrm.common.reactions import Facts
from scrm.common.transactions import current_actor

TOPIC = "benefit"
LONGEST_REFERENCE = 120
LONGEST_REASON = 200


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


def check_reference(reference: str, longest: int = LONGEST_REFERENCE) -> None:
    """Raise `Invalid` (`bad_reference`) for what cannot name a claim or a use."""
    if not 1 <= len(reference) <= longest or not reference.isprintable():
        raise Invalid(
            _("A reference is 1 to %(count)s printable characters.") % {"count": longest},
            code="bad_reference", field="reference",
        )  # fmt: skip


def check_reason(reason: str) -> None:
    """Raise `Invalid` (`bad_reason`)."""
    if len(reason) > LONGEST_REASON or "\x00" in reason:
        raise Invalid(_("A reason is at most 200 characters."), code="bad_reason", field="reason")


def insert(
    *, benefit: Benefit, rows: Sequence[NewClaim], source: str, reason: str = "", now: datetime
) -> list[Written]:
    """Write claims of a benefit; answers those that were new. Inside a transaction that holds the members.

    Whose quota is used up in between, whose reference is known, and for whom there is no partner's code left, is left
    out. Claims that are to be used get a code of ours, or one of the partner's; those that are owed none yet, and
    nobody is told.
    """
    owed = any(row.span.key == OWED for row in rows)
    partner_codes: list[PartnerCode] = []
    if benefit.kind == BenefitKind.PARTNER_CODE and not owed:
        partner_codes = take(benefit.pk, len(rows), now)
        rows = rows[: len(partner_codes)]
    if not rows:
        return []
    own = not owed and not partner_codes
    codes = [benefit_codes.make() if own and row.use_reference is None else None for row in rows]
    ends = [
        None if owed else ending(benefit, row.span, partner_codes[place] if partner_codes else None, now)
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
        hand_out([(row[4], row[1], row[0]) for row in made], now)
    written = [Written(claim_id=row[0], member_id=row[1], reference=row[2]) for row in made]
    if owed:
        return written
    used = {(row.member_id, row.reference) for row in rows if row.use_reference is not None}
    told = [(row[1], row[0], (row[1], row[2]) in used) for row in made]
    note(benefit, "benefit.claimed", [(member, claim) for member, claim, at_once in told if not at_once], now=now)
    note(benefit, "benefit.redeemed", [(member, claim) for member, claim, at_once in told if at_once], now=now)
    return written


def hand_out(codes: Sequence[tuple[int, int, object]], now: datetime) -> None:
    """Mark codes that were taken as given: (code, member id, claim id)."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE members_benefitcode c
            SET state = 'given', given_at = %s, member_id = t.member_id, claim_id = t.claim_id
            FROM unnest(%s::bigint[], %s::bigint[], %s::uuid[]) AS t (id, member_id, claim_id) WHERE c.id = t.id
            """,
            [now, [code for code, _, _ in codes], [member for _, member, _ in codes], [claim for _, _, claim in codes]],
        )


def last_ordinals(benefit_id: int, member_ids: Collection[int], period: str) -> dict[int, int]:
    """The last place that each member's claims of a period without a quota take; none: left out."""
    rows = MemberBenefit.objects.filter(member_id__in=member_ids, benefit_id=benefit_id, period=period)
    return dict(rows.values_list("member_id").annotate(last=Max("ordinal")))


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


def ending(benefit: Benefit, span: Span, code: PartnerCode | None, now: datetime) -> datetime | None:
    """When a claim of now lapses, with its code at the latest."""
    return _earliest([expiry(benefit, span, now), code.expires_at if code is not None else None])


def is_over(claim: MemberBenefit, now: datetime) -> bool:
    """Whether a claim that nobody used has lapsed."""
    return claim.state == ClaimState.EXPIRED or (
        claim.state == ClaimState.CLAIMED and claim.expires_at is not None and claim.expires_at <= now
    )


def _earliest(ends: Iterable[datetime | None]) -> datetime | None:
    return min((at for at in ends if at is not None), default=None)


def take(benefit_id: int, count: int, now: datetime) -> list[PartnerCode]:
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
