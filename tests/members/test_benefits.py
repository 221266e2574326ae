"""Benefits: who may claim how often, what is refused and in which words, and what becomes of a claim."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction

from members.models import Benefit, BenefitClaimCode, BenefitCode, Event, Member, MemberBenefit, Tier
from members.operations import (
    benefit_catalogue,
    benefit_due,
    benefit_stock,
    benefit_uses,
    benefits,
    rewards,
    tier_schemes,
)
from members.operations import tiers as tier_acts
from members.operations.benefit_catalogue import Content, RuleIn
from members.operations.benefit_stock import CodeIn
from members.operations.rewards import Gift
from members.operations.tier_schemes import Content as LadderContent
from members.operations.tier_schemes import StepContent
from members.queries import benefit_catalogue as catalogue
from members.queries import benefit_claims
from members.queries import benefits as queries
from members.rules import benefit_codes
from scrm.common.access import SYSTEM
from scrm.common.errors import Conflict, DomainError, Invalid, NotFound
from scrm.common.models import Notification
from tests.factories import NOW, make_member, make_store, make_user
from tests.members.giving import make_benefit

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def claim(member: Member, key: str = "parking", reference: str = "r1", now: datetime = NOW) -> MemberBenefit:
    return benefits.claim(member_id=member.pk, benefit_key=key, reference=reference, now=now).claim


def redeem(claimed: MemberBenefit, reference: str = "u1", now: datetime = NOW, **values) -> MemberBenefit:
    return benefit_uses.redeem(
        member_id=claimed.member_id, claim_id=claimed.pk, reference=reference, now=now, **values
    )[0]  # fmt: skip


def refusal(act, *args, **values) -> str:
    with pytest.raises(DomainError) as caught:
        act(*args, **values)
    return caught.value.code


def stock(benefit: Benefit, *codes: str, expires_on: str = "") -> None:
    given = [CodeIn(code, expires_on) for code in codes]
    benefit_stock.add(benefit_id=benefit.pk, codes=given, batch="first", now=NOW)


# Quotas


def test_a_quota_is_used_up_and_renews_with_the_month() -> None:
    make_benefit(quota=2)
    member = make_member()
    claim(member, reference="a")
    claim(member, reference="b")
    with pytest.raises(Conflict) as caught:
        claim(member, reference="c")
    assert caught.value.code == "quota_reached"
    # The first instant of December in Shanghai.
    assert caught.value.detail == {"quota": 2, "used": 2, "renews_at": "2026-11-30T16:00:00+00:00"}
    assert "2026-12-01 00:00" in str(caught.value.message)
    later = claim(member, reference="c", now=datetime(2026, 11, 30, 16, 0, tzinfo=UTC))
    assert (later.period, later.ordinal) == ("2026-12", 1)


@pytest.mark.parametrize(
    ("period", "key", "renews"),
    [
        ("day", "2026-11-21", "2026-11-21T16:00:00+00:00"),
        ("week", "2026-W47", "2026-11-22T16:00:00+00:00"),
        ("month", "2026-11", "2026-11-30T16:00:00+00:00"),
        ("quarter", "2026-Q4", "2026-12-31T16:00:00+00:00"),
        ("year", "2026", "2026-12-31T16:00:00+00:00"),
        ("ever", "ever", None),
    ],
)
def test_periods_are_those_of_the_shops_calendar(period: str, key: str, renews: str | None) -> None:
    make_benefit(quota=1, period=period)
    member = make_member()
    assert claim(member).period == key
    with pytest.raises(Conflict) as caught:
        claim(member, reference="r2")
    assert caught.value.detail["renews_at"] == renews


def test_the_same_reference_claims_once() -> None:
    make_benefit()
    make_benefit("car-wash")
    member = make_member()
    first = benefits.claim(member_id=member.pk, benefit_key="parking", reference="r1", now=NOW)
    again = benefits.claim(member_id=member.pk, benefit_key="parking", reference="r1", now=NOW)
    assert (first.duplicate, again.duplicate, first.claim.pk) == (False, True, again.claim.pk)
    assert refusal(claim, member, "car-wash", "r1") == "reference_reused"


def test_the_table_itself_keeps_the_quota() -> None:
    make_benefit(quota=1)
    first = claim(make_member())
    row = {
        "member_id": first.member_id, "benefit_id": first.benefit_id, "period": first.period, "quota": 1,
        "source": "claim", "actor": "system", "claimed_at": NOW,
    }  # fmt: skip
    for ordinal, reference in ((1, "x"), (2, "y")):
        with pytest.raises(IntegrityError), transaction.atomic():
            MemberBenefit.objects.create(**row, ordinal=ordinal, reference=reference)


def test_what_was_voided_gives_the_quota_back() -> None:
    make_benefit(quota=1)
    member = make_member()
    first = claim(member)
    benefit_uses.void(member_id=member.pk, claim_id=first.pk, reason="误领", now=NOW)
    assert claim(member, reference="r2").ordinal == 1
    assert refusal(redeem, first) == "voided"


# Who


def test_refusals_say_why() -> None:
    member = make_member()
    make_benefit("soon", valid_from=NOW + DAY)
    make_benefit("gone", valid_until=NOW - DAY)
    make_benefit("local", condition={"all": [{"field": "city", "op": "eq", "value": "上海"}]})
    draft = benefit_catalogue.create(key="draft", kind="other", content=Content(name="草稿", rules=[RuleIn()]))
    assert {answer.benefit.key: answer.refusal for answer in queries.entitled(member.pk, now=NOW)} == {
        "soon": "not_active", "gone": "not_active", "local": "not_entitled",
    }  # fmt: skip
    assert "2026-11-22 12:00" in queries.one(member.pk, benefit=queries.by_key("soon"), now=NOW).why
    assert "上海" in queries.one(member.pk, benefit=queries.by_key("local"), now=NOW).why
    assert refusal(claim, member, draft.key) == "not_active"
    assert refusal(claim, member, "local") == "not_entitled"
    assert refusal(claim, member, "nothing") == "unknown_benefit"
    assert refusal(benefits.claim, member_id=2**70, benefit_key="local", reference="r", now=NOW) == "not_found"


def test_entitlement_counts_what_is_left() -> None:
    make_benefit(quota=3)
    member = make_member()
    claim(member, reference="a")
    [answer] = queries.entitled(member.pk, now=NOW)
    assert (answer.holds, answer.used, answer.left, answer.quota) == (True, 1, 2, 3)


def test_a_benefit_without_a_quota_can_be_used_as_often_as_one_likes() -> None:
    make_benefit(quota=None, claimed_first=False)
    member = make_member()
    for number in range(5):
        benefits.use(member_id=member.pk, benefit_key="parking", reference=f"u{number}", now=NOW)
    assert queries.entitled(member.pk, now=NOW)[0].left is None
    assert refusal(claim, member) == "not_claimable"


def test_what_needs_a_claim_cannot_be_used_without() -> None:
    make_benefit()
    member = make_member()
    assert refusal(benefits.use, member_id=member.pk, benefit_key="parking", reference="u", now=NOW) == "claim_needed"


def test_the_largest_multiplier_counts() -> None:
    make_benefit("double", "points_multiplier", parameters={"percent": 200})
    make_benefit(
        "triple", "points_multiplier", parameters={"percent": 300},
        condition={"all": [{"field": "city", "op": "eq", "value": "上海"}]},
    )  # fmt: skip
    make_benefit("growing", "points_multiplier", parameters={"percent": 500, "currency": "growth"})
    local, other = make_member(city="上海"), make_member()
    found = queries.multipliers([local.pk, other.pk], now=NOW)
    assert {member_id: one.percent for member_id, one in found.items()} == {local.pk: 300, other.pk: 200}
    assert queries.multipliers([other.pk], now=NOW, currency="growth")[other.pk].percent == 500
    assert refusal(claim, local, "double") == "not_claimable"


# Tiers


@pytest.fixture
def tiers() -> dict[str, int]:
    steps = [("basic", 0, 0, []), ("silver", 1_000, 800, []), ("gold", 5_000, 4_000, [])]
    content = [
        StepContent(name=key.title(), key=key, threshold=n, retention=kept, gifts=[]) for key, n, kept, _ in steps
    ]
    tier_schemes.save(content=LadderContent(steps=content), version=0, actor=SYSTEM, now=NOW - 400 * DAY)
    tier_acts.evaluate_everyone(now=NOW)
    return dict(Tier.objects.values_list("key", "pk"))


def lift(member: Member, tier_id: int, days: int = 90) -> None:
    tier_acts.set_by_hand(member_id=member.pk, tier_id=tier_id, until=NOW + days * DAY, reason="测试", now=NOW)


def test_a_rule_of_the_tier_wins_and_others_are_told_what_they_need(tiers: dict[str, int]) -> None:
    make_benefit("lounge", rules=[RuleIn("silver", 1), RuleIn("gold", 3)])
    make_benefit("parking", rules=[RuleIn("gold", 5), RuleIn("", 1)])
    basic, gold = make_member(), make_member()
    lift(gold, tiers["gold"])
    assert {one.benefit.key: (one.refusal, one.quota) for one in queries.entitled(basic.pk, now=NOW)} == {
        "lounge": ("not_entitled", None), "parking": ("", 1),
    }  # fmt: skip
    assert {one.benefit.key: one.quota for one in queries.entitled(gold.pk, now=NOW)} == {"lounge": 3, "parking": 5}
    with pytest.raises(Conflict) as caught:
        claim(basic, "lounge")
    assert caught.value.code == "not_entitled"
    assert "Silver, Gold" in str(caught.value.message) or "Silver、Gold" in str(caught.value.message)
    assert "Basic" in str(caught.value.message)


def test_a_quota_of_the_tier_cycle_is_counted_in_it(tiers: dict[str, int]) -> None:
    make_benefit("lounge", rules=[RuleIn("gold", 1, "tier_cycle")])
    member = make_member()
    lift(member, tiers["gold"])
    assert claim(member, "lounge").period.startswith("cycle:gold:")
    with pytest.raises(Conflict) as caught:
        claim(member, "lounge", "r2")
    assert (caught.value.code, caught.value.detail["renews_at"] is not None) == ("quota_reached", True)


# Redeeming


def test_a_claim_is_found_by_its_code_and_used_once() -> None:
    make_benefit()
    member, store = make_member(), make_store()
    claimed = claim(member)
    typed = f" {benefit_codes.spaced(claimed.code).lower()} "
    assert benefit_claims.by_code(typed, actor=SYSTEM).pk == claimed.pk
    used, again = benefit_uses.redeem(
        member_id=member.pk, claim_id=claimed.pk, reference="till-7", store_id=store.pk, now=NOW
    )
    assert (used.state, used.store_id, used.redeemed_at, again) == ("redeemed", store.pk, NOW, False)
    assert benefit_uses.redeem(member_id=member.pk, claim_id=claimed.pk, reference="till-7", now=NOW)[1]
    with pytest.raises(Conflict) as caught:
        redeem(claimed, "till-8")
    assert caught.value.code == "already_redeemed"
    assert "2026-11-21 12:00" in str(caught.value.message)
    assert store.name in str(caught.value.message)
    assert list(Event.objects.filter(member=member).order_by("id").values_list("type__key", flat=True)) == [
        "benefit.claimed", "benefit.redeemed",
    ]  # fmt: skip


def test_a_code_that_cannot_be_one_is_told_from_one_that_nobody_has() -> None:
    make_benefit()
    code = claim(make_member()).code
    wrong = code[:-1] + ("2" if code[-1] != "2" else "3")
    assert refusal(benefit_claims.by_code, wrong, actor=SYSTEM) == "mistyped_code"
    assert refusal(benefit_claims.by_code, benefit_codes.make(), actor=SYSTEM) == "unknown_code"
    for nonsense in ("", "\x00", "0" * 14, "😀" * 14, "A" * 10_000):
        assert refusal(benefit_claims.by_code, nonsense, actor=SYSTEM) == "mistyped_code"


def test_a_claim_expires_at_the_end_of_its_last_day_before_the_books_say_so() -> None:
    make_benefit(claim_days=7)
    claimed = claim(make_member())
    assert claimed.expires_at == datetime(2026, 11, 28, 16, 0, tzinfo=UTC)
    assert refusal(redeem, claimed, now=claimed.expires_at) == "expired"
    assert redeem(claimed, now=claimed.expires_at - timedelta(seconds=1)).state == "redeemed"


def test_lapsed_claims_are_written_down() -> None:
    make_benefit(claim_days=1)
    old, new = claim(make_member()), claim(make_member(), now=NOW + DAY)
    at = NOW + 2 * DAY
    assert (benefit_due.lapse(now=at), benefit_due.lapse(now=at)) == (1, 0)
    old.refresh_from_db()
    new.refresh_from_db()
    assert (old.state, old.closed_at, new.state) == ("expired", old.expires_at, "claimed")


def test_a_benefit_of_some_stores_is_used_there() -> None:
    here, there = make_store("S1"), make_store("S2")
    make_benefit(store_ids=[here.pk])
    claimed = claim(make_member())
    with pytest.raises(Conflict) as caught:
        redeem(claimed, store_id=there.pk)
    assert (caught.value.code, here.name in str(caught.value.message)) == ("wrong_store", True)
    assert refusal(redeem, claimed) == "wrong_store"
    assert redeem(claimed, store_id=here.pk).store_id == here.pk


def test_a_use_is_taken_back_within_its_days() -> None:
    make_benefit(quota=1, return_days=3)
    member = make_member()
    claimed = claim(member)
    assert refusal(benefit_uses.take_back, member_id=member.pk, claim_id=claimed.pk, now=NOW) == "not_redeemed"
    redeem(claimed)
    late = NOW + 3 * DAY + timedelta(seconds=1)
    assert refusal(benefit_uses.take_back, member_id=member.pk, claim_id=claimed.pk, now=late) == "too_late"
    for _ in range(2):
        returned = benefit_uses.take_back(member_id=member.pk, claim_id=claimed.pk, now=NOW + 3 * DAY)
        assert (returned.state, returned.closed_at) == ("returned", NOW + 3 * DAY)
    assert claim(member, reference="r2", now=NOW + 3 * DAY).ordinal == 1
    assert refusal(redeem, claimed, "u2") == "returned"


def test_one_reference_uses_one_claim() -> None:
    make_benefit()
    member = make_member()
    first, second = claim(member, reference="a"), claim(member, reference="b")
    redeem(first, "till-1")
    assert refusal(redeem, second, "till-1") == "reference_reused"
    assert refusal(redeem, second, "") == "bad_reference"


# Giving


def test_staff_give_beside_the_quota() -> None:
    make_benefit(quota=1)
    member = make_member()
    claim(member)
    given = benefits.issue(member_id=member.pk, benefit_key="parking", reference="sorry-1", reason="补偿", now=NOW)
    again = benefits.issue(member_id=member.pk, benefit_key="parking", reference="sorry-1", reason="补偿", now=NOW)
    assert (given.claim.period, given.claim.quota, given.duplicate, again.duplicate) == ("given", None, False, True)
    assert queries.entitled(member.pk, now=NOW)[0].used == 1


def test_many_are_given_at_once_and_once() -> None:
    make_benefit()
    members = [make_member() for _ in range(3)]
    items = [(member.pk, "day-1") for member in members] + [(10**12, "day-1")]
    first = benefits.issue_many(benefit_key="parking", items=items, now=NOW)
    again = benefits.issue_many(benefit_key="parking", items=items, now=NOW)
    assert [one.outcome for one in first] == ["issued"] * 3 + ["unknown_member"]
    assert [one.outcome for one in again] == ["known"] * 3 + ["unknown_member"]
    assert BenefitClaimCode.objects.count() == MemberBenefit.objects.count() == 3


def test_a_reward_is_given_and_taken_back_but_for_what_was_used() -> None:
    make_benefit()
    member = make_member()
    listed = rewards.read([{"kind": "benefit", "key": "parking", "quantity": 2}])
    gift = Gift(member.pk, "task:1:once", "task:1", listed, "完成任务")
    rewards.give(gifts=[gift], now=NOW)
    rewards.give(gifts=[gift], now=NOW)
    claims = list(MemberBenefit.objects.order_by("ordinal"))
    assert [(one.reference, one.source) for one in claims] == [
        ("task:1:once#0.1", "reward"), ("task:1:once#0.2", "reward"),
    ]  # fmt: skip
    redeem(claims[0])
    for _ in range(2):
        rewards.take_back(member_id=member.pk, source="task:1", reason="订单退款", now=NOW)
    assert list(MemberBenefit.objects.order_by("ordinal").values_list("state", flat=True)) == ["redeemed", "voided"]
    assert refusal(rewards.read, [{"kind": "benefit", "key": "nothing"}]) == "unknown_benefit"


# Partners' codes


def test_a_partners_code_goes_to_one_member_and_is_sealed() -> None:
    benefit = make_benefit("coffee", "partner_code", quota=5)
    stock(benefit, "LATTE-0001", "LATTE-0002")
    first, second, third = make_member(), make_member(), make_member()
    codes = [benefit_claims.shown([claim(one, "coffee")], now=NOW)[0].code for one in (first, second)]
    assert sorted(codes) == ["LATTE-0001", "LATTE-0002"]
    assert refusal(claim, third, "coffee") == "out_of_codes"
    assert b"LATTE" not in b"".join(bytes(code.sealed) for code in BenefitCode.objects.all())
    claimed = MemberBenefit.objects.get(member=first)
    benefit_uses.void(member_id=first.pk, claim_id=claimed.pk, now=NOW)
    assert BenefitCode.objects.get(pk=claimed.partner_code_id).state == "withdrawn"
    assert refusal(claim, third, "coffee") == "out_of_codes"  # it has been seen


def test_codes_are_taken_one_by_one() -> None:
    benefit = make_benefit("coffee", "partner_code")
    stock(benefit, "OLD-CODE-1")
    given = [
        CodeIn("NEW-CODE-1", "2026-12-31"), CodeIn("NEW-CODE-1"), CodeIn("OLD-CODE-1"), CodeIn("=1+1"), CodeIn("  "),
        CodeIn("X" * 121), CodeIn("NEW-CODE-2", "2026-11-20"), CodeIn("NEW-CODE-3", "soon"), CodeIn("1.23E+15"),
        CodeIn("a\x00b"),
    ]  # fmt: skip
    answers = benefit_stock.add(benefit_id=benefit.pk, codes=given, batch="second", now=NOW)
    assert [(one.status, one.code) for one in answers] == [
        ("accepted", ""), ("rejected", "code_twice"), ("rejected", "known_code"), ("rejected", "formula"),
        ("rejected", "missing"), ("rejected", "too_long"), ("rejected", "in_past"), ("rejected", "wrong_type"),
        ("rejected", "invalid"), ("rejected", "forbidden_character"),
    ]  # fmt: skip
    assert BenefitCode.objects.get(batch="second").expires_at == datetime(2026, 12, 31, 16, 0, tzinfo=UTC)
    assert refusal(benefit_stock.add, benefit_id=make_benefit().pk, codes=given, batch="x", now=NOW) == "no_stock"


def test_the_code_that_lapses_first_goes_first_and_bounds_the_claim() -> None:
    benefit = make_benefit("coffee", "partner_code", claim_days=90)
    stock(benefit, "WITHOUT-END")
    stock(benefit, "ENDS-SOON", expires_on="2026-11-30")
    claimed = claim(make_member(), "coffee")
    assert benefit_claims.shown([claimed], now=NOW)[0].code == "ENDS-SOON"
    assert claimed.expires_at == datetime(2026, 11, 30, 16, 0, tzinfo=UTC)


def test_a_low_stock_is_told_once_until_it_is_filled() -> None:
    make_user(role="admin")
    benefit = make_benefit("coffee", "partner_code", low_stock=2)
    stock(benefit, "A-000001")
    assert benefit_due.tell_of_low_stock(now=NOW) == ["coffee"]
    assert benefit_due.tell_of_low_stock(now=NOW) == []
    assert [(one.message, one.values) for one in Notification.objects.all()] == [
        ("“%(name)s” has %(count)s codes left", {"name": benefit.name, "count": 1})
    ]
    stock(benefit, "A-000002")
    assert benefit_due.tell_of_low_stock(now=NOW) == []
    claim(make_member(), "coffee")
    assert benefit_due.tell_of_low_stock(now=NOW) == ["coffee"]


def test_a_partner_is_paid_for_what_was_given_out_less_what_was_withdrawn() -> None:
    partner = benefit_catalogue.save_partner(partner_id=None, name="咖啡馆")
    coffee = make_benefit("coffee", "partner_code", quota=9, cost=1_500, partner_id=partner.pk)
    wash = make_benefit("wash", cost=3_000, partner_id=partner.pk)
    stock(coffee, "C-0001", "C-0002", "C-0003")
    member = make_member()
    codes = [claim(member, "coffee", f"c{number}") for number in range(3)]
    benefit_uses.void(member_id=member.pk, claim_id=codes[0].pk, now=NOW + 15 * DAY)
    claim(member, "wash", "w1")
    redeem(claim(member, "wash", "w2"))
    benefit_catalogue.change(
        benefit_id=coffee.pk, content=Content(name="咖啡", cost=9_900, partner_id=partner.pk, rules=[RuleIn("", 9)]),
        now=NOW,
    )  # fmt: skip
    november = catalogue.settlement(partner.pk, first=NOW.date().replace(day=1), last=NOW.date().replace(day=30))
    assert [(one.key, one.counted, one.returned, one.owed) for one in november] == [
        ("coffee", 3, 0, 4_500), ("wash", 1, 0, 3_000),
    ]  # fmt: skip
    december = catalogue.settlement(
        partner.pk, first=NOW.date().replace(month=12, day=1), last=NOW.date().replace(month=12, day=31)
    )
    assert [(one.key, one.net, one.owed) for one in december] == [("coffee", -1, -1_500), ("wash", 0, 0)]
    assert catalogue.uses([wash.pk], since=NOW - DAY, until=NOW + DAY)[wash.pk] == catalogue.Use(2, 1, 0, 3_000)
    with pytest.raises(Invalid, match="366"):
        catalogue.settlement(partner.pk, first=NOW.date(), last=NOW.date() + 400 * DAY)


# Definitions


@pytest.mark.parametrize(
    ("kind", "values", "code", "field"),
    [
        ("discount", {}, "parameter_either", "parameters.percent_off"),
        ("discount", {"parameters": {"percent_off": 101}}, "parameter_out_of_range", "parameters.percent_off"),
        ("discount", {"parameters": {"percent_off": True}}, "parameter_wrong_type", "parameters.percent_off"),
        ("discount", {"parameters": {"percent_off": 10, "x": 1}}, "parameter_unknown", "parameters.x"),
        ("discount", {"parameters": []}, "parameter_wrong_type", "parameters.parameters"),
        ("birthday_gift", {}, "parameter_missing", "parameters.gift"),
        ("partner_code", {"parameters": {"url": "javascript:alert(1)"}}, "parameter_wrong_type", "parameters.url"),
        ("points_multiplier", {"parameters": {"currency": "gold"}}, "unknown_currency", "parameters.currency"),
        ("other", {"name": " "}, "bad_name", "name"),
        ("other", {"name": "a\x00"}, "bad_name", "name"),
        ("other", {"cost": -1}, "out_of_range", "cost"),
        ("other", {"cost": 10**30}, "out_of_range", "cost"),
        ("other", {"claim_days": 0}, "out_of_range", "claim_days"),
        ("other", {"valid_from": NOW, "valid_until": NOW}, "ends_early", "valid_until"),
        ("other", {"partner_id": 10**9}, "unknown_partner", "partner"),
        ("other", {"icon": "../x"}, "unknown_icon", "icon"),
        ("other", {"store_ids": [10**9]}, "unknown_store", "stores"),
        ("other", {"rules": [RuleIn("gold")]}, "unknown_tier", "rules[0].tier"),
        ("other", {"rules": [RuleIn(), RuleIn()]}, "tier_twice", "rules[1].tier"),
        ("other", {"rules": [RuleIn("", 0)]}, "out_of_range", "rules[0].quota"),
        ("other", {"rules": [RuleIn("", 1, "tier_cycle")]}, "cycle_needs_tier", "rules[0].period"),
        ("other", {"rules": [RuleIn("", 1, "fortnight")]}, "unknown_period", "rules[0].period"),
    ],
)
def test_what_a_benefit_cannot_be(kind: str, values: dict, code: str, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        benefit_catalogue.create(key="bad", kind=kind, content=Content(**{"name": "权益", **values}))
    assert (caught.value.code, caught.value.detail["field"]) == (code, field)
    assert not Benefit.objects.exists()


def test_a_benefit_is_changed_by_one_person_at_a_time() -> None:
    benefit = make_benefit()
    content = Content(name="停车", rules=[RuleIn("", 5, "year")])
    changed = benefit_catalogue.change(benefit_id=benefit.pk, content=content, version=benefit.version, now=NOW)
    assert (changed.name, changed.rules.get().quota) == ("停车", 5)
    with pytest.raises(Conflict) as caught:
        benefit_catalogue.change(benefit_id=benefit.pk, content=content, version=benefit.version, now=NOW)
    assert caught.value.code == "changed"
    nobody = Content(name="停车")
    assert refusal(benefit_catalogue.change, benefit_id=benefit.pk, content=nobody, now=NOW) == "no_rules"


def test_an_ended_benefit_gives_no_more_but_honours_what_was_claimed() -> None:
    benefit = make_benefit()
    member = make_member()
    claimed = claim(member)
    benefit_catalogue.end(benefit_id=benefit.pk, now=NOW)
    assert refusal(claim, member, reference="r2") == "not_active"
    assert redeem(claimed).state == "redeemed"
    with pytest.raises(NotFound):
        benefit_catalogue.end(benefit_id=10**30, now=NOW)


def test_nobodys_benefit_is_not_put_into_use() -> None:
    made = benefit_catalogue.create(key="x", kind="other", content=Content(name="权益"))
    assert refusal(benefit_catalogue.activate, benefit_id=made.pk, now=NOW) == "no_rules"
