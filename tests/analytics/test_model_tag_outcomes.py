"""What each model says of members whose habits are plain, and what a run leaves behind."""

from __future__ import annotations

from datetime import timedelta

import pytest

from analytics.enums import ModelKey, RunState
from analytics.models import ModelRun, ModelScore, ModelValue
from analytics.operations import model_publication, model_tags
from analytics.rules.model_tags.conclusions import Conclusion
from analytics.tasks import compute_model_tags  # noqa: F401  # registers the handler
from members.models import Event, Member
from scrm.common import clock, jobs
from scrm.common.access import SYSTEM
from scrm.common.errors import Conflict, Invalid
from scrm.common.models import Job
from tags.models import MemberTag, Tag, TagGroup
from tests.analytics.test_model_tags import AS_OF, at, buy, compute, found, happen, tags_of
from tests.factories import NOW, make_member, make_source, make_store

pytestmark = pytest.mark.django_db


def crowd(count: int = 12) -> list[Member]:
    """Members who buy evenly across prices and categories, noon and evening: what everybody does."""
    members = []
    for number in range(count):
        member = make_member()
        for ago in (20, 80, 140):
            unit = 1000 * (1 + (number + ago) % 10)
            category = ("茶", "香")[(number + ago // 20) % 2]
            buy(member, ago, (category, unit), hour_of_day=12 if ago == 80 else 20, channel=("mini", "shop")[ago == 80])
        members.append(member)
    return members


def test_price_sensitivity_is_the_place_within_the_category():
    crowd()
    bargain, luxury, few = make_member(), make_member(), make_member()
    for ago in (5, 6, 7, 8, 9, 10):
        buy(bargain, ago, ("茶", 1000))
        buy(luxury, ago, ("茶", 10_000))
    for ago in (5, 6, 7):
        buy(few, ago, ("茶", 1000))
    compute(ModelKey.PRICE)
    answers = found(ModelKey.PRICE)
    assert answers[bargain.pk].value == "high"
    assert answers[luxury.pk].value == "low"
    assert few.pk not in answers
    assert answers[bargain.pk].evidence == 6


def test_prices_of_another_currency_are_placed_among_their_own():
    crowd()
    member = make_member()
    euro = make_source("eu")
    type(euro).objects.filter(pk=euro.pk).update(currency="EUR")
    for ago in range(1, 30):
        buy(member, ago, ("茶", 100 * (1 + ago % 5)), source=euro)
    compute(ModelKey.PRICE)
    assert found(ModelKey.PRICE)[member.pk].value == "middle"


def test_category_preference_is_a_lift_over_everybody_that_fades():
    crowd()
    now, once = make_member(), make_member()
    for ago in (3, 4, 5):
        buy(now, ago, ("衣", 5000))
    for ago in (700, 701, 702):
        buy(once, ago, ("衣", 5000))
    for ago in (3, 4, 5):
        buy(once, ago, ("茶", 5000))
    compute(ModelKey.CATEGORY)
    answers = found(ModelKey.CATEGORY)
    assert answers[now.pk].value == "衣"
    assert answers[once.pk].value == "茶"
    assert answers[once.pk].others == ()
    assert tags_of(now, ModelKey.CATEGORY) == {"偏好衣"}


def test_two_preferred_categories_give_two_tags():
    crowd()
    member = make_member()
    for ago in (3, 4, 5, 6):
        buy(member, ago, ("衣", 5000), ("书", 3000))
    compute(ModelKey.CATEGORY)
    answer = found(ModelKey.CATEGORY)[member.pk]
    assert {answer.value, *answer.others} == {"衣", "书"}
    assert tags_of(member, ModelKey.CATEGORY) == {"偏好衣", "偏好书"}


def test_the_contact_hour_is_where_the_member_is_active_and_may_be_written_to():
    crowd()
    morning, owl = make_member(), make_member()
    for ago in (1, 2, 3, 4):
        happen(morning, ago, 9)
        happen(owl, ago, 3)
    compute(ModelKey.HOUR)
    answers = found(ModelKey.HOUR)
    assert answers[morning.pk].value == "9"
    assert answers[owl.pk].value == "20"  # nobody writes at three: everybody's best hour
    assert tags_of(morning, ModelKey.HOUR) == {"适合 09:00–10:00 联系"}


def test_an_answer_to_a_message_counts_threefold_and_the_systems_own_entries_do_not():
    crowd()
    member = make_member()
    for ago in (1, 2, 3, 4):
        happen(member, ago, 10)
        happen(member, ago, 16, kind="tag.added", source="scrm.tags")
    for ago in (1, 2):
        happen(member, ago, 18, kind="message.clicked", source="scrm.campaigns", channel="sms")
    compute(ModelKey.HOUR)
    assert found(ModelKey.HOUR)[member.pk].value == "18"
    assert found(ModelKey.HOUR)[member.pk].evidence == 6


def test_the_channel_is_the_one_with_half_of_purchases_and_answers():
    crowd()
    store = make_store("S9", kind="shop")
    shopper, reader, mixed = make_member(), make_member(), make_member()
    for ago in (1, 2, 3):
        buy(shopper, ago, store=store)
        happen(reader, ago, 12, kind="message.opened", source="scrm.campaigns", channel="sms")
    for via in ("mini", "tmal", "live"):
        buy(mixed, 1, channel=via)
    compute(ModelKey.CHANNEL)
    answers = found(ModelKey.CHANNEL)
    assert [answers[m.pk].value for m in (shopper, reader, mixed)] == ["shop", "sms", "-"]
    assert tags_of(mixed, ModelKey.CHANNEL) == {"多渠道"}


def test_promotion_sensitivity_compares_with_everybody():
    for member in crowd():
        buy(member, 30, ("茶", 1000), discount=300)
    hunter, plain = make_member(), make_member()
    for ago in range(1, 7):
        buy(hunter, ago, ("茶", 1000), discount=300)
        buy(plain, ago, ("茶", 1000))
    compute(ModelKey.PROMOTION)
    answers = found(ModelKey.PROMOTION)
    assert (answers[hunter.pk].value, answers[plain.pk].value) == ("high", "low")
    # (6 + 6 × 18/60) / 12
    assert answers[hunter.pk] == Conclusion("high", 0.65, 6)


def test_in_a_shop_without_discounts_nobody_is_rated():
    crowd()
    run = compute(ModelKey.PROMOTION)[ModelKey.PROMOTION]
    assert (run.known, run.unknown, run.distribution) == (0, 12, {})


def regulars(count: int = 60) -> None:
    """Every second one buys each month to this day; the others stopped a year ago."""
    for number in range(count):
        member = make_member()
        for ago in range(0, 720, 30) if number % 2 else range(360, 720, 30):
            buy(member, ago + number % 7)


def test_churn_risk_is_learnt_from_those_whose_rhythm_was_alike(monkeypatch):
    monkeypatch.setattr("analytics.rules.model_tags.churn.FIT_MEMBERS", 50)
    regulars()
    loyal, gone, never = make_member(), make_member(), make_member()
    for ago in (3, 33, 63, 93, 123, 153):
        buy(loyal, ago)
    for ago in (400, 430, 460, 490, 520):
        buy(gone, ago)
    run = compute(ModelKey.CHURN)[ModelKey.CHURN]
    answers = found(ModelKey.CHURN)
    assert (answers[loyal.pk].value, answers[gone.pk].value) == ("low", "high")
    assert answers[loyal.pk].score > 0.7 > 0.3 > answers[gone.pk].score
    assert never.pk not in answers
    quality = run.quality
    assert quality["auc"] > 0.95
    assert 0.4 < quality["base_rate"] < 0.6
    assert quality["majority_accuracy"] < 0.6
    assert quality["log_loss"] < quality["base_log_loss"]


def test_too_little_history_teaches_nothing_and_says_so():
    crowd()
    run = compute(ModelKey.CHURN)[ModelKey.CHURN]
    assert (run.known, run.unknown) == (0, 12)
    assert "auc" not in run.quality


# What a run leaves behind


def test_values_are_tags_of_system_groups_with_the_reason():
    hunter = make_member()
    for member in crowd():
        buy(member, 30, ("茶", 1000), discount=300)
    for ago in range(1, 7):
        buy(hunter, ago, ("茶", 1000), discount=300)
    compute(ModelKey.PROMOTION)
    tag = Tag.objects.get(pk=ModelValue.objects.get(model="promotion", value="high").tag_id)
    assert (tag.kind, tag.group.name, tag.group.choice) == ("model", "促销敏感度", "single")
    held = MemberTag.objects.get(member=hunter, tag=tag)
    assert (held.source, held.reason) == ("model", "带优惠的订单占 67%（平滑后），依据 6 笔订单")
    assert not Event.objects.filter(type__key="tag.added").exists()  # the first run is no news


def test_a_later_run_writes_only_what_differs_and_tells_the_timelines():
    members = crowd()
    steady, turns = members[0], make_member()
    for ago in (60, 61, 62):
        buy(turns, ago, channel="mini")
    compute(ModelKey.CHANNEL)
    assert tags_of(turns, ModelKey.CHANNEL) == {"偏好小程序"}
    for ago in range(10):
        buy(turns, ago, channel="tmal")
    assert compute(ModelKey.CHANNEL)[ModelKey.CHANNEL].changed == 1
    assert tags_of(turns, ModelKey.CHANNEL) == {"偏好天猫"}
    told = Event.objects.filter(member=turns, type__key__startswith="tag.").order_by("type__key")
    assert [(e.type.key, e.properties["tag"]) for e in told] == [
        ("tag.added", "偏好天猫"),
        ("tag.removed", "偏好小程序"),
    ]
    assert not Event.objects.filter(member=steady, type__key__startswith="tag.").exists()


def test_who_falls_below_the_evidence_becomes_unknown_and_loses_the_tag():
    member = make_member()
    order = [buy(member, ago, channel="mini") for ago in (1, 2)][0]
    compute(ModelKey.CHANNEL)
    assert tags_of(member, ModelKey.CHANNEL) == {"偏好小程序"}
    type(order).objects.filter(pk=order.pk).update(state="closed")
    run = compute(ModelKey.CHANNEL)[ModelKey.CHANNEL]
    assert (run.known, tags_of(member, ModelKey.CHANNEL)) == (0, set())


def test_a_tag_taken_off_by_hand_stays_off_until_the_value_changes():
    member = make_member()
    for ago in (1, 2, 3):
        buy(member, ago, channel="mini")
    compute(ModelKey.CHANNEL)
    MemberTag.objects.filter(member=member).delete()
    compute(ModelKey.CHANNEL)
    assert tags_of(member, ModelKey.CHANNEL) == set()


def test_a_renamed_tag_keeps_its_value_and_an_archived_one_is_put_on_nobody():
    member = make_member()
    for ago in (1, 2, 3):
        buy(member, ago, channel="mini")
    compute(ModelKey.CHANNEL)
    tag_id = ModelValue.objects.get(model="channel", value="mini").tag_id
    Tag.objects.filter(pk=tag_id).update(name="爱用小程序", archived_at=NOW)
    late = make_member()
    for ago in (1, 2, 3):
        buy(late, ago, channel="mini")
    compute(ModelKey.CHANNEL)
    assert tags_of(member, ModelKey.CHANNEL) == {"爱用小程序"}
    assert (found(ModelKey.CHANNEL)[late.pk].value, tags_of(late, ModelKey.CHANNEL)) == ("mini", set())


def test_a_group_of_peoples_own_with_the_same_name_is_left_alone():
    mine = TagGroup.objects.create(name="渠道偏好")
    Tag.objects.create(group=mine, name="偏好小程序")
    member = make_member()
    for ago in (1, 2, 3):
        buy(member, ago, channel="mini")
    compute(ModelKey.CHANNEL)
    assert MemberTag.objects.get(member=member).tag.group.name == "渠道偏好（模型）"


def test_merged_and_erased_members_have_no_conclusions():
    gone = make_member()
    for ago in (1, 2, 3):
        buy(gone, ago, channel="mini")
    compute(ModelKey.CHANNEL)
    Member.objects.filter(pk=gone.pk).update(status="erased")
    run = compute(ModelKey.CHANNEL)[ModelKey.CHANNEL]
    assert (run.known, ModelScore.objects.count()) == (0, 0)


def test_a_dead_workers_run_goes_on_where_it_stood(monkeypatch):
    members = crowd(6)
    monkeypatch.setattr(model_publication, "RANGE", members[3].pk)  # two ranges
    job = model_tags.start(models=[ModelKey.CHANNEL], as_of=AS_OF, actor=SYSTEM, now=NOW)
    run = ModelRun.objects.get(job=job)
    model_tags._learn(run)
    model_tags._conclude_range(run, noted=False)
    assert 0 < ModelScore.objects.count() < 6
    before = ModelRun.objects.get(pk=run.pk).population
    buy(members[0], 1, channel="tmal")  # learnt already: it does not change what everybody does
    jobs.run(job_id=job.pk)
    run.refresh_from_db()
    assert (run.state, run.known, run.population) == (RunState.PUBLISHED, 6, before)
    job.refresh_from_db()
    assert (job.state, job.result_url) == ("succeeded", "/model-tags/")


def test_two_runs_of_one_model_at_once_are_refused_and_a_dead_one_does_not_block():
    job = model_tags.start(models=[ModelKey.HOUR], as_of=AS_OF, actor=SYSTEM, now=NOW)
    with pytest.raises(Conflict) as caught:
        model_tags.start(as_of=AS_OF, actor=SYSTEM, now=NOW)
    assert caught.value.code == "run_in_progress"
    Job.objects.filter(pk=job.pk).update(state="cancelled", finished_at=NOW)
    assert compute(ModelKey.HOUR)[ModelKey.HOUR].state == RunState.PUBLISHED


def test_a_day_to_come_is_refused():
    with pytest.raises(Invalid) as caught:
        model_tags.start(as_of=AS_OF + timedelta(days=1), actor=SYSTEM, now=NOW)
    assert caught.value.code == "as_of_in_future"


def test_a_day_has_one_nightly_run_of_each_model():
    night = clock.day_start(AS_OF) + timedelta(hours=4)
    compute(ModelKey.HOUR)
    job_id = model_tags.start_nightly(now=night, actor=SYSTEM)
    assert set(ModelRun.objects.filter(job_id=job_id).values_list("model", flat=True)) == set(ModelKey) - {"hour"}
    model_tags.carry_on(job_id=job_id)
    assert model_tags.start_nightly(now=night + timedelta(hours=1), actor=SYSTEM) is None


def test_the_held_out_weeks_show_what_knowing_the_member_was_worth():
    for number in range(12):
        member = make_member()
        for ago in (10, 20, 100, 110, 120):
            buy(member, ago, ("茶", 1000), channel=("mini", "shop", "tmal")[number % 3])
    run = compute(ModelKey.CHANNEL)[ModelKey.CHANNEL]
    held_out = run.quality["held_out"]
    assert (held_out["facts"], held_out["rate"]) == (24, 1.0)
    assert held_out["base_rate"] == pytest.approx(1 / 3, abs=0.001)
    assert at(90).date().isoformat() == held_out["since"]
