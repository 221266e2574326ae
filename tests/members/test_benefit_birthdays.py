"""Birthday gifts: given by the task in the window, once for each birthday."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from members.models import Benefit, Member, MemberBenefit
from members.operations import benefit_due, benefits
from members.queries import benefits as queries
from scrm.common.access import Role
from scrm.common.errors import Conflict
from scrm.common.models import Notification
from tests.factories import NOW, make_member, make_user
from tests.members.giving import make_benefit

pytestmark = pytest.mark.django_db


def cake(**values):
    return make_benefit("cake", "birthday_gift", parameters={"gift": "蛋糕", **values.pop("parameters", {})}, **values)


def give(benefit, now: datetime = NOW, limit: int = 5_000) -> list[int]:
    """Everybody who is given it, as the task goes through them."""
    before = set(MemberBenefit.objects.values_list("member_id", flat=True))
    last: int | None = 0
    while last is not None:
        _given, last = benefit_due.give_birthday_gifts(benefit_id=benefit.pk, after=last, limit=limit, now=now)
    return sorted(set(MemberBenefit.objects.values_list("member_id", flat=True)) - before)


def born(day: date | None, **values) -> Member:
    return make_member(birth_on=day, **values)


def test_the_gift_is_given_in_the_month_and_once_a_year() -> None:
    benefit = cake()
    november = [born(date(1990, 11, day)) for day in (1, 21, 30)]
    born(date(1990, 12, 1))
    born(None)
    assert benefit_due.birthday_benefits(now=NOW) == [benefit.pk]
    assert give(benefit, limit=2) == [one.pk for one in november]
    assert give(benefit) == []
    claimed = MemberBenefit.objects.first()
    # To the end of November in Shanghai.
    assert (claimed.period, claimed.expires_at) == ("birthday:2026", datetime(2026, 11, 30, 16, 0, tzinfo=UTC))
    again = NOW.replace(year=2027)
    assert benefit_due.give_birthday_gifts(benefit_id=benefit.pk, now=again) == (3, None)


def test_leap_days() -> None:
    benefit = cake(parameters={"window": "day"})
    leap = born(date(1996, 2, 29))
    early = born(date(1996, 2, 28))
    noon = datetime(2027, 2, 28, 4, 0, tzinfo=UTC)
    assert give(benefit, noon) == [leap.pk, early.pk]
    assert [one.pk for one in Member.objects.filter(pk=leap.pk)] == [leap.pk]
    MemberBenefit.objects.all().delete()
    assert give(benefit, datetime(2028, 2, 28, 4, 0, tzinfo=UTC)) == [early.pk]
    assert give(benefit, datetime(2028, 2, 29, 4, 0, tzinfo=UTC)) == [leap.pk]


def test_only_whom_the_condition_is_about() -> None:
    benefit = cake(condition={"all": [{"field": "city", "op": "eq", "value": "上海"}]})
    local = born(date(1990, 11, 5), city="上海")
    born(date(1990, 11, 5), city="杭州")
    born(date(1990, 11, 5), city="上海", status="erased")
    assert give(benefit) == [local.pk]


def test_whoever_claims_it_is_not_given_it_again() -> None:
    benefit = cake()
    member, other = born(date(1990, 11, 5)), born(date(1990, 12, 5))
    benefits.claim(member_id=member.pk, benefit_key="cake", reference="app-1", now=NOW)
    assert give(benefit) == []
    assert queries.one(member.pk, benefit=queries.by_key("cake"), now=NOW).refusal == "quota_reached"
    with pytest.raises(Conflict) as caught:
        benefits.claim(member_id=other.pk, benefit_key="cake", reference="app-1", now=NOW)
    assert caught.value.code == "not_birthday"
    with pytest.raises(Conflict) as caught:
        benefits.claim(member_id=born(None).pk, benefit_key="cake", reference="app-1", now=NOW)
    assert caught.value.code == "no_birthday"


def test_a_condition_that_breaks_is_told_once_a_day_and_nobody_gets_the_gift() -> None:
    benefit = cake(condition={"field": "city", "op": "in", "value": ["上海"]})
    born(date(1990, 11, 21), city="上海")
    admin = make_user(role=Role.ADMIN)
    Benefit.objects.filter(pk=benefit.pk).update(condition={"field": "attribute.gone", "op": "set"})
    for now in (NOW, NOW + timedelta(hours=1), NOW + timedelta(days=1)):
        assert benefit_due.give_birthday_gifts(benefit_id=benefit.pk, now=now) == (0, None)
    told = Notification.objects.order_by("created_at").values_list("user_id", "message", "url", "created_at")
    words, url = "“%(name)s” is given to nobody: its condition cannot be read any more", f"/benefits/{benefit.pk}/#who"
    assert list(told) == [(admin.pk, words, url, NOW), (admin.pk, words, url, NOW + timedelta(days=1))]
