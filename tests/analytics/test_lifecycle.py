"""Stages: the SQL says what the rule says, only what differs is written, each change stands on the timeline."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from analytics.enums import AiplStage, RunState, Stage
from analytics.models import LifecycleModel, LifecycleRun, MemberStage, StageChange
from analytics.operations import lifecycle
from analytics.rules import lifecycle as rules
from analytics.rules.lifecycle import Limits
from members.models import Event, Member, MemberSummary
from scrm.common.access import SYSTEM
from scrm.common.errors import Conflict, DomainError
from tests.factories import NOW, make_member, make_order

AS_OF = date(2026, 11, 21)
LIMITS = Limits()


def noon(days_ago: int) -> datetime:
    return datetime.combine(AS_OF - timedelta(days=days_ago), datetime.min.time(), UTC) + timedelta(hours=4)


def compute(as_of: date = AS_OF) -> LifecycleRun:
    return lifecycle.run(as_of=as_of, actor=SYSTEM, now=NOW + timedelta(days=(as_of - AS_OF).days))


def decide(orders: list[int], limits: Limits = LIMITS) -> Stage:
    days = sorted(AS_OF - timedelta(days=ago) for ago in orders)
    return rules.stage(
        first_on=days[0] if days else None,
        last_on=days[-1] if days else None,
        comeback_on=rules.returned_on(days, as_of=AS_OF, limits=limits),
        as_of=AS_OF,
        limits=limits,
    )


@pytest.mark.parametrize(
    ("orders", "stage"),
    [
        ([], Stage.PROSPECT),
        ([0], Stage.NEW),
        ([29], Stage.NEW),
        ([30], Stage.ACTIVE),
        ([89], Stage.ACTIVE),
        ([90], Stage.SLEEPING),
        ([364], Stage.SLEEPING),
        ([365], Stage.LOST),
        ([366, 1], Stage.RETURNED),
        ([365, 1], Stage.ACTIVE),  # the gap is one day short
        ([400, 29, 3], Stage.RETURNED),
        ([400, 30], Stage.ACTIVE),  # back for a month: as active as anybody
        ([800, 1], Stage.RETURNED),
        ([800, 100], Stage.SLEEPING),
    ],
)
def test_stages_by_days_since_orders(orders, stage):
    assert decide(orders) == stage


@pytest.mark.parametrize(
    ("orders", "event", "stage"),
    [
        (0, None, AiplStage.AWARENESS),
        (0, 29, AiplStage.INTEREST),
        (0, 30, AiplStage.AWARENESS),
        (1, None, AiplStage.PURCHASE),
        (2, 1, AiplStage.PURCHASE),
        (3, None, AiplStage.LOYALTY),
    ],
)
def test_aipl_by_orders_and_activity(orders, event, stage):
    last = None if event is None else AS_OF - timedelta(days=event)
    assert rules.aipl(order_count=orders, last_event_on=last, as_of=AS_OF, limits=LIMITS) == stage


PEOPLE = st.lists(
    st.tuples(st.lists(st.integers(0, 30), max_size=4), st.one_of(st.none(), st.integers(0, 12))), max_size=6
)
SMALL = st.builds(
    lambda new, more, most, *rest: Limits(new, new + more, new + more + most, *rest),
    st.integers(1, 6), st.integers(0, 6), st.integers(1, 8), st.integers(1, 20), st.integers(1, 4), st.integers(1, 10),
)  # fmt: skip


@pytest.mark.django_db
@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(people=PEOPLE, limits=SMALL)
@example(people=[([20, 8, 0], None), ([20, 12, 1], 0)], limits=Limits(2, 4, 7, 15, 3, 5))
def test_the_sql_says_what_the_rule_says(people, limits):
    with transaction.atomic():
        LifecycleModel.objects.all().delete()
        LifecycleModel.objects.create(**asdict(limits))
        expected = {}
        for orders, event in people:
            member = make_member(joined_at=noon(40))
            for ago in orders:
                make_order(member, paid_at=noon(ago))
            if event is not None:
                MemberSummary.objects.filter(member=member).update(last_event_at=noon(event))
            days = sorted(AS_OF - timedelta(days=ago) for ago in orders)
            event_on = None if event is None else AS_OF - timedelta(days=event)
            first, last = (days[0], days[-1]) if days else (None, None)
            comeback = rules.returned_on(days, as_of=AS_OF, limits=limits)
            stage = rules.stage(first_on=first, last_on=last, comeback_on=comeback, as_of=AS_OF, limits=limits)
            since = rules.entered_on(
                stage,
                joined_on=AS_OF - timedelta(days=40),
                first_on=first,
                last_on=last,
                comeback_on=comeback,
                limits=limits,
            )
            aipl = rules.aipl(order_count=len(orders), last_event_on=event_on, as_of=AS_OF, limits=limits)
            expected[member.pk] = (stage, since, aipl)
        run = compute()
        found = {row.member_id: (row.stage, row.stage_since, row.aipl) for row in MemberStage.objects.all()}
        assert found == expected
        assert run.distribution["members"] == len(people)
        transaction.set_rollback(True)


@pytest.mark.django_db
def test_changes_are_kept_and_stand_on_the_timeline_but_not_of_the_first_run():
    sleeper, buyer = make_member(), make_member()
    make_order(sleeper, paid_at=noon(89))
    first = compute()
    assert (first.state, first.changed) == (RunState.PUBLISHED, 2)
    assert first.distribution == {
        "stages": {"active": 1, "prospect": 1},
        "aipl": {"purchase": 1, "awareness": 1},
        "members": 2,
        "net": {"stages": {"active": 10_000, "prospect": 0}, "aipl": {"purchase": 10_000, "awareness": 0}},
        "days": {"stages": {"active": 59.0, "prospect": 100.0}, "aipl": {"purchase": 89.0, "awareness": 100.0}},
        "currency": "CNY",
    }
    assert not StageChange.objects.exists()
    assert not Event.objects.exists()

    make_order(buyer, paid_at=noon(0))
    second = compute(AS_OF + timedelta(days=1))
    assert second.changed == 2
    changes = {(c.member_id, c.kind, c.before, c.after) for c in StageChange.objects.filter(run=second)}
    assert changes == {
        (sleeper.pk, "lifecycle", "active", "sleeping"),
        (buyer.pk, "lifecycle", "prospect", "new"),
        (buyer.pk, "aipl", "awareness", "purchase"),
    }
    events = {(e.member_id, e.type.key, e.properties["after"]) for e in Event.objects.select_related("type")}
    assert events == {(m, f"{kind}.changed", after) for m, kind, _, after in changes}
    assert MemberStage.objects.get(member=sleeper).stage_since == AS_OF + timedelta(days=1)

    assert compute(AS_OF + timedelta(days=1)).changed == 0
    assert Event.objects.count() == 3


@pytest.mark.django_db
def test_merged_and_erased_members_have_no_stage():
    gone, kept = make_member(), make_member()
    compute()
    Member.objects.filter(pk=gone.pk).update(status="erased")
    compute()
    assert list(MemberStage.objects.values_list("member_id", flat=True)) == [kept.pk]


@pytest.mark.django_db
def test_ranges_cover_everybody(monkeypatch):
    monkeypatch.setattr(lifecycle, "RANGE", 2)
    people = [make_member() for _ in range(5)]
    reports = []
    run = lifecycle.start(as_of=AS_OF, actor=SYSTEM, now=NOW)
    lifecycle.carry_on(run_id=run.pk, report=lambda done, total: reports.append((done, total)))
    assert MemberStage.objects.count() == len(people)
    assert reports[-1][0] == reports[-1][1] > 2


@pytest.mark.django_db
def test_one_run_at_a_time_and_one_a_night():
    started = lifecycle.start_nightly(now=NOW, actor=SYSTEM)
    assert started is not None
    assert lifecycle.start_nightly(now=NOW, actor=SYSTEM) is None
    with pytest.raises(Conflict) as caught:
        lifecycle.start(as_of=AS_OF, actor=SYSTEM, now=NOW)
    assert caught.value.code == "run_in_progress"
    with pytest.raises(DomainError) as caught:
        lifecycle.start(as_of=AS_OF + timedelta(days=1), actor=SYSTEM, now=NOW)
    assert caught.value.code == "as_of_in_future"


@pytest.mark.django_db
def test_limits_are_versioned_and_checked():
    LifecycleModel.objects.all().delete()
    saved = lifecycle.redefine(version=1, limits=Limits(sleeping_days=60))
    assert (saved.version, saved.sleeping_days) == (2, 60)
    for version, limits, code in [
        (1, Limits(), "stale_version"),
        (2, Limits(lost_days=60, sleeping_days=60), "limits_out_of_order"),
        (2, Limits(new_days=100), "limits_out_of_order"),
        (2, Limits(interest_days=0), "out_of_range"),
    ]:
        with pytest.raises(DomainError) as caught:
            lifecycle.redefine(version=version, limits=limits)
        assert caught.value.code == code
