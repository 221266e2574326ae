"""Earning rules: what is refused, versions and periods, applying them to past orders, dry runs, pages and the API."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.urls import reverse

import members.tasks  # noqa: F401  # registers what runs the jobs
from members.models import EarningRule, EarningTrial, Member, PointsAccount, PointsEarning, PointsEntry
from members.operations import currencies, earning_backfill, earning_rules, earning_trials, intake
from members.queries import earning
from members.rules.intake import MemberRef, OrderIn
from scrm.common import jobs
from scrm.common.access import SYSTEM, Role
from scrm.common.conditions import BadCondition
from scrm.common.errors import Conflict, Invalid
from scrm.common.models import Job
from tests.factories import NOW, client_as, make_member, make_order, make_source, make_store

pytestmark = pytest.mark.django_db
START = NOW - timedelta(days=30)
PAID = NOW - timedelta(days=1)


@pytest.fixture
def member() -> Member:
    currencies.change(key="points", content=currencies.Content(name="积分", cost_per_1000=1_000))
    return make_member(phone="+8613800000001")


def make_rule(name: str = "基础积分", *, active: bool = True, trigger: str = "order", **definition: Any) -> EarningRule:
    rule = earning_rules.create(
        name=name, currency="points", trigger=trigger, definition={"base": {"points": 1}, **definition}, now=START
    )
    return earning_rules.activate(rule_id=rule.pk, now=START) if active else rule


def land(member: Member, amount: str, number: str = "A1") -> None:
    order = OrderIn(
        number=number, source="shop", member=MemberRef(member_id=member.pk), amount=Decimal(amount), state="paid",
        ordered_at=PAID, paid_at=PAID,
    )  # fmt: skip
    assert [one.status for one in intake.land_orders(items=[order], now=NOW)] == ["accepted"]


def balance(member: Member) -> int:
    return sum(PointsAccount.objects.filter(member=member).values_list("available", flat=True))


def test_an_order_earns_and_the_entry_says_how(member: Member) -> None:
    make_rule(multipliers=[{"kind": "time", "name": "会员日", "weekdays": [5], "factor": "2"}])
    land(member, "60.99")
    assert balance(member) == 121
    entry, row = PointsEntry.objects.get(member=member), PointsEarning.objects.get(member=member)
    assert entry.source == row.source
    assert entry.occurred_at == PAID
    assert entry.detail["lines"] == row.lines
    [line] = row.lines
    assert (line["rule"], line["version"], line["base"], line["times"]) == ("基础积分", 1, 6099, ["会员日 ×2"])
    [explained] = earning.explain(order_id=row.source.removeprefix("order:"), actor=SYSTEM)
    assert explained.sentences == ["+121 = ¥60.99 × 1/¥1.00 会员日 ×2（基础积分，版本 1）"]


def test_without_a_rule_nothing_is_kept(member: Member) -> None:
    land(member, "60")
    assert not PointsEarning.objects.exists()


def test_orders_in_another_currency_are_not_counted(member: Member) -> None:
    make_source("shop")
    abroad = make_source("abroad")
    abroad.currency = "USD"
    abroad.save()
    make_rule()
    order = OrderIn(
        number="U1", source="abroad", member=MemberRef(member_id=member.pk), amount=Decimal(60), state="paid",
        ordered_at=PAID, paid_at=PAID,
    )  # fmt: skip
    intake.land_orders(items=[order], now=NOW)
    assert balance(member) == 0


def test_the_condition_is_asked_when_the_order_first_counts(member: Member) -> None:
    make_rule(condition={"all": [{"field": "city", "op": "in", "value": ["上海"]}]})
    Member.objects.filter(pk=member.pk).update(city="上海")
    land(member, "100")
    Member.objects.filter(pk=member.pk).update(city="北京")
    land(member, "50", "A2")
    assert balance(member) == 100


REFUSED = [
    ({"base": {"points": 0}}, "out_of_range", "base.points"),
    ({"base": {"points": 1.5}}, "not_whole", "base.points"),
    ({"base": {}}, "missing", "base.points"),
    ({"base": {"points": 1, "per": 0}}, "out_of_range", "base.per"),
    ({"base": {"kind": "often", "points": 1}}, "unknown_choice", "base.kind"),
    ({"colour": "red"}, "unknown_field", "colour"),
    ({"multipliers": [{"kind": "time", "weekdays": [6], "factor": "0"}]}, "out_of_range", "multipliers[0].factor"),
    ({"multipliers": [{"kind": "time", "weekdays": [6], "factor": "-1"}]}, "out_of_range", "multipliers[0].factor"),
    ({"multipliers": [{"kind": "time", "days": [6], "factor": "100.000001"}]}, "out_of_range", "multipliers[0].factor"),
    ({"multipliers": [{"kind": "time", "weekdays": [6], "factor": "1.0000001"}]}, "too_exact", "multipliers[0].factor"),
    ({"multipliers": [{"kind": "time", "weekdays": [6], "factor": "NaN"}]}, "not_a_number", "multipliers[0].factor"),
    ({"multipliers": [{"kind": "time", "weekdays": [8], "factor": "2"}]}, "out_of_range", "multipliers[0].weekdays"),
    ({"multipliers": [{"kind": "time", "factor": "2"}]}, "always", "multipliers[0]"),
    (
        {"multipliers": [{"kind": "time", "from": "2026-11-12", "until": "2026-11-11", "factor": "2"}]},
        "ends_early", "multipliers[0].until",
    ),
    ({"multipliers": [{"kind": "time", "from": "2026-02-30", "factor": "2"}]}, "not_a_day", "multipliers[0].from"),
    ({"multipliers": [{"kind": "time", "hours": [12, 12], "factor": "2"}]}, "ends_early", "multipliers[0].hours"),
    ({"multipliers": [{"kind": "tier", "value": "nobility", "factor": "2"}]}, "unknown_tier", "multipliers[0].value"),
    ({"multipliers": [{"kind": "tag", "value": 999, "factor": "2"}]}, "unknown_tag", "multipliers[0].value"),
    ({"multipliers": [{"kind": "store", "value": "S9", "factor": "2"}]}, "unknown_store", "multipliers[0].value"),
    ({"multipliers": [{"kind": "product", "value": "X", "factor": "2"}]}, "unknown_product", "multipliers[0].value"),
    ({"scope": {"stores": ["S9"]}}, "unknown_store", "scope.stores"),
    ({"scope": {"categories": ["没有"]}}, "unknown_category", "scope.categories"),
    ({"scope": {"minimum": -1}}, "out_of_range", "scope.minimum"),
    ({"caps": {"day": 0}}, "out_of_range", "caps.day"),
    ({"caps": {"day": 100, "month": 50}}, "below_shorter", "caps.month"),
    ({"caps": {"week": 100}}, "unknown_field", "caps.week"),
    ({"stacking": {"kind": "best"}}, "missing", "stacking.group"),
    ({"event": {"type": "review.posted"}}, "not_of_orders", "event"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "code", "field"), REFUSED, ids=[f"{code} {field}" for _, code, field in REFUSED])
def test_what_cannot_be_meant_is_refused_by_name(said: dict[str, Any], code: str, field: str) -> None:
    currencies.get("points")
    make_store("S001")
    with pytest.raises(Invalid) as caught:
        make_rule(active=False, **said)
    assert (caught.value.code, caught.value.detail["field"]) == (code, field)


def test_a_condition_that_cannot_be_read_is_refused(member: Member) -> None:
    with pytest.raises(BadCondition):
        make_rule(active=False, condition={"all": [{"field": "nonsense", "op": "eq", "value": 1}]})


def test_versions_are_kept_and_an_older_edit_is_a_conflict(member: Member) -> None:
    rule = make_rule()
    earning_rules.revise(rule_id=rule.pk, version=1, definition={"base": {"points": 2}}, note="双倍", now=NOW)
    with pytest.raises(Conflict) as caught:
        earning_rules.revise(rule_id=rule.pk, version=1, definition={"base": {"points": 3}}, now=NOW)
    assert caught.value.code == "changed_meanwhile"
    newest, oldest = earning.history(EarningRule.objects.get())
    assert (newest.gone, newest.come) == (
        ["每笔订单每满 ¥1 得 1 积分，向下取整。"],
        ["每笔订单每满 ¥1 得 2 积分，向下取整。"],
    )
    assert (oldest.periods[0].ends_at, newest.periods[0].starts_at) == (NOW, NOW)


def test_a_budget_cannot_be_set_below_what_is_used(member: Member) -> None:
    rule = make_rule(caps={"budget": 100})
    land(member, "60")
    with pytest.raises(Invalid) as caught:
        earning_rules.revise(
            rule_id=rule.pk, version=1, definition={"base": {"points": 1}, "caps": {"budget": 59}}, now=NOW
        )
    assert (caught.value.code, caught.value.detail["used"]) == ("below_used", 60)


def test_what_has_ended_stays_ended(member: Member) -> None:
    rule = make_rule()
    earning_rules.end(rule_id=rule.pk, now=NOW)
    earning_rules.end(rule_id=rule.pk, now=NOW)
    with pytest.raises(Conflict) as caught:
        earning_rules.activate(rule_id=rule.pk, now=NOW)
    assert caught.value.code == "ended"


def test_periods_of_a_rule_cannot_overlap(member: Member) -> None:
    rule = make_rule()
    earning_rules.pause(rule_id=rule.pk, now=NOW)
    with pytest.raises(Invalid) as caught:
        earning_rules.activate(rule_id=rule.pk, starts_at=NOW - timedelta(days=2), now=NOW)
    assert caught.value.code == "counted_before"


def test_past_orders_get_their_points_once(member: Member) -> None:
    make_order(member, amount=6_000, paid_at=NOW - timedelta(days=5))
    make_order(member, amount=9_000, paid_at=NOW - timedelta(days=50))
    rule = make_rule(active=False)
    earning_rules.activate(rule_id=rule.pk, starts_at=NOW - timedelta(days=10), now=NOW)
    for _ in range(2):
        job = earning_backfill.queue(rule_id=rule.pk, actor=SYSTEM)
        assert job is not None
        jobs.run(job_id=job.pk)
        assert Job.objects.get(pk=job.pk).state == "succeeded"
        assert balance(member) == 60


def test_a_dry_run_says_what_would_change_and_books_nothing(member: Member) -> None:
    other = make_member()
    make_order(member, amount=6_000, paid_at=NOW - timedelta(days=5))
    make_order(member, amount=10_000, paid_at=NOW - timedelta(days=40), refunded_amount=5_000)
    make_order(other, amount=1_000, paid_at=NOW - timedelta(days=5))
    rule = make_rule()
    earning_rules.revise(
        rule_id=rule.pk, version=1, definition={"base": {"points": 2}, "scope": {"minimum": 5_000}}, now=NOW
    )
    trial = earning_trials.queue(rule_id=rule.pk, actor=SYSTEM, now=NOW)
    jobs.run(job_id=trial.job_id)
    result = EarningTrial.objects.get(pk=trial.pk).result
    # The version in force is the tried one already: nothing differs from it.
    assert result["total"]["before"] == result["total"]["after"] == 220
    draft = make_rule("加倍", active=False, base={"kind": "fixed", "points": 100})
    trial = earning_trials.queue(rule_id=draft.pk, actor=SYSTEM, now=NOW)
    jobs.run(job_id=trial.job_id)
    result = EarningTrial.objects.get(pk=trial.pk).result
    assert (result["orders"], result["orders_changed"], result["more"], result["less"]) == (3, 3, 2, 0)
    # 100 and half of 100 for the first member, 100 for the other.
    assert (result["total"]["before"], result["total"]["after"]) == (220, 470)
    assert [one["member_id"] for one in result["top"]] == [member.pk, other.pk]
    assert not PointsEntry.objects.exists()


def test_the_api_writes_activates_and_explains(member: Member) -> None:
    admin = client_as(Role.ADMIN)
    made = admin.post(
        reverse("api_earning_rule_list"),
        json.dumps({"name": "基础积分", "definition": {"base": {"points": 1}, "caps": {"day": 50}}}),
        content_type="application/json",
    )
    assert made.status_code == 201
    rule = made.json()
    assert (rule["state"], rule["version"], rule["currency"]) == ("draft", 1, "points")
    activated = admin.post(
        reverse("api_earning_activate", args=[rule["id"]]),
        json.dumps({"starts_at": START.isoformat()}), content_type="application/json",
    )  # fmt: skip
    assert activated.json()["state"] == "active"
    land(member, "60")
    order_id = PointsEarning.objects.get().source.removeprefix("order:")
    [earned] = admin.get(reverse("api_order_earning", args=[order_id])).json()["items"]
    assert (earned["points"], earned["lines"][0]["points"]) == (50, 50)
    assert "每日上限" in earned["lines"][0]["text"]
    bad = admin.put(
        reverse("api_earning_rule", args=[rule["id"]]),
        json.dumps({"version": 1, "definition": {"base": {"points": -1}}}), content_type="application/json",
    )  # fmt: skip
    assert (bad.status_code, bad.json()["code"]) == (422, "out_of_range")
    operator = client_as(Role.OPERATOR)
    assert operator.get(reverse("api_earning_rule_list")).status_code == 200
    assert operator.post(reverse("api_earning_pause", args=[rule["id"]])).status_code == 403


def form(**values: Any) -> dict[str, Any]:
    return {
        "name": "基础积分", "currency": "points", "trigger": "order", "base_kind": "per_amount", "points": "1",
        "per": "1", "rounding": "down", "combine": "multiply", "position": "100", "stacking": "add", **values,
    }  # fmt: skip


def test_the_editor_saves_what_it_shows(member: Member) -> None:
    admin = client_as(Role.ADMIN)
    rows = {
        "m_kind": ["time", "channel"], "m_factor": ["2", ""], "m_name": ["双倍积分日", ""],
        "m_from": ["2026-11-11", ""],
        "m_until": ["2026-11-11", ""], "m_weekdays": ["", ""], "m_hours": ["9-12", ""], "m_days": ["", ""],
        "m_birthday": ["", ""], "m_tier": ["", ""], "m_tag": ["", ""], "m_category": ["", ""], "m_product": ["", ""],
        "m_store": ["", ""], "m_channel": ["", "app"],
    }  # fmt: skip
    said = admin.post(reverse("earning_preview"), form(**rows, example_amount="60", example_at="2026-11-11T09:30"))
    assert "+120 = ¥60.00 × 1/¥1.00 双倍积分日 ×2" in said.content.decode()
    answer = admin.post(reverse("earning_new"), form(**rows, cap_day="500", minimum="10"))
    rule = EarningRule.objects.get()
    assert answer.url == reverse("earning_detail", args=[rule.pk])
    assert rule.versions.get().definition == {
        "base": {"kind": "per_amount", "points": 1, "rounding": "down", "per": 100},
        "multipliers": [
            {
                "kind": "time", "factor": "2", "name": "双倍积分日", "from": "2026-11-11", "until": "2026-11-11",
                "hours": [9, 12],
            }
        ],
        "combine": "multiply", "caps": {"day": 500}, "position": 100, "stacking": {"kind": "add"},
        "scope": {"minimum": 1_000},
    }  # fmt: skip
    page = admin.get(reverse("earning_edit", args=[rule.pk])).content.decode()
    assert 'value="9-12"' in page
    refused = admin.post(reverse("earning_new"), form(name="另一条", **{**rows, "m_factor": ["101", ""]}))
    assert refused.status_code == 422
    assert EarningRule.objects.count() == 1
    for name, args in (("earning_list", []), ("earning_detail", [rule.pk])):
        assert "基础积分" in admin.get(reverse(name, args=args)).content.decode()
