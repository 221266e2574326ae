"""One member: who they are, how they are recognised, what they bought."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Prefetch
from django.utils.translation import gettext as _

from members.enums import IdentityKind
from members.models import Identity, Member, MemberSummary, Order, OrderLine, Refund
from members.queries import directory
from members.rules import identities
from scrm.common import encryption, pagination
from scrm.common.access import Actor
from scrm.common.errors import NotFound
from scrm.common.pagination import Page


@dataclass(frozen=True, slots=True)
class KnownAs:
    """One identity as staff may see it: personal values masked, of device-like ones the beginning and the end."""

    id: int
    kind: str
    shown: str
    sealed: bool
    created_at: datetime

    @property
    def label(self) -> str:
        return str(IdentityKind(self.kind).label)


def get(*, member_id: int, actor: Actor) -> Member:
    """An active member within the actor's data scope, with summary, store, owner and source.

    Raises `NotFound`: for a member outside the scope exactly as for one that does not exist.
    """
    member = (
        directory.visible(actor)
        .select_related("summary", "store__region", "owner__store", "source")
        .filter(pk=member_id)
        .first()
        if 0 < member_id < 2**63
        else None
    )
    if member is None:
        raise NotFound(_("There is no such member."))
    return member


def summary_of(member: Member) -> MemberSummary:
    """What the member's facts add up to; zeros when nothing has landed yet."""
    return getattr(member, "summary", None) or MemberSummary(member=member)


def known_as(member_id: int) -> list[KnownAs]:
    """The member's identities, personal ones first."""
    rows = Identity.objects.filter(member_id=member_id).order_by("id")[:100]
    shown = [KnownAs(row.pk, row.kind, _shown(row), row.sealed is not None, row.created_at) for row in rows]
    return sorted(shown, key=lambda one: (identities.PRIORITY.get(one.kind, 99), one.id))


def _shown(row: Identity) -> str:
    if row.sealed is not None:
        value = encryption.unseal(bytes(row.sealed))
        return identities.mask_phone(value) if row.kind == IdentityKind.PHONE else identities.mask_email(value)
    return row.value if len(row.value) <= 24 else f"{row.value[:10]}…{row.value[-8:]}"


def orders(*, member_id: int, cursor: str | None = None, size: int = 20) -> Page[Order]:
    """The member's orders with lines, products and refunds, latest first; a constant number of queries."""
    rows = (
        Order.objects.filter(member_id=member_id)
        .select_related("source", "store")
        .prefetch_related(
            Prefetch(
                "lines",
                queryset=OrderLine.objects.filter(member_id=member_id)
                .select_related("product")
                .order_by("line_number"),
            ),
            Prefetch("refunds", queryset=Refund.objects.filter(member_id=member_id).order_by("refunded_at", "id")),
        )
    )
    return pagination.paginate(rows, order=[("ordered_at", True), ("id", True)], cursor=cursor, size=size)


def unassigned_refunds(member_id: int, *, limit: int = 50) -> Sequence[Refund]:
    """Refunds of which the shop did not say the order, latest first."""
    return list(
        Refund.objects.filter(member_id=member_id, order=None)
        .select_related("source")
        .order_by("-refunded_at", "-id")[:limit]
    )
