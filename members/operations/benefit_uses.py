"""What becomes of a claim: redeemed, taken back, voided. Each call is one transaction."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from members.enums import ClaimState
from members.models import Benefit, BenefitCode, BenefitStore, MemberBenefit
from members.operations import benefit_rows, summaries
from members.rules.benefits import OWED
from scrm.common import display
from scrm.common.errors import Conflict, NotFound
from scrm.common.transactions import atomic, current_actor


def redeem(
    *, member_id: int, claim_id: UUID | str, reference: str, store_id: int | None = None, now: datetime
) -> tuple[MemberBenefit, bool]:
    """Use a claim. Answers it, and whether it had been used under this reference before: then nothing happens.

    Raises `NotFound` (`unknown_claim`), `Invalid` (`bad_reference`), `Conflict`: `already_redeemed` (with `at` and
    `store`), `expired` (with `at`), `voided`, `returned`, `no_code_yet`, `wrong_store`, `reference_reused`.
    """
    benefit_rows.check_reference(reference)
    with atomic():
        claim = _held(member_id, claim_id)
        if claim.state == ClaimState.REDEEMED and claim.use_reference == reference:
            return claim, True
        refuse_unusable(claim, now)
        if claim.period == OWED:
            raise Conflict(_("Its code is still to come."), code="no_code_yet")
        check_store(claim.benefit, store_id)
        check_use_reference(member_id, reference)
        actor = current_actor()
        claim.state = ClaimState.REDEEMED
        claim.use_reference, claim.redeemed_at, claim.used_by = reference, now, actor.ref
        claim.store_id, claim.staff_id = store_id, actor.staff_id
        claim.save(update_fields=["state", "use_reference", "redeemed_at", "used_by", "store", "staff"])
        benefit_rows.note(claim.benefit, "benefit.redeemed", [(member_id, claim.pk)], now=now)
        return claim, False


def take_back(*, member_id: int, claim_id: UUID | str, reason: str = "", now: datetime) -> MemberBenefit:
    """Undo a use, within the benefit's `return_days`: the quota is given back. Done before, nothing happens.

    A partner's code stays the member's: it has been seen. Raises `NotFound` (`unknown_claim`), `Invalid`
    (`bad_reason`), `Conflict` (`not_redeemed`, `too_late` with `until`).
    """
    benefit_rows.check_reason(reason)
    with atomic():
        claim = _held(member_id, claim_id)
        if claim.state == ClaimState.RETURNED:
            return claim
        if claim.state != ClaimState.REDEEMED or claim.redeemed_at is None:
            raise Conflict(_("It has not been used."), code="not_redeemed")
        until = claim.redeemed_at + timedelta(days=claim.benefit.return_days)
        if now > until:
            raise Conflict(
                _("A use can be taken back for %(days)s days; that was until %(at)s.")
                % {"days": claim.benefit.return_days, "at": display.local(until)},
                code="too_late", until=until.isoformat(),
            )  # fmt: skip
        _close(claim, ClaimState.RETURNED, reason, now)
        benefit_rows.note(claim.benefit, "benefit.returned", [(member_id, claim.pk)], now=now)
        return claim


def void(*, member_id: int, claim_id: UUID | str, reason: str = "", now: datetime) -> MemberBenefit:
    """Make an unused claim worthless: the quota is given back, a partner's code withdrawn. Done before: nothing.

    Raises `NotFound` (`unknown_claim`), `Invalid` (`bad_reason`), `Conflict` (`already_redeemed`, `returned`,
    `expired`).
    """
    benefit_rows.check_reason(reason)
    with atomic():
        claim = _held(member_id, claim_id)
        if claim.state == ClaimState.VOIDED:
            return claim
        refuse_unusable(claim, now)
        _close(claim, ClaimState.VOIDED, reason, now)
        if claim.partner_code_id is not None:
            BenefitCode.objects.filter(pk=claim.partner_code_id).update(state="withdrawn")
        if claim.period != OWED:  # that it had been promised was never told
            benefit_rows.note(claim.benefit, "benefit.voided", [(member_id, claim.pk)], now=now)
        return claim


def refuse_unusable(claim: MemberBenefit, now: datetime) -> None:
    """Raise the `Conflict` that says why a claim cannot be used any more."""
    if claim.state == ClaimState.REDEEMED:
        at = display.local(claim.redeemed_at) if claim.redeemed_at is not None else ""
        words = (
            _("It was used on %(at)s at %(store)s.") % {"at": at, "store": claim.store.name}
            if claim.store is not None
            else _("It was used on %(at)s.") % {"at": at}
        )
        raise Conflict(
            words,
            code="already_redeemed",
            at=claim.redeemed_at.isoformat() if claim.redeemed_at is not None else None,
            store=claim.store.code if claim.store is not None else None,
        )
    if claim.state == ClaimState.VOIDED:
        raise Conflict(_("It was voided."), code="voided")
    if claim.state == ClaimState.RETURNED:
        raise Conflict(_("Its use was taken back; it cannot be used again."), code="returned")
    ended = claim.expires_at
    if benefit_rows.is_over(claim, now) and ended is not None:
        raise Conflict(
            _("It expired on %(at)s.") % {"at": display.local(ended)}, code="expired", at=ended.isoformat()
        )  # fmt: skip


def check_store(benefit: Benefit, store_id: int | None) -> None:
    """Raise `Conflict` (`wrong_store`) unless the benefit can be used at the store."""
    places = {
        row.store_id: row.store.name
        for row in BenefitStore.objects.filter(benefit=benefit).select_related("store").order_by("store__name")
    }
    if places and store_id not in places:
        names = pgettext("between values", ", ").join(list(places.values())[:5])
        raise Conflict(_("It can be used at: %(stores)s.") % {"stores": names}, code="wrong_store")


def check_use_reference(member_id: int, reference: str) -> None:
    """Raise `Conflict` (`reference_reused`) when another claim of the member was used under the reference."""
    if MemberBenefit.objects.filter(member_id=member_id, use_reference=reference).exists():
        raise Conflict(_("This reference was used for something else."), code="reference_reused")


def _held(member_id: int, claim_id: UUID | str) -> MemberBenefit:
    """The claim, with its member held: whoever comes later sees what became of it."""
    found = MemberBenefit.objects.select_related("benefit", "store").filter(member_id=member_id, pk=claim_id)
    if not (0 < member_id < 2**63) or not found.exists():
        raise NotFound(_("There is no such claim."), code="unknown_claim")
    summaries.hold([member_id])
    return found.get()


def _close(claim: MemberBenefit, state: ClaimState, reason: str, now: datetime) -> None:
    claim.state, claim.closed_at, claim.closed_reason = state, now, reason.strip()
    claim.save(update_fields=["state", "closed_at", "closed_reason"])
