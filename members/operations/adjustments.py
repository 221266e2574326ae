"""Corrections of balances by hand: booked at once up to the currency's limit, above it only with a second person."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from members.enums import AdjustmentState, MemberStatus
from members.models import Member, PointsAdjustment
from members.operations import currencies, points
from members.queries import scopes
from members.rules import attachments
from scrm.common.access import Actor, Permission
from scrm.common.errors import Conflict, Forbidden, Invalid, NotFound
from scrm.common.models import Notification
from scrm.common.transactions import atomic


@dataclass(frozen=True, slots=True)
class Attachment:
    """A kept file. `file` is relative to MEDIA_ROOT."""

    file: str
    name: str
    type: str


def keep(*, name: str, chunks: Iterable[bytes]) -> Attachment:
    """Keep an uploaded PDF, PNG or JPEG of at most 5 MB under a random name that only this process's user can read.

    Raises `Invalid` (`too_large`, `unknown_type`); what was written so far is removed.
    """
    file = f"adjustments/{secrets.token_hex(16)}"
    path = settings.MEDIA_ROOT / file
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    size, media_type = 0, None
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            for chunk in chunks:
                if size == 0:
                    media_type = attachments.type_of(chunk)
                size += len(chunk)
                if size > attachments.LARGEST_BYTES:
                    raise Invalid(_("An attachment is at most 5 MB."), code="too_large", field="attachment")
                if media_type is None:
                    break
                stream.write(chunk)
        if media_type is None:
            raise Invalid(_("Attach a PDF, a PNG or a JPEG."), code="unknown_type", field="attachment")
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return Attachment(file, attachments.file_name(name, media_type), media_type)


def discard(attachment: Attachment) -> None:
    """Remove a kept file that no adjustment came to use."""
    (settings.MEDIA_ROOT / attachment.file).unlink(missing_ok=True)


def propose(
    *,
    actor: Actor,
    member_id: int,
    currency: str = currencies.POINTS,
    amount: int,
    reason: str,
    reference: str,
    attachment: Attachment | None = None,
    now: datetime,
) -> tuple[PointsAdjustment, bool]:
    """Correct a balance: booked at once up to the currency's limit, above it proposed to a second person.

    Answers the adjustment, and whether it was there already: a reference is used once, with the same amount. Raises
    `Forbidden`, `NotFound` (`unknown_member`, `unknown_currency`), `Invalid` (`reason_missing`, `amount_out_of_range`,
    `bad_reference`), `Conflict` (`reference_reused`), and as `points.adjust`.
    """
    if not actor.may(Permission.POINTS_ADJUST):
        raise Forbidden(_("You may not do this."))
    reason = reason.strip()
    found = currencies.get(currency)
    if not reason:
        raise Invalid(_("Say why."), code="reason_missing", field="reason")
    points.check(abs(amount), reference, reason)
    with atomic():
        # Held first: two proposals under one reference come one after the other.
        visible = Member.objects.filter(scopes.members_of(actor), pk=member_id, status=MemberStatus.ACTIVE)
        if not visible.select_for_update(of=("self",), no_key=True).exists():
            raise NotFound(_("There is no such member."), code="unknown_member")
        known = PointsAdjustment.objects.filter(member_id=member_id, currency=found, reference=reference).first()
        if known is not None:
            if known.amount != amount:
                raise Conflict(_("This reference was used for another amount."), code="reference_reused")
            return known, True
        values = (
            {"file": attachment.file, "file_name": attachment.name, "file_type": attachment.type} if attachment else {}
        )
        adjustment = PointsAdjustment(
            member_id=member_id, currency=found, amount=amount, reason=reason, reference=reference, asked_at=now,
            asked_by=actor.ref, four_eyes=abs(amount) > found.adjust_limit, state=AdjustmentState.PROPOSED, **values,
        )  # fmt: skip
        if not adjustment.four_eyes:
            _book(adjustment, now)
        adjustment.save(force_insert=True)
    return adjustment, False


def approve(*, actor: Actor, adjustment_id: int, now: datetime) -> PointsAdjustment:
    """Book a proposal as its second person.

    Raises `Forbidden` (`own_proposal`), `NotFound`, `Conflict` (`decided`), and as `points.adjust`: a balance that does
    not suffice any more leaves the proposal open.
    """
    with atomic():
        adjustment = _open(actor, adjustment_id)
        adjustment.decided_by = actor.ref
        _book(adjustment, now)
        adjustment.save()
        _tell(adjustment, "success", gettext_noop("Your adjustment of %(amount)s points was approved and booked"))
    return adjustment


def reject(*, actor: Actor, adjustment_id: int, answer: str, now: datetime) -> PointsAdjustment:
    """Turn a proposal down, saying why. Raises as `approve` does, and `Invalid` (`reason_missing`)."""
    answer = answer.strip()
    if not answer:
        raise Invalid(_("Say why."), code="reason_missing", field="answer")
    if len(answer) > points.LONGEST_REASON or "\x00" in answer:
        raise Invalid(_("A reason is at most 200 characters."), code="bad_reason", field="answer")
    with atomic():
        adjustment = _open(actor, adjustment_id)
        adjustment.state, adjustment.answer = AdjustmentState.REJECTED, answer
        adjustment.decided_by, adjustment.decided_at = actor.ref, now
        adjustment.save()
        _tell(adjustment, "warning", gettext_noop("Your adjustment of %(amount)s points was rejected"))
    return adjustment


def _open(actor: Actor, adjustment_id: int) -> PointsAdjustment:
    if not actor.may(Permission.POINTS_ADJUST):
        raise Forbidden(_("You may not do this."))
    waiting = PointsAdjustment.objects.filter(scopes.members_of(actor, "member__"), pk=adjustment_id)
    adjustment = waiting.select_for_update(of=("self",)).select_related("currency").first()
    if adjustment is None:
        raise NotFound(_("There is no such adjustment."))
    if adjustment.state != AdjustmentState.PROPOSED:
        raise Conflict(_("Somebody has decided about this adjustment already."), code="decided")
    if adjustment.asked_by == actor.ref:
        raise Forbidden(_("Somebody else has to decide about what you proposed."), code="own_proposal")
    return adjustment


def _book(adjustment: PointsAdjustment, now: datetime) -> None:
    moved = points.adjust(
        member_id=adjustment.member_id,
        currency=adjustment.currency.key,
        amount=adjustment.amount,
        reference=adjustment.reference,
        reason=adjustment.reason,
        detail={"asked_by": adjustment.asked_by, "approved_by": adjustment.decided_by},
        now=now,
    )
    if moved.duplicate:
        raise Conflict(_("This reference was used for another amount."), code="reference_reused")
    adjustment.state, adjustment.entry, adjustment.decided_at = AdjustmentState.BOOKED, moved.number, now


def _tell(adjustment: PointsAdjustment, level: str, message: str) -> None:
    """Notify whoever asked, when that is a person."""
    kind, _colon, number = adjustment.asked_by.partition(":")
    if kind != "user":
        return
    Notification.objects.create(
        user_id=int(number),
        level=level,
        message=message,
        values={"amount": f"{adjustment.amount:+,d}"},
        url=f"/points/members/{adjustment.member_id}/",
    )
