"""Rewards for which no partner's code is left: operators are told, and members get theirs once codes come in."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from members.models import Benefit, BenefitCode, Event, Member, MemberBenefit
from members.operations import benefit_catalogue, benefit_owed, benefit_stock, benefit_uses, benefits, rewards
from members.operations.benefit_stock import CodeIn
from members.operations.rewards import Gift
from members.queries import benefit_catalogue as catalogue
from members.queries import benefit_claims
from members.queries import benefit_stock as stock_queries
from members.tasks import give_owed_benefits
from scrm.common import clock, conditions
from scrm.common.access import DataScope, Role
from scrm.common.errors import Conflict
from scrm.common.models import Notification
from tests.factories import NOW, client_as, make_member, make_user
from tests.members.giving import make_benefit
from tests.members.tasking import do, make_task

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(hours=2)


@pytest.fixture
def coffee() -> Benefit:
    partner = benefit_catalogue.save_partner(partner_id=None, name="街角咖啡")
    return make_benefit("coffee", "partner_code", name="拿铁", cost=1_500, claim_days=7, partner_id=partner.pk)


def give(*members: Member, occasion: str = "task:1:1", now: datetime = NOW) -> None:
    listed = rewards.read([{"kind": "benefit", "key": "coffee"}])
    rewards.give(gifts=[Gift(one.pk, occasion, occasion, listed, "完成任务") for one in members], now=now)


def deliver(benefit: Benefit, *codes: str, now: datetime = LATER, expires_on: str = "") -> None:
    given = [CodeIn(code, expires_on) for code in codes]
    answers = benefit_stock.add(benefit_id=benefit.pk, codes=given, batch=f"at {codes}", now=now)
    assert [one.status for one in answers] == ["accepted"] * len(codes)


def code_of(member: Member, now: datetime = LATER) -> list[str]:
    rows = MemberBenefit.objects.filter(member=member).order_by("claimed_at", "pk")
    return [one.code for one in benefit_claims.shown(list(rows), now=now)]


def counted(**leaf: Any) -> set[int]:
    """Members whom a condition on benefits means."""
    holds = conditions.compile_condition(conditions.parse(leaf), as_of=LATER)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT m.id FROM members_member m WHERE {holds.text}", list(holds.params))
        return {row[0] for row in cursor.fetchall()}


def test_who_gets_nothing_waits_and_gets_the_next_codes_first(coffee: Benefit) -> None:
    ann, ben, cat = make_member(), make_member(), make_member()
    deliver(coffee, "LATTE-0001", now=NOW)
    give(ann, ben)
    give(ann, ben)
    give(cat, now=NOW + timedelta(minutes=1))
    assert (code_of(ann), code_of(ben), code_of(cat)) == (["LATTE-0001"], [""], [""])
    assert list(Event.objects.filter(type__key="benefit.claimed").values_list("member_id", flat=True)) == [ann.pk]
    deliver(coffee, "LATTE-0002", expires_on="2026-11-25")
    assert (code_of(ben), code_of(cat)) == (["LATTE-0002"], [""])
    claim = MemberBenefit.objects.get(member=ben)
    assert (claim.period, claim.ordinal, claim.claimed_at) == ("given", 1, LATER)
    assert (claim.source, claim.reference, claim.given_for) == ("reward", "task:1:1#0.1", "task:1:1")
    assert claim.expires_at == clock.day_end(date(2026, 11, 25))
    code = BenefitCode.objects.get(claim_id=claim.pk)
    assert code.pk == claim.partner_code_id
    assert (code.state, code.member_id, code.claim_id) == ("given", ben.pk, claim.pk)
    told = Event.objects.filter(type__key="benefit.claimed").order_by("occurred_at", "pk")
    assert list(told.values_list("member_id", flat=True)) == [ann.pk, ben.pk]
    # One is left over, and nobody gets a second one.
    deliver(coffee, "LATTE-0003", "LATTE-0004")
    [code_of_cat] = code_of(cat)
    assert code_of_cat in ("LATTE-0003", "LATTE-0004")
    assert (code_of(ann), code_of(ben)) == (["LATTE-0001"], ["LATTE-0002"])
    assert stock_queries.of(coffee.pk, now=LATER) == stock_queries.Stock(free=1, given=3)
    give(ann, ben, cat)
    assert MemberBenefit.objects.count() == 3


def test_several_owed_to_one_member(coffee: Benefit) -> None:
    ann = make_member()
    give(ann)
    give(ann, occasion="tier:2:1")
    assert list(MemberBenefit.objects.order_by("ordinal").values_list("period", "ordinal")) == [
        ("owed", 1), ("owed", 2),
    ]  # fmt: skip
    deliver(coffee, "LATTE-0001")
    give(ann, occasion="task:3:1")
    deliver(coffee, "LATTE-0002", "LATTE-0003")
    assert sorted(code_of(ann)) == ["LATTE-0001", "LATTE-0002", "LATTE-0003"]
    assert sorted(MemberBenefit.objects.values_list("period", "ordinal")) == [("given", 1), ("given", 2), ("given", 3)]


def test_what_was_taken_back_is_not_owed_any_more(coffee: Benefit) -> None:
    ann, ben = make_member(), make_member()
    give(ann, ben)
    for _ in range(2):
        rewards.take_back(member_id=ann.pk, source="task:1:1", reason="订单退款", now=NOW)
    deliver(coffee, "LATTE-0001")
    assert (code_of(ann), code_of(ben)) == ([""], ["LATTE-0001"])
    assert MemberBenefit.objects.get(member=ann).state == "voided"
    assert not Event.objects.filter(type__key="benefit.voided").exists()
    # Given again, it is given.
    deliver(coffee, "LATTE-0002")
    give(ann, occasion="task:1:2")
    assert code_of(ann) == ["", "LATTE-0002"]


def test_it_cannot_be_used_counts_for_nothing_and_costs_nothing_until_there_is_a_code(coffee: Benefit) -> None:
    ann = make_member()
    give(ann)
    claim = MemberBenefit.objects.get()
    with pytest.raises(Conflict) as caught:
        benefit_uses.redeem(member_id=ann.pk, claim_id=claim.pk, reference="till", now=NOW)
    assert caught.value.code == "no_code_yet"
    today = clock.shop_date(NOW)
    claimed = {"field": "benefit.claimed", "op": "ge", "value": 1}
    unused = {"field": "benefit.unused", "op": "ge", "value": 1}

    def standing() -> tuple[object, ...]:
        [owed] = catalogue.settlement(coffee.partner_id or 0, first=today, last=today)
        use = catalogue.uses([coffee.pk], since=NOW - timedelta(days=1), until=LATER + timedelta(days=1))[coffee.pk]
        [(_, by_day, _)] = catalogue.by_day(coffee.pk, days=1, now=LATER)
        return owed.counted, owed.owed, use.claimed, by_day, counted(**claimed), counted(**unused)

    assert standing() == (0, 0, 0, 0, set(), set())
    deliver(coffee, "LATTE-0001")
    assert standing() == (1, 1_500, 1, 1, {ann.pk}, {ann.pk})
    assert benefit_uses.redeem(member_id=ann.pk, claim_id=claim.pk, reference="till", now=LATER)[1] is False


def test_taken_back_while_it_waited_nobody_is_paid_less(coffee: Benefit) -> None:
    ann = make_member()
    give(ann)
    rewards.take_back(member_id=ann.pk, source="task:1:1", reason="订单退款", now=NOW)
    today = clock.shop_date(NOW)
    [owed] = catalogue.settlement(coffee.partner_id or 0, first=today, last=today)
    assert (owed.counted, owed.returned, owed.owed) == (0, 0, 0)


def test_staff_and_members_are_refused_as_before(coffee: Benefit) -> None:
    ann = make_member()
    for act in (benefits.claim, benefits.issue):
        with pytest.raises(Conflict) as caught:
            act(member_id=ann.pk, benefit_key="coffee", reference="1", now=NOW)
        assert caught.value.code == "out_of_codes"
    assert not MemberBenefit.objects.exists()
    assert not Notification.objects.exists()


def test_administrators_are_told_once_a_benefit_and_day(coffee: Benefit) -> None:
    admin, operator = make_user(role=Role.ADMIN), make_user(role=Role.OPERATOR)
    make_user(role=Role.ADMIN, is_active=False)
    make_user(role=Role.ADMIN, scope=DataScope.STORE)
    tea = make_benefit("tea", "partner_code", name="奶茶")
    ann, ben = make_member(), make_member()
    give(ann, ben)
    give(ann, ben, occasion="task:2:1")
    told = [(one.user_id, one.level, one.message, one.values, one.url) for one in Notification.objects.all()]
    assert told == [
        (
            admin.pk, "warning", "“%(name)s” has no codes left: rewards wait until more are delivered",
            {"name": "拿铁"}, f"/benefits/{coffee.pk}/#stock",
        )
    ]  # fmt: skip
    assert operator.pk not in {one[0] for one in told}
    benefit_owed.sweep(now=LATER)
    assert Notification.objects.count() == 1
    # The next day somebody still waits; for the other benefit nobody does.
    benefit_owed.sweep(now=NOW + timedelta(days=1))
    benefit_owed.sweep(now=NOW + timedelta(days=1, hours=1))
    assert Notification.objects.count() == 2
    assert not Notification.objects.filter(url__contains=f"/{tea.pk}/").exists()


def test_a_sweep_gives_what_a_delivery_left(coffee: Benefit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benefit_owed, "AT_ONCE", 2)
    members = [make_member() for _ in range(5)]
    give(*members)
    monkeypatch.setattr(benefit_owed, "give", lambda **_: 0)
    deliver(coffee, *(f"LATTE-000{number}" for number in range(4)))
    monkeypatch.undo()
    assert MemberBenefit.objects.filter(period="owed").count() == 5
    give_owed_benefits()
    assert MemberBenefit.objects.filter(period="owed").count() == 1
    assert benefit_owed.sweep(now=clock.now()) == 0


def test_finding_the_owed_reads_no_other_claims(coffee: Benefit) -> None:
    """By an index that holds nothing but them, also with a plan made for any benefit."""
    codes = [CodeIn(f"LATTE-{number:04}", "") for number in range(300)]
    benefit_stock.add(benefit_id=coffee.pk, codes=codes, batch="300", now=NOW)
    members = [make_member() for _ in range(300)]
    give(*members)
    give(*members[:2], occasion="task:2:1")
    with CaptureQueriesContext(connection) as captured:
        assert len(benefit_owed._waiting(coffee.pk, limit=10)) == 2
        assert stock_queries.of(coffee.pk, now=LATER).owed == 2
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE members_memberbenefit, members_member, members_benefitcode")
        for query in captured.captured_queries:
            cursor.execute("EXPLAIN " + query["sql"])
            plan = "\n".join(row[0] for row in cursor.fetchall())
            assert "benefit_claim_owed" in plan, plan
        cursor.execute("SELECT pg_get_indexdef('benefit_claim_owed'::regclass)")
        assert "(benefit_id, claimed_at, id)" in cursor.fetchone()[0]


def test_a_task_done_by_an_order_of_facts_is_rewarded_later(coffee: Benefit) -> None:
    task, ann = make_task("reads", needed=1, rewards=[{"kind": "benefit", "key": "coffee"}]), make_member()
    do(ann)
    assert code_of(ann) == [""]
    deliver(coffee, "LATTE-0001")
    assert code_of(ann) == ["LATTE-0001"]
    assert MemberBenefit.objects.get().given_for == f"task:{task.pk}:1"


def test_pages_say_that_it_waits(coffee: Benefit) -> None:
    ann, client = make_member(), client_as(Role.ADMIN)
    give(ann)
    page = client.get(reverse("benefit_detail", args=[coffee.pk])).content.decode()
    assert "有 1 份奖励在等券码" in page
    assert "等待券码" in page
    assert "等待券码" in client.get(reverse("member_detail", args=[ann.pk])).content.decode()
    deliver(coffee, "LATTE-0001")
    assert "在等券码" not in client.get(reverse("benefit_detail", args=[coffee.pk])).content.decode()
