"""Paid memberships (付费会员): plans, and the terms that members buy, renew and get refunded.

The product takes no money: shops and staff say what was paid and get told what to give back.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from members.enums import MembershipState
from members.models import Membership, MembershipPlan, Tier
from members.operations import summaries, tiers, timeline
from members.operations.tier_schemes import TONES
from members.queries import tier_schemes
from members.rules import memberships as rules
from members.rules.tier_holdings import Paid
from scrm.common import clock, reactions
from scrm.common.errors import Conflict, Invalid, NotFound
from scrm.common.reactions import Facts
from scrm.common.transactions import atomic

SOURCE = "memberships"
TOPIC = "membership"
MOST_PLANS = 50
LARGEST_PRICE = 10**9
_KEY = re.compile(r"[a-z][a-z0-9_]{0,31}")


@dataclass(frozen=True, slots=True)
class PlanContent:
    """Everything of a plan that can be changed: for terms bought from then on. Prices are minor units."""

    name: str
    price: int
    term_months: int = 0
    term_days: int = 0
    trial_days: int = 0
    notice_days: int = 7
    tier_id: int | None = None
    colour: str = "violet"
    description: str = ""
    active: bool = True

    def check(self) -> None:
        """Raises `Invalid`, its `field` naming what is wrong."""
        if not 1 <= len(self.name.strip()) <= 40 or not self.name.isprintable():
            raise Invalid(_("A name of 1 to 40 characters is needed."), code="bad_name", field="name")
        ranges = {
            "price": (0, LARGEST_PRICE), "term_months": (0, 120), "term_days": (0, 3_660), "trial_days": (0, 366),
            "notice_days": (0, 366),
        }  # fmt: skip
        for name, (low, high) in ranges.items():
            if not low <= getattr(self, name) <= high:
                raise Invalid(
                    _("Between %(low)s and %(high)s.") % {"low": low, "high": high}, code="out_of_range", field=name
                )
        if not self.term_months and not self.term_days:
            raise Invalid(_("How long? At least a day."), code="no_term", field="term_months")
        if self.colour not in TONES:
            raise Invalid(_("Not a known value."), code="unknown_value", field="colour")
        if len(self.description) > 400 or "\x00" in self.description:
            raise Invalid(_("At most 400 characters."), code="too_long", field="description")
        if self.tier_id is not None and not Tier.objects.filter(pk=self.tier_id, retired_at=None).exists():
            raise Invalid(_("There is no such tier."), code="unknown_tier", field="tier_id")


def create_plan(*, key: str, content: PlanContent) -> MembershipPlan:
    """A new plan. Raises `Invalid` (`bad_key`, `taken`, `too_many`, and as `PlanContent.check`)."""
    if not _KEY.fullmatch(key):
        raise Invalid(_("A key is up to 32 of a–z, 0–9 and _."), code="bad_key", field="key")
    content.check()
    with atomic():
        if MembershipPlan.objects.filter(key=key).exists():
            raise Invalid(_("This is already in use."), code="taken", field="key")
        if MembershipPlan.objects.count() >= MOST_PLANS:
            raise Invalid(_("No more plans."), code="too_many", field="key")
        return MembershipPlan.objects.create(key=key, **asdict(content))


def change_plan(*, key: str, content: PlanContent) -> MembershipPlan:
    """Change a plan: terms that were bought keep their price and end; the tier changes for all. Raises `NotFound`,
    `Invalid`, and `Conflict` (`in_use`) when the tier of running memberships would change.
    """
    content.check()
    with atomic():
        plan = MembershipPlan.objects.select_for_update().filter(key=key).first()
        if plan is None:
            raise NotFound(_("There is no such plan."), code="unknown_plan")
        running = Membership.objects.filter(plan=plan, state=MembershipState.ACTIVE)
        if content.tier_id != plan.tier_id and running.exists():
            raise Conflict(
                _("The plan has running memberships: its tier stays. Make another plan."),
                code="in_use",
                field="tier_id",
            )
        for name, value in asdict(content).items():
            setattr(plan, name, value)
        plan.save()
        return plan


def buy(
    *,
    member_id: int,
    plan: str,
    reference: str,
    price: int | None = None,
    trial: bool = False,
    auto_renew: bool = False,
    now: datetime,
) -> tuple[Membership, bool]:
    """A term of a plan, from now, or from the end of the running term of the same plan: buying again renews.

    `price` is what was paid, in minor units (the plan's); a trial costs nothing. The same reference is booked once and
    answered again with False. Raises `NotFound` (`unknown_member`, `unknown_plan`), `Conflict` (`reference_reused`,
    `plan_closed`, `trial_used`), `Invalid`.
    """
    _check_reference(reference, "reference")
    with atomic():
        _hold(member_id)
        found = MembershipPlan.objects.filter(key=plan).first()
        if found is None:
            raise NotFound(_("There is no such plan."), code="unknown_plan")
        paid = 0 if trial else found.price if price is None else price
        known = Membership.objects.filter(member_id=member_id, reference=reference).first()
        if known is not None:
            if (known.plan_id, known.price, known.trial) != (found.pk, paid, trial):
                raise Conflict(_("This reference was used for another purchase."), code="reference_reused")
            return known, False
        if not found.active:
            raise Conflict(_("This plan cannot be bought any more."), code="plan_closed")
        if not 0 <= paid <= LARGEST_PRICE:
            raise Invalid(_("The number is out of range."), code="out_of_range", field="price")
        if trial and not found.trial_days:
            raise Invalid(_("This plan has no trial."), code="no_trial", field="trial")
        own = Membership.objects.filter(member_id=member_id, plan=found)
        if trial and own.exists():
            raise Conflict(_("A trial is for those who never had this plan."), code="trial_used")
        last = own.filter(state=MembershipState.ACTIVE, ends_at__gt=now).order_by("-ends_at").first()
        starts_at = last.ends_at if last is not None else now
        months, days = (0, found.trial_days) if trial else (found.term_months, found.term_days)
        ends_at = rules.ends(starts_at, months=months, days=days, zone=clock.shop_zone())
        if last is not None:
            # Renewed: nothing to be told about the term before.
            own.filter(pk=last.pk).update(noticed_at=last.noticed_at or now, due_at=last.ends_at)
        made = Membership.objects.create(
            member_id=member_id, plan=found, reference=reference, price=paid, trial=trial, auto_renew=auto_renew,
            starts_at=starts_at, ends_at=ends_at, bought_at=now,
        )  # fmt: skip
        _schedule(made, found, now)
        _tell(
            "membership.renewed" if last is not None else "membership.started", made, found, now,
            ends_at=ends_at.isoformat(), price=paid, trial=trial,
        )  # fmt: skip
        _follow(member_id, now)
        return made, True


def refund(*, member_id: int, reference: str, refund_reference: str, now: datetime) -> tuple[Membership, bool]:
    """End a term now; what is to be given back is `refunded`: its price by the days left, rounded half up.

    The same references are booked once and answered again with False. Raises `NotFound` (`unknown_membership`),
    `Conflict` (`already_refunded`, `ended`, `later_first`: a later term of the plan has to go first).
    """
    _check_reference(refund_reference, "refund_reference")
    with atomic():
        _hold(member_id)
        found = _membership(member_id, reference)
        if found.state == MembershipState.REFUNDED:
            if found.refund_reference == refund_reference:
                return found, False
            raise Conflict(_("This was refunded already."), code="already_refunded", refunded=found.refunded)
        if found.state == MembershipState.ENDED or found.ends_at <= now:
            raise Conflict(_("The term has ended: nothing is left of it."), code="ended")
        later = Membership.objects.filter(
            member_id=member_id, plan=found.plan, state=MembershipState.ACTIVE, starts_at__gte=found.ends_at
        )
        if later.exists():
            raise Conflict(_("Refund the term that follows first."), code="later_first")
        found.refunded = rules.refund(
            found.price, starts_at=found.starts_at, ends_at=found.ends_at, at=now, zone=clock.shop_zone()
        )
        found.state, found.refund_reference = MembershipState.REFUNDED, refund_reference
        found.closed_at, found.due_at = now, None
        found.save()
        _tell("membership.refunded", found, found.plan, now, amount=found.refunded)
        _follow(member_id, now)
        return found, True


def set_auto_renew(*, member_id: int, reference: str, auto_renew: bool, now: datetime) -> Membership:
    """Whether the shop is asked to renew before the end. Raises `NotFound`, `Conflict` (`ended`)."""
    with atomic():
        _hold(member_id)
        found = _membership(member_id, reference)
        if found.state != MembershipState.ACTIVE:
            raise Conflict(_("The term has ended: nothing is left of it."), code="ended")
        if found.auto_renew != auto_renew:
            found.auto_renew = auto_renew
            found.save(update_fields=["auto_renew"])
        return found


def sweep(*, now: datetime, limit: int = 1_000) -> int:
    """Notices before the end, and the end; answers how many terms were dealt with. Safe to run side by side."""
    with atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT id, member_id FROM members_membership WHERE due_at <= %s ORDER BY due_at LIMIT %s", [now, limit]
            )
            due = cursor.fetchall()
        if not due:
            return 0
        held = set(summaries.hold({member_id for _id, member_id in due}, wait=False))
        rows = Membership.objects.select_related("plan").filter(
            pk__in=[pk for pk, member_id in due if member_id in held], due_at__lte=now
        )
        done = 0
        for row in rows:
            done += 1
            if row.ends_at <= now:
                row.state, row.closed_at, row.due_at = MembershipState.ENDED, now, None
                row.save(update_fields=["state", "closed_at", "due_at"])
                if not _running(row.member_id, now).filter(plan=row.plan).exists():
                    _tell("membership.ended", row, row.plan, now, at=row.ends_at)
                _follow(row.member_id, now)
            else:
                row.noticed_at = now
                _tell(
                    "membership.renewal_due" if row.auto_renew else "membership.expiring", row, row.plan, now,
                    ends_at=row.ends_at.isoformat(), price=row.plan.price,
                )  # fmt: skip
                _schedule(row, row.plan, now)
        return done


def _schedule(row: Membership, plan: MembershipPlan, now: datetime) -> None:
    """When to look at a term again: for the notice, else at its end."""
    at = row.ends_at
    if row.noticed_at is None and plan.notice_days:
        at = max(rules.notice(row.ends_at, plan.notice_days, clock.shop_zone()), row.starts_at)
    row.due_at = at
    row.save(update_fields=["due_at", "noticed_at"])


def _follow(member_id: int, now: datetime) -> None:
    """The tier of the best running term counts, and what hangs on memberships is told."""
    scheme = tier_schemes.current(now)
    best: Paid | None = None
    if scheme is not None:
        for row in _running(member_id, now).exclude(plan__tier=None).select_related("plan"):
            tier_id: Any = row.plan.tier_id
            until = _through(row, now)
            if best is None or (scheme.level(tier_id), until) > (scheme.level(best.tier_id), best.until):
                best = Paid(tier_id, row.starts_at, until)
    tiers.set_paid(member_id=member_id, paid=best, now=now)
    reactions.run(Facts(now=now, member_ids=[member_id], topics=frozenset({TOPIC})))


def _running(member_id: int, now: datetime) -> Any:
    return Membership.objects.filter(
        member_id=member_id, state=MembershipState.ACTIVE, starts_at__lte=now, ends_at__gt=now
    )


def _through(row: Membership, now: datetime) -> datetime:
    """The end of the terms of a plan that follow one another without a gap."""
    later = Membership.objects.filter(
        member_id=row.member_id, plan_id=row.plan_id, state=MembershipState.ACTIVE, ends_at__gt=now
    ).order_by("-ends_at")
    return later.values_list("ends_at", flat=True)[0]


def _hold(member_id: int) -> None:
    if not summaries.hold([member_id]):
        raise NotFound(_("There is no such member."), code="unknown_member")
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM members_member WHERE id = %s AND status = 'active'", [member_id])
        if cursor.fetchone() is None:
            raise NotFound(_("There is no such member."), code="unknown_member")


def _membership(member_id: int, reference: str) -> Membership:
    found = Membership.objects.filter(member_id=member_id, reference=reference).select_related("plan").first()
    if found is None:
        raise NotFound(_("There is no such membership."), code="unknown_membership")
    return found


def _check_reference(reference: str, name: str) -> None:
    if not 1 <= len(reference) <= 120 or not reference.isprintable():
        raise Invalid(_("A reference is 1 to 120 printable characters."), code="bad_reference", field=name)


def _tell(
    type_: str, row: Membership, plan: MembershipPlan, now: datetime, *, at: datetime | None = None, **what: Any
) -> None:
    timeline.append(
        source=SOURCE,
        type=type_,
        rows=[(row.member_id, f"{type_}:{row.pk}", at or now, {"plan": plan.name, "reference": row.reference, **what})],
        now=now,
    )
