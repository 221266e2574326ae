"""Rewards are given once, and taken back together."""

from __future__ import annotations

from datetime import timedelta

import pytest

from members.models import Grant, Member, PointsAccount
from members.operations import points, rewards
from members.operations.rewards import Gift
from scrm.common.errors import Invalid
from tests.factories import NOW, make_member

pytestmark = pytest.mark.django_db

LISTED = [
    {"kind": "points", "currency": "points", "amount": 100},
    {"kind": "points", "currency": "points", "amount": 20},
    {"kind": "points", "currency": "growth", "amount": 5},
    {"kind": "grant", "item": "coupon", "key": "welcome-20", "quantity": 2},
]


def balances(member: Member) -> dict[str, int]:
    return dict(PointsAccount.objects.filter(member=member).values_list("currency__key", "available"))


def give(*members: Member) -> None:
    found = rewards.read(LISTED)
    rewards.give(gifts=[Gift(one.pk, "task:1:once", "task:1", found, "完善资料") for one in members], now=NOW)


def test_everything_is_given_once() -> None:
    first, second = make_member(), make_member()
    give(first, second)
    give(first, second)
    assert balances(first) == balances(second) == {"points": 120, "growth": 5}
    grants = Grant.objects.filter(member=first).values_list("item", "key", "quantity", "state")
    assert list(grants) == [("coupon", "welcome-20", 2, "open")]


def test_taking_back_reverses_points_and_cancels_what_is_open() -> None:
    member = make_member()
    give(member)
    points.spend(member_id=member.pk, amount=50, reference="s", now=NOW)
    for _ in range(2):
        rewards.take_back(member_id=member.pk, source="task:1", reason="退款", now=NOW + timedelta(hours=1))
    assert balances(member) == {"points": -50, "growth": 0}
    assert Grant.objects.get(member=member).state == "cancelled"


def test_what_was_fulfilled_is_recalled() -> None:
    member = make_member()
    give(member)
    Grant.objects.update(state="fulfilled", settled_at=NOW)
    rewards.take_back(member_id=member.pk, source="task:1", reason="退款", now=NOW)
    assert Grant.objects.get(member=member).state == "recalled"


@pytest.mark.parametrize(
    ("listed", "code", "field"),
    [
        ({}, "not_a_list", "rewards[0]"),
        ([{}] * 11, "too_many", "rewards[10]"),
        ([1], "not_an_object", "rewards[0]"),
        ([{"kind": "gold"}], "unknown_kind", "rewards[0].kind"),
        ([{"kind": "points", "currency": "points", "amount": 0}], "out_of_range", "rewards[0].amount"),
        ([{"kind": "points", "currency": "points", "amount": True}], "out_of_range", "rewards[0].amount"),
        ([{"kind": "points", "currency": "stars", "amount": 1}], "unknown_currency", "rewards[0].currency"),
        ([{"kind": "points", "currency": "points", "amount": 1, "x": 1}], "unknown_field", "rewards[0].x"),
        ([{"kind": "grant", "item": "car", "key": "a"}], "unknown_item", "rewards[0].item"),
        ([{"kind": "grant", "item": "coupon", "key": ""}], "bad_key", "rewards[0].key"),
        ([{"kind": "grant", "item": "coupon", "key": "a", "quantity": 1_001}], "out_of_range", "rewards[0].quantity"),
    ],
)
def test_what_cannot_be_given_is_refused(listed: object, code: str, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        rewards.read(listed)
    assert (caught.value.code, caught.value.detail["field"]) == (code, field)
