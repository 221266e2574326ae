"""Claims: of a member, of a benefit, and behind the code that somebody shows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from members.enums import ClaimState, MemberStatus
from members.models import BenefitClaimCode, BenefitCode, Member, MemberBenefit
from members.queries import scopes
from members.rules import benefit_codes
from members.rules.benefits import OWED
from scrm.common import encryption
from scrm.common.access import Actor
from scrm.common.errors import Invalid, NotFound


@dataclass(frozen=True, slots=True)
class Shown:
    """A claim as people see it now: `state` says expired from the instant on; `code` is what the member shows."""

    claim: MemberBenefit
    state: str
    code: str

    @property
    def label(self) -> str:
        return _("Waits for its code") if self.waits else str(ClaimState(self.state).label)

    @property
    def waits(self) -> bool:
        """A reward for which no partner's code was left."""
        return self.is_open and self.claim.period == OWED

    @property
    def is_open(self) -> bool:
        return self.state == ClaimState.CLAIMED


def state_of(claim: MemberBenefit, *, now: datetime) -> str:
    """Its state at an instant: an unused claim expires at its time, also before the books say so."""
    over = claim.state == ClaimState.CLAIMED and claim.expires_at is not None and claim.expires_at <= now
    return ClaimState.EXPIRED.value if over else claim.state


def of_member(member_id: int) -> QuerySet[MemberBenefit]:
    """A member's claims, for lists by (claimed_at, id) descending."""
    return MemberBenefit.objects.filter(member_id=member_id).select_related("benefit__partner", "store", "staff")


def of_benefit(benefit_id: int, *, actor: Actor) -> QuerySet[MemberBenefit]:
    """The claims of a benefit whose members the actor sees."""
    return MemberBenefit.objects.filter(
        scopes.members_of(actor, "member__"), benefit_id=benefit_id, member__status=MemberStatus.ACTIVE
    ).select_related("member", "store", "benefit")


def shown(claims: Collection[MemberBenefit], *, now: datetime) -> list[Shown]:
    """Claims with their codes: ours, spaced for reading, or the partner's. One query for all."""
    keys = [claim.partner_code_id for claim in claims if claim.partner_code_id is not None]
    sealed: dict[int, Any] = dict(BenefitCode.objects.filter(pk__in=keys).values_list("pk", "sealed")) if keys else {}
    return [Shown(claim, state_of(claim, now=now), _code(claim, sealed)) for claim in claims]


def _code(claim: MemberBenefit, sealed: Mapping[int, Any]) -> str:
    if claim.partner_code_id is not None:
        found = sealed.get(claim.partner_code_id)
        return "" if found is None else encryption.unseal(bytes(found))
    return benefit_codes.spaced(claim.code)


def get(*, member_id: int, claim_id: UUID | str, actor: Actor) -> MemberBenefit:
    """One claim of a member whom the actor sees. Raises `NotFound` (`unknown_claim`)."""
    found = (
        of_member(member_id)
        .filter(scopes.members_of(actor, "member__"), pk=claim_id, member__status=MemberStatus.ACTIVE)
        .select_related("member", "benefit", "store")
        .first()
        if 0 < member_id < 2**63
        else None
    )
    if found is None:
        raise NotFound(_("There is no such claim."), code="unknown_claim")
    return found


def by_code(typed: str, *, actor: Actor) -> MemberBenefit:
    """The claim behind a code, typed or scanned.

    Raises `Invalid` (`mistyped_code`) for what cannot be a code, `NotFound` (`unknown_code`) when nobody whom the
    actor sees has it.
    """
    code = benefit_codes.read(typed)
    if code is None:
        raise Invalid(_("This cannot be a code: please check it."), code="mistyped_code", field="code")
    row = BenefitClaimCode.objects.filter(pk=code).first()
    member_id = row.member_id if row is not None else 0
    found = Member.objects.filter(scopes.members_of(actor), pk=member_id, status=MemberStatus.ACTIVE).exists()
    if row is None or not found:
        raise NotFound(_("There is no such code."), code="unknown_code")
    return get(member_id=row.member_id, claim_id=row.claim_id, actor=actor)
