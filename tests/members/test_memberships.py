"""Paid memberships: bought, renewed, refunded by the days left, ended; and the tier that they bring."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from members.models import Event, Member, Membership, MemberTier
from members.operations import currencies, memberships, tiers
from members.operations.memberships import PlanContent
from scrm.common.errors import Conflict, DomainError, Invalid, NotFound
from tests.factories import NOW, make_member
from tests.members.test_tiers import grow, ladder, moves, tier_of

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def member() -> Member:
    currencies.get("growth")
    return make_member()


@pytest.fixture
def plan() -> str:
    """Gold for 30 days at 99.00, with a trial of 7 days and a notice 5 days before the end."""
    ids = ladder()
    content = PlanContent(name="PLUS", price=9_900, term_days=30, trial_days=7, notice_days=5, tier_id=ids["gold"])
    return memberships.create_plan(key="plus", content=content).key


def buy(member: Member, reference: str = "b1", **values: Any) -> Membership:
    given = {"plan": "plus", "now": NOW} | values
    return memberships.buy(member_id=member.pk, reference=reference, **given)[0]


def told(member: Member) -> list[str]:
    found = Event.objects.filter(member=member, type__key__startswith="membership.").order_by("received_at", "id")
    return [key.removeprefix("membership.") for key in found.values_list("type__key", flat=True)]


def test_a_bought_tier_counts_and_the_earned_one_comes_back(member: Member, plan: str) -> None:
    grow(member, 1_000)
    bought = buy(member)
    assert (bought.price, bought.ends_at) == (9_900, NOW + 30 * DAY)
    row = MemberTier.objects.get(member=member)
    assert (row.tier.key, row.source, row.expires_at) == ("gold", "paid", NOW + 30 * DAY)
    assert memberships.sweep(now=NOW + 30 * DAY) == 1
    assert (tier_of(member), moves(member)[-1]) == ("silver", ("downgraded", "paid_ended"))
    assert told(member) == ["started", "ended"]
    assert memberships.sweep(now=NOW + 31 * DAY) == 0


def test_a_higher_earned_tier_counts_all_along(member: Member, plan: str) -> None:
    buy(member)
    grow(member, 5_000, at=NOW + DAY)
    row = MemberTier.objects.get(member=member)
    assert (row.tier.key, row.source) == ("gold", "earned")


def test_the_same_reference_is_one_purchase(member: Member, plan: str) -> None:
    first = memberships.buy(member_id=member.pk, plan=plan, reference="b", now=NOW)
    again = memberships.buy(member_id=member.pk, plan=plan, reference="b", now=NOW + DAY)
    assert (first[1], again[1], first[0].pk == again[0].pk) == (True, False, True)
    with pytest.raises(Conflict) as caught:
        buy(member, "b", price=1)
    assert caught.value.code == "reference_reused"


def test_buying_again_renews_from_the_end_without_a_gap(member: Member, plan: str) -> None:
    buy(member)
    second = buy(member, "b2", now=NOW + 20 * DAY)
    assert (second.starts_at, second.ends_at) == (NOW + 30 * DAY, NOW + 60 * DAY)
    assert MemberTier.objects.get(member=member).expires_at == NOW + 60 * DAY
    memberships.sweep(now=NOW + 26 * DAY)
    memberships.sweep(now=NOW + 30 * DAY)
    assert (tier_of(member), told(member)) == ("gold", ["started", "renewed"])
    memberships.sweep(now=NOW + 60 * DAY)
    assert (tier_of(member), told(member)[-1]) == ("basic", "ended")


def test_notices_come_once_and_say_who_renews(member: Member, plan: str) -> None:
    other = make_member()
    buy(member, auto_renew=True)
    buy(other)
    assert memberships.sweep(now=NOW + 25 * DAY) == 2
    assert memberships.sweep(now=NOW + 25 * DAY) == 0
    assert (told(member), told(other)) == (["started", "renewal_due"], ["started", "expiring"])


def test_a_refund_gives_back_the_days_left_and_ends_the_tier(member: Member, plan: str) -> None:
    buy(member)
    ended, new = memberships.refund(member_id=member.pk, reference="b1", refund_reference="r", now=NOW + 10 * DAY)
    assert (ended.refunded, new, tier_of(member)) == (6_600, True, "basic")  # 20 of 30 days
    again, new = memberships.refund(member_id=member.pk, reference="b1", refund_reference="r", now=NOW + 20 * DAY)
    assert (again.refunded, new) == (6_600, False)
    assert told(member) == ["started", "refunded"]


def test_refusals_of_refunds_are_typed(member: Member, plan: str) -> None:
    buy(member)
    buy(member, "b2")

    def refused(reference: str, refund_reference: str, now: Any) -> str:
        with pytest.raises(DomainError) as caught:
            memberships.refund(member_id=member.pk, reference=reference, refund_reference=refund_reference, now=now)
        return caught.value.code

    assert refused("b1", "r1", NOW) == "later_first"
    assert refused("nothing", "r1", NOW) == "unknown_membership"
    assert refused("b1", "", NOW) == "bad_reference"
    assert refused("b2", "r2", NOW + 60 * DAY) == "ended"
    whole, _ = memberships.refund(member_id=member.pk, reference="b2", refund_reference="r2", now=NOW)
    assert whole.refunded == 9_900
    assert refused("b2", "r3", NOW) == "already_refunded"


def test_a_trial_is_free_and_comes_once(member: Member, plan: str) -> None:
    trial = buy(member, trial=True)
    assert (trial.price, trial.ends_at) == (0, NOW + 7 * DAY)
    with pytest.raises(Conflict) as caught:
        buy(member, "b2", trial=True, now=NOW + 100 * DAY)
    assert caught.value.code == "trial_used"
    assert buy(member, "b3").starts_at == NOW + 7 * DAY


def test_a_plan_without_a_tier_is_a_badge_of_its_own(member: Member) -> None:
    ladder()
    memberships.create_plan(key="club", content=PlanContent(name="俱乐部", price=1, term_months=1))
    buy(member, plan="club")
    assert tier_of(member) == "basic"
    assert Membership.objects.get(member=member).ends_at == NOW + 30 * DAY  # 21 November to 21 December


def test_refusals_of_purchases_are_typed(member: Member, plan: str) -> None:
    content = PlanContent(name="PLUS", price=1, term_days=1, active=False)
    memberships.create_plan(key="shut", content=content)
    for change, kind, code in (
        ({"plan": "nothing"}, NotFound, "unknown_plan"), ({"plan": "shut"}, Conflict, "plan_closed"),
        ({"price": -1}, Invalid, "out_of_range"), ({"price": 10**10}, Invalid, "out_of_range"),
        ({"reference": "\n"}, Invalid, "bad_reference"), ({"member_id": 10**9}, NotFound, "unknown_member"),
    ):  # fmt: skip
        with pytest.raises(kind) as caught:
            memberships.buy(**({"member_id": member.pk, "plan": plan, "reference": "b", "now": NOW} | change))
        assert caught.value.code == code


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": " "}, "name"), ({"price": -1}, "price"), ({"term_days": 0}, "term_months"),
        ({"term_months": 121}, "term_months"), ({"colour": "gold"}, "colour"), ({"tier_id": 10**9}, "tier_id"),
    ],
)  # fmt: skip
def test_what_is_no_plan_is_refused(change: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        memberships.create_plan(key="p", content=PlanContent(**({"name": "P", "price": 1, "term_days": 1} | change)))
    assert caught.value.detail["field"] == field


def test_the_tier_of_a_running_plan_stays(member: Member, plan: str) -> None:
    buy(member)
    with pytest.raises(Conflict) as caught:
        memberships.change_plan(key=plan, content=PlanContent(name="PLUS", price=1, term_days=30))
    assert caught.value.code == "in_use"


def test_renewing_by_itself_can_be_stopped(member: Member, plan: str) -> None:
    buy(member, auto_renew=True)
    memberships.set_auto_renew(member_id=member.pk, reference="b1", auto_renew=False, now=NOW)
    memberships.sweep(now=NOW + 25 * DAY)
    assert told(member) == ["started", "expiring"]
    tiers.evaluate_everyone(now=NOW + 26 * DAY)
    assert tier_of(member) == "gold"
