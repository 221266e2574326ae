"""Several transactions at once: whatever the order, stored answers end as the SQL over the rows says."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection, transaction

from members.models import Event
from members.operations import intake
from members.rules.intake import MemberIn
from scrm.common import reactions
from scrm.common.transactions import retrying
from tags.models import MemberTag, WatchFlip
from tags.operations import automatic, tagging, watches
from tests.factories import NOW, make_member
from tests.tags.watching import DAY, did, event, happen, land, make_rule, make_tag, stored, tags_of, truth

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*works: Callable[[], object]) -> None:
    """Run each in a thread of its own with a connection of its own, all started together."""
    gate = threading.Barrier(len(works))
    failures: list[BaseException] = []

    def run(work: Callable[[], object]) -> None:
        try:
            gate.wait()
            retrying(work)
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []


def test_two_batches_about_one_member_see_each_other() -> None:
    rule, ann = make_rule(did("page", 2), make_tag("常客")), make_member()
    for number in range(10):
        at_once(lambda: land([event(ann, "page")]), lambda: land([event(ann, "page")]))
        assert tags_of(ann) == {"常客"}, number
        assert stored(rule.watch) == truth(rule.watch, now=NOW) == {ann.pk}
        Event.objects.all().delete()
        watches.refresh(topics={"event:page"}, member_ids=[ann.pk], now=NOW)
        assert tags_of(ann) == set()


def test_an_event_and_a_profile_that_together_fulfil_a_rule() -> None:
    """Each alone does not, and neither transaction sees the other's uncommitted rows."""
    rule = make_rule({"all": [did("page"), {"field": "city", "op": "eq", "value": "上海"}]}, make_tag("本地常客"))
    for _ in range(10):
        ann = make_member()
        at_once(
            lambda ann=ann: land([event(ann, "page")]),
            lambda ann=ann: intake.land_members(
                items=[MemberIn(source="shop", member_id=ann.pk, city="上海")], now=NOW
            ),
        )
        assert tags_of(ann) == {"本地常客"}
    assert stored(rule.watch) == truth(rule.watch, now=NOW)


def test_facts_that_land_while_everyone_is_evaluated_are_not_lost() -> None:
    members = [make_member() for _ in range(40)]
    rule = make_rule(did("page", 2, days=7), make_tag("常客"), enabled=False)
    land([event(member, "page") for member in members])

    def send() -> None:
        for member in random.sample(members, 30):
            land([event(member, "page")])

    def enable() -> None:
        automatic.enable(rule_id=rule.pk, now=NOW)
        watches.evaluate_everyone(watch_id=rule.watch_id, now=NOW)

    at_once(send, enable, send)
    assert stored(rule.watch) == truth(rule.watch, now=NOW)
    assert len(stored(rule.watch)) >= 30
    with_tag = set(MemberTag.objects.filter(tag=rule.tag).values_list("member_id", flat=True))
    assert with_tag == stored(rule.watch)


def test_a_batch_that_did_not_know_of_the_watch_is_seen_by_its_evaluation() -> None:
    """The batch has looked which watches are enabled, and commits after the watch was enabled."""
    rule, ann = make_rule(did("page"), make_tag("来过"), enabled=False), make_member()
    reacted, enabled = threading.Event(), threading.Event()

    def send() -> None:
        with transaction.atomic():
            land([event(ann, "page")])
            reacted.set()
            # Evaluating waits for this transaction, so that it cannot be waited for here.
            assert enabled.wait(30)

    def enable() -> None:
        assert reacted.wait(30)
        automatic.enable(rule_id=rule.pk, now=NOW)
        enabled.set()
        watches.evaluate_everyone(watch_id=rule.watch_id, now=NOW)

    at_once(send, enable)
    assert (stored(rule.watch), tags_of(ann)) == ({ann.pk}, {"来过"})


def test_a_crash_before_the_commit_leaves_neither_fact_nor_tag(monkeypatch: pytest.MonkeyPatch) -> None:
    rule, ann = make_rule(did("page", 1, days=7), make_tag("来过")), make_member()

    def crash(_facts: object, _signatures: object) -> None:
        assert tags_of(ann) == {"来过"}  # written, not committed
        raise KeyboardInterrupt

    monkeypatch.setattr(reactions, "_reactions", [*reactions._reactions, crash])
    with pytest.raises(KeyboardInterrupt):
        land([event(ann, "page")])
    monkeypatch.undo()
    assert (tags_of(ann), stored(rule.watch), Event.objects.count()) == (set(), set(), 0)
    assert not WatchFlip.objects.exists()
    happen(ann, "page")
    assert tags_of(ann) == {"来过"}


