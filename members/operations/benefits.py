"""Benefits of members: claim, use without a claim, give. Each call is one transaction.

Every claim has a business `reference`, once per member: called again with the same one, the first claim is answered.
Refusals are `Conflict`s with a stable code that say why in words; `refusal` of `queries.benefits` are their codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.db import connection
from django.db.models import Max
from django.utils.translation import gettext as _

from members.enums import BenefitKind, ClaimSource, ClaimState, MemberStatus
from members.models import Benefit, Member, MemberBenefit
from members.models.benefits import FREED
from members.operations import benefit_owed, benefit_rows, benefit_uses, summaries
from members.operations.benefit_rows import LONGEST_REFERENCE, NewClaim
from members.queries import benefit_words
from members.queries import benefits as queries
from members.queries.benefits import Entitlement
from members.rules.benefits import GIVEN, Span
from scrm.common.errors import Conflict, NotFound
from scrm.common.transactions import atomic

_USE = "use:"  # how the reference of what is used without a claim begins


@dataclass(frozen=True, slots=True)
class Claimed:
    """A claim; `duplicate`: it had been made under this reference before."""

    claim: MemberBenefit
    duplicate: bool = False


def claim(*, member_id: int, benefit_key: str, reference: str, now: datetime) -> Claimed:
    """Claim a benefit for a member, within its quota.

    Raises `NotFound` (`unknown_benefit`, `not_found`), `Invalid` (`bad_reference`), `Conflict`: `reference_reused`,
    `not_claimable`, `not_active`, `not_entitled`, `condition_broken`, `no_birthday`, `not_birthday`,
    `quota_reached` (with `quota`, `used`, `renews_at`), `out_of_codes`.
    """
    benefit_rows.check_reference(reference)
    with atomic():
        _hold(member_id)
        benefit = queries.by_key(benefit_key)
        known = _known(member_id, benefit, reference)
        if known is not None:
            return Claimed(known, duplicate=True)
        if benefit.kind == BenefitKind.POINTS_MULTIPLIER:
            raise Conflict(_("It works by itself: there is nothing to claim."), code="not_claimable")
        if not benefit.claimed_first:
            raise Conflict(_("It is used as it stands: there is nothing to claim."), code="not_claimable")
        return Claimed(_within_quota(member_id, benefit, reference, None, None, now))


def use(*, member_id: int, benefit_key: str, reference: str, store_id: int | None = None, now: datetime) -> Claimed:
    """Use a benefit that needs no claim, within its quota: claimed and redeemed at once.

    Raises as `claim` does, and `Conflict` (`claim_needed`, `wrong_store`).
    """
    benefit_rows.check_reference(reference, longest=LONGEST_REFERENCE - len(_USE))
    with atomic():
        _hold(member_id)
        benefit = queries.by_key(benefit_key)
        known = _known(member_id, benefit, _USE + reference)
        if known is not None:
            return Claimed(known, duplicate=True)
        if benefit.kind == BenefitKind.POINTS_MULTIPLIER:
            raise Conflict(_("It works by itself: there is nothing to use."), code="not_claimable")
        if benefit.claimed_first:
            raise Conflict(_("It has to be claimed first."), code="claim_needed")
        benefit_uses.check_store(benefit, store_id)
        benefit_uses.check_use_reference(member_id, reference)
        return Claimed(_within_quota(member_id, benefit, _USE + reference, reference, store_id, now))


def issue(
    *,
    member_id: int,
    benefit_key: str,
    reference: str,
    reason: str = "",
    source: str = ClaimSource.ISSUE.value,
    now: datetime,
) -> Claimed:
    """Give a member a claim outside of rules and quotas: a reward, or a kindness of staff.

    Raises `NotFound` (`unknown_benefit`, `not_found`), `Invalid` (`bad_reference`, `bad_reason`), `Conflict`
    (`reference_reused`, `not_claimable`, `not_active`, `out_of_codes`).
    """
    with atomic():
        answer = issue_many(
            benefit_key=benefit_key, items=[(member_id, reference)], reason=reason, source=source, now=now
        )[0]
        if answer.outcome == "unknown_member":
            raise NotFound(_("There is no such member."))
        if answer.outcome == "out_of_codes":
            raise Conflict(_("There is no code left."), code="out_of_codes")
        found = MemberBenefit.objects.select_related("benefit").get(member_id=member_id, reference=reference)
        if found.benefit.key != benefit_key:
            raise _reused()
        return Claimed(found, duplicate=answer.outcome == "known")


class Issued(NamedTuple):
    """What became of one item of `issue_many`: issued, known, unknown_member, out_of_codes, or owed."""

    member_id: int
    reference: str
    outcome: str
    claim_id: object = None


def issue_many(
    *,
    benefit_key: str,
    items: Sequence[tuple[int, str]],
    reason: str = "",
    source: str = ClaimSource.ISSUE.value,
    given_for: str = "",
    now: datetime,
) -> list[Issued]:
    """Give claims to many members: (member id, reference). Answers in their order; a few statements for all.

    A reference that is known gives nothing again. `given_for` is what `take_away` goes by. A reward for which there is
    no partner's code is owed until there is one (`benefit_owed`). Raises as `issue` does, but for what an item's
    outcome says.
    """
    for _member_id, reference in items:
        benefit_rows.check_reference(reference)
    benefit_rows.check_reason(reason)
    with atomic():
        benefit = queries.by_key(benefit_key)
        if source != ClaimSource.REWARD:  # what was promised is given, whatever became of the benefit since
            _check_givable(benefit, now)
        member_ids = sorted({member_id for member_id, _ in items})
        active = set(Member.objects.filter(pk__in=member_ids, status=MemberStatus.ACTIVE).values_list("pk", flat=True))
        summaries.hold(active)
        known = dict(_claims_by_reference(items))
        ordinals = benefit_rows.last_ordinals(benefit.pk, member_ids, GIVEN)
        rows = []
        for member_id, reference in dict.fromkeys(items):
            if member_id in active and (member_id, reference) not in known:
                ordinals[member_id] = ordinals.get(member_id, 0) + 1
                rows.append(NewClaim(member_id, Span(GIVEN), ordinals[member_id], None, reference, given_for=given_for))
        made = {
            (row.member_id, row.reference): row.claim_id
            for row in benefit_rows.insert(benefit=benefit, rows=rows, source=source, reason=reason.strip(), now=now)
        }
        left = [(row.member_id, row.reference) for row in rows if (row.member_id, row.reference) not in made]
        owed: set[tuple[int, str]] = set()
        if left and source == ClaimSource.REWARD and benefit.kind == BenefitKind.PARTNER_CODE:
            written = benefit_owed.owe(
                benefit=benefit, items=left, source=source, given_for=given_for, reason=reason.strip(), now=now
            )
            owed = {(row.member_id, row.reference) for row in written}
    answers = []
    for item in items:
        if item in made:
            # Named twice, it is given once.
            outcome = "known" if item in known else "issued"
            known.setdefault(item, made[item])
            answers.append(Issued(*item, outcome, made[item]))
        elif item in known:
            answers.append(Issued(*item, "known", known[item]))
        elif item in owed:
            answers.append(Issued(*item, "owed"))
        else:
            answers.append(Issued(*item, "out_of_codes" if item[0] in active else "unknown_member"))
    return answers


def take_away(*, member_id: int, given_for: str, reason: str = "", now: datetime) -> int:
    """Void the unused claims that were given for something; answers how many. What was used stays. Twice is once."""
    with atomic():
        summaries.hold([member_id])
        unused = MemberBenefit.objects.filter(member_id=member_id, given_for=given_for, state=ClaimState.CLAIMED)
        found = [claim for claim in unused.order_by("pk") if not benefit_rows.is_over(claim, now)]
        for claim in found:
            benefit_uses.void(member_id=member_id, claim_id=claim.pk, reason=reason, now=now)
        return len(found)


def _check_givable(benefit: Benefit, now: datetime) -> None:
    if benefit.kind == BenefitKind.POINTS_MULTIPLIER or not benefit.claimed_first:
        raise Conflict(_("It cannot be given: nobody has to claim it."), code="not_claimable")
    closed = benefit_words.closed_words(benefit, now)
    if closed:
        raise Conflict(closed, code="not_active")


def _within_quota(
    member_id: int, benefit: Benefit, reference: str, used: str | None, store_id: int | None, now: datetime
) -> MemberBenefit:
    answer = queries.one(member_id, benefit=benefit, now=now)
    if not answer.holds:
        raise _refused(answer)
    assert answer.span is not None  # noqa: S101  # whoever is entitled has a period
    row = NewClaim(
        member_id, answer.span, _ordinal(member_id, benefit.pk, answer), answer.quota, reference, used, store_id
    )
    source = ClaimSource.CLAIM if used is None else ClaimSource.USE
    if not benefit_rows.insert(benefit=benefit, rows=[row], source=source.value, now=now):
        # Somebody else is taking the last code.
        raise Conflict(_("There is no code left."), code="out_of_codes")
    return MemberBenefit.objects.select_related("benefit").get(member_id=member_id, reference=reference)


def _ordinal(member_id: int, benefit_id: int, answer: Entitlement) -> int:
    """The first place of the period's quota that is free."""
    assert answer.span is not None  # noqa: S101  # as above
    rows = MemberBenefit.objects.filter(member_id=member_id, benefit_id=benefit_id, period=answer.span.key).exclude(
        state__in=FREED
    )
    if answer.quota is None:
        return int(rows.aggregate(last=Max("ordinal"))["last"] or 0) + 1
    taken = set(rows.values_list("ordinal", flat=True))
    return next(place for place in range(1, answer.quota + 1) if place not in taken)


