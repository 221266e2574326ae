"""Plans of paid memberships, and the terms of members."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Count, Q
from django.utils.translation import gettext as _

from members.enums import MembershipState
from members.models import Membership, MembershipPlan
from members.rules import memberships as rules
from scrm.common import clock
from scrm.common.errors import NotFound


def plans() -> list[MembershipPlan]:
    """All of them, those that can be bought first."""
    return list(MembershipPlan.objects.order_by("-active", "pk"))


def plan(key: str) -> MembershipPlan:
    """One of them. Raises `NotFound`."""
    found = MembershipPlan.objects.filter(key=key).first()
    if found is None:
        raise NotFound(_("There is no such plan."), code="unknown_plan")
    return found


def running(now: datetime) -> dict[int, int]:
    """How many members have a running term of each plan, by its id."""
    terms = Q(state=MembershipState.ACTIVE, starts_at__lte=now, ends_at__gt=now)
    rows = Membership.objects.filter(terms).values_list("plan_id").annotate(n=Count("member_id", distinct=True))
    return dict(rows)


def of_member(member_id: int) -> list[Membership]:
    """The terms of a member, the latest first."""
    return list(Membership.objects.filter(member_id=member_id).select_related("plan").order_by("-ends_at")[:100])


def refundable(row: Membership, *, now: datetime) -> int:
    """What would be given back now, in minor units."""
    return rules.refund(row.price, starts_at=row.starts_at, ends_at=row.ends_at, at=now, zone=clock.shop_zone())