def test_two_sweeps_share_the_work() -> None:
    rule = make_rule(did("page", 1, days=7), make_tag("来过"))
    members = [make_member() for _ in range(60)]
    land([event(member, "page") for member in members])
    swept: list[int] = []

    def sweep() -> None:
        while found := watches.sweep(now=NOW + 8 * DAY, limit=7):
            swept.append(found)

    at_once(sweep, sweep)
    while found := watches.sweep(now=NOW + 8 * DAY):
        swept.append(found)
    assert (stored(rule.watch), WatchFlip.objects.count()) == (set(), 0)
    removed = Event.objects.filter(type__key="tag.removed")
    assert (removed.count(), MemberTag.objects.count()) == (60, 0)


def test_a_sweep_passes_over_whom_an_intake_is_busy_with() -> None:
    make_rule(did("page", 1, days=7), make_tag("来过"))
    ann, ben = make_member(), make_member()
    land([event(ann, "page"), event(ben, "page")])
    later, landed, swept = NOW + 8 * DAY, threading.Event(), threading.Event()

    def send() -> None:
        with transaction.atomic():
            happen(ann, "other", at=later)
            landed.set()
            assert swept.wait(30)

    def sweep() -> None:
        assert landed.wait(30)
        assert watches.sweep(now=later) == 1
        swept.set()

    at_once(send, sweep)
    assert (tags_of(ann, now=later), tags_of(ben, now=later)) == ({"来过"}, set())
    assert watches.sweep(now=later) == 1
    assert tags_of(ann, now=later) == set()


def test_hand_and_rules_at_once_never_leave_two_tags_of_a_single_choice_group() -> None:
    by_rule, by_hand = make_tag("规则", "级别", "single"), make_tag("人工", "级别", "single")
    make_rule(did("page"), by_rule)
    for _ in range(15):
        ann = make_member()
        at_once(
            lambda ann=ann: land([event(ann, "page")]),
            lambda ann=ann: tagging.assign(member_ids=[ann.pk], tag_ids=[by_hand.pk], now=NOW),
        )
        assert tags_of(ann) == {"人工"}


def test_a_storm_ends_as_the_rows_say() -> None:
    """Events, profiles, hands, sweeps and evaluations over the same few members, in any order."""
    first = make_rule(did("page", 3, days=7), make_tag("甲"))
    second = make_rule(
        {"all": [{"field": "tag", "op": "any_of", "value": [first.tag_id]}, {"none": [did("buy")]}]}, make_tag("乙")
    )
    third = make_rule({"field": "city", "op": "eq", "value": "上海"}, make_tag("丙"))
    extra = make_tag("手工")
    fourth = make_rule({"field": "tag", "op": "none_of", "value": [extra.pk, third.tag_id]}, make_tag("丁"))
    members = [make_member() for _ in range(8)]

    def events(seed: int) -> Callable[[], None]:
        def run() -> None:
            choice = random.Random(seed)
            for _ in range(15):
                at = NOW - timedelta(hours=choice.randrange(200))
                chosen = [choice.choice(members) for _ in range(4)]
                land([event(one, choice.choice(["page", "page", "buy"]), at=at) for one in chosen])

        return run

    def others() -> None:
        choice = random.Random(7)
        for number in range(12):
            one = choice.choice(members)
            city = choice.choice(["上海", "杭州"])
            intake.land_members(items=[MemberIn(source="shop", member_id=one.pk, city=city)], now=NOW)
            act = tagging.assign if number % 3 else tagging.remove
            act(member_ids=[one.pk], tag_ids=[extra.pk], now=NOW + timedelta(seconds=number))
            watches.sweep(now=NOW)

    def evaluate() -> None:
        for rule in (first, second, third, fourth) * 2:
            watches.evaluate_everyone(watch_id=rule.watch_id, now=NOW)

    at_once(events(1), events(2), others, evaluate)
    for rule in (first, second, third, fourth):
        assert stored(rule.watch) == truth(rule.watch, now=NOW), rule.tag.name
        with_tag = set(MemberTag.objects.filter(tag=rule.tag).values_list("member_id", flat=True))
        assert with_tag == stored(rule.watch)