def _refused(answer: Entitlement) -> Conflict:
    detail = {}
    if answer.refusal == "quota_reached":
        renews = answer.renews_at.isoformat() if answer.renews_at is not None else None
        detail = {"quota": answer.quota, "used": answer.used, "renews_at": renews}
    return Conflict(answer.why, code=answer.refusal, **detail)


def _hold(member_id: int) -> None:
    """Of two that claim for one member, the later sees what the earlier wrote."""
    if not (0 < member_id < 2**63) or not Member.objects.filter(pk=member_id, status=MemberStatus.ACTIVE).exists():
        raise NotFound(_("There is no such member."))
    summaries.hold([member_id])


def _known(member_id: int, benefit: Benefit, reference: str) -> MemberBenefit | None:
    found = MemberBenefit.objects.select_related("benefit").filter(member_id=member_id, reference=reference).first()
    if found is not None and found.benefit_id != benefit.pk:
        raise _reused()
    return found


def _reused() -> Conflict:
    return Conflict(_("This reference was used for something else."), code="reference_reused")


def _claims_by_reference(items: Sequence[tuple[int, str]]) -> list[tuple[tuple[int, str], object]]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT b.member_id, b.reference, b.id
            FROM unnest(%s::bigint[], %s::text[]) AS t (member_id, reference)
            JOIN members_memberbenefit b ON b.member_id = t.member_id AND b.reference = t.reference
            """,
            [[member_id for member_id, _ in items], [reference for _, reference in items]],
        )
        return [((member_id, reference), claim_id) for member_id, reference, claim_id in cursor.fetchall()]
