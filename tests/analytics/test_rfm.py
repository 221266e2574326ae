"""An RFM run says the same as an independent computation, is published whole, and continues after a crash."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from math import ceil, floor

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from analytics.enums import RunState
from analytics.models import RfmAggregate, RfmChange, RfmModel, RfmRun, RfmScore
from analytics.operations import rfm, rfm_models
from analytics.rules import rfm as rules
from members.models import Member, Refund
from members.operations import timeline
from members.queries import traffic
from scrm.common import clock
from scrm.common.access import SYSTEM
from scrm.common.errors import Conflict, DomainError, Invalid, NotFound
from scrm.common.models import Job
from tests.factories import NOW, make_member, make_order, make_source

pytestmark = pytest.mark.django_db

AS_OF = date(2026, 11, 21)


def noon(days_ago: int) -> datetime:
    return datetime.combine(AS_OF - timedelta(days=days_ago), datetime.min.time(), UTC) + timedelta(hours=4)


def refund(member: Member, amount: int, days_ago: int, **values: object) -> Refund:
    return Refund.objects.create(
        member=member, source=values.pop("source", None) or make_source(), amount=amount,
        external_number=f"R{Refund.objects.count()}", refunded_at=noon(days_ago), **values,
    )  # fmt: skip


def compute(model: RfmModel | None = None, as_of: date = AS_OF) -> RfmRun:
    return rfm.run(model_id=(model or rfm_models.ensure_default()).pk, as_of=as_of, actor=SYSTEM, now=NOW)


def scores(model: RfmModel | None = None) -> dict[int, tuple]:
    rows = RfmScore.objects.filter(model=model or rfm_models.ensure_default())
    return {s.member_id: (s.frequency, s.monetary, s.r, s.f, s.m, s.rfm_class, s.layer) for s in rows}


def expected(facts: list[list[tuple[int, int]]], refunds: list[list[tuple[int, int]]], window: int) -> dict[int, tuple]:
    """The definition word for word: member number → (frequency, monetary, r, f, m, class, layer)."""
    values = {}
    for number, orders in enumerate(facts):
        inside = [(ago, amount) for ago, amount in orders if 0 <= ago <= window]
        if inside:
            back = sum(amount for ago, amount in refunds[number] if 0 <= ago <= window)
            values[number] = (min(ago for ago, _ in inside), len(inside), sum(a for _, a in inside) - back)

    def quantile(ordered: list[int], share: Fraction) -> Fraction:
        rank = share * (len(ordered) - 1)
        low = ordered[floor(rank)]
        return low + (ordered[ceil(rank)] - low) * (rank - floor(rank))

    if not values:
        return {}
    columns = [sorted(column) for column in zip(*values.values(), strict=True)]
    quantiles = [[quantile(column, Fraction(k, 5)) for k in (1, 2, 3, 4)] for column in columns]
    means = [Fraction(sum(column), len(column)) for column in columns]
    found = {}
    for number, row in values.items():
        above = [sum(value > q for q in qs) for value, qs in zip(row, quantiles, strict=True)]
        r, f, m = 5 - above[0], 1 + above[1], 1 + above[2]
        class_ = rules.CLASSES[row[0] <= means[0], row[1] >= means[1], row[2] >= means[2]]
        found[number] = (row[1], row[2], r, f, m, class_, rules.layer_of(r, f, m))
    return found


# Few distinct days and amounts: ties are the rule. Days reach over both ends of a window of 30 days.
PEOPLE = st.lists(
    st.tuples(
        st.lists(st.tuples(st.integers(-1, 32), st.sampled_from([0, 100, 100, 250, 9_999])), max_size=4),
        st.lists(st.tuples(st.integers(-1, 32), st.sampled_from([50, 100, 5_000])), max_size=1),
    ),
    max_size=9,
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(people=PEOPLE)
@example(people=[])
@example(people=[([(3, 100)], [])])
@example(people=[([(3, 100)], [(2, 5_000)]), ([], [(1, 50)])])
@example(people=[([(3, 100)], [])] * 9)
def test_the_sql_says_what_the_definition_says(people):
    with transaction.atomic():
        model = rfm_models.ensure_default()
        RfmModel.objects.filter(pk=model.pk).update(window_days=30)
        numbers = {}
        for number, (orders, refunds) in enumerate(people):
            member = make_member()
            numbers[member.pk] = number
            for ago, amount in orders:
                make_order(member, amount=amount, paid_at=noon(ago))
            for ago, amount in refunds:
                refund(member, amount, ago)
        compute()
        found = {numbers[member_id]: row for member_id, row in scores().items()}
        assert found == expected([p[0] for p in people], [p[1] for p in people], 30)
        transaction.set_rollback(True)


def test_only_counting_orders_count_and_refunds_reduce_the_amount():
    member, closed, all_back = make_member(), make_member(), make_member()
    make_order(member, amount=10_000, paid_at=noon(3))
    partly = make_order(member, amount=5_000, paid_at=noon(40), refunded_amount=2_000)
    refund(member, 2_000, 30, order=partly)  # of an order: in its net amount already
    refund(member, 500, 1)
    make_order(closed, state="closed")
    make_order(all_back, amount=7_000, refunded_amount=7_000)
    compute()
    assert {k: v[:2] for k, v in scores().items()} == {member.pk: (2, 12_500)}


def test_days_end_in_the_shops_zone():
    late, next_day = make_member(), make_member()
    make_order(late, paid_at=clock.day_end(AS_OF) - timedelta(microseconds=1))
    make_order(next_day, paid_at=clock.day_end(AS_OF))
    compute()
    assert set(scores()) == {late.pk}


def test_a_model_of_one_source_sees_that_source_only():
    member = make_member()
    shop, other = make_source("shop"), make_source("other")
    make_order(member, amount=100, source=shop)
    make_order(member, amount=900, source=other)
    refund(member, 40, 2, source=shop)
    refund(member, 7, 2, source=other)
    model = rfm_models.ensure_for_source(source_id=shop.pk, name="shop")
    compute(model)
    compute()
    assert scores(model)[member.pk][:2] == (1, 60)
    assert scores()[member.pk][:2] == (2, 953)
    assert model.nightly is False


def test_merged_and_erased_members_have_no_scores():
    kept, erased = make_member(), make_member(status="erased")
    make_order(kept)
    make_order(erased)
    compute()
    assert set(scores()) == {kept.pk}


def test_the_distribution_adds_up_to_the_scores():
    for days, amount in [(1, 90_000), (2, 100), (40, 5_000), (100, 5_000), (300, 10)]:
        make_order(make_member(), amount=amount, paid_at=noon(days))
    run = compute()
    rows = scores().values()
    assert run.state == RunState.PUBLISHED
    assert run.buyers == run.changed == 5
    assert run.distribution["net"] == 100_110
    for part, key in (("cells", lambda row: f"{row[2]}{row[3]}"), ("classes", lambda row: row[5])):
        totals: dict[str, list[int]] = {}
        for row in rows:
            cell = totals.setdefault(key(row), [0, 0])
            cell[0] += 1
            cell[1] += row[1]
        assert run.distribution[part] == totals
    assert sum(count for count, _ in run.distribution["layers"].values()) == 5


def test_a_second_run_writes_only_what_differs_and_logs_the_moves():
    steady, grows, goes = make_member(), make_member(), make_member()
    for member in (steady, grows, goes):
        make_order(member, amount=10_000, paid_at=noon(100))
    gone = make_order(goes, amount=10_000, paid_at=noon(99))
    first = compute()
    assert not RfmChange.objects.exists()  # nobody moved: there was nothing before

    again = compute()
    assert (again.changed, again.distribution["moves"]) == (0, [])

    arrives = make_member()
    for member in (grows, arrives):
        make_order(member, amount=99_000, paid_at=noon(1))
    type(gone).objects.filter(member=goes).update(state="closed")
    third = compute()
    assert first.pk < third.pk
    assert set(scores()) == {steady.pk, grows.pk, arrives.pk}
    moves = {c.member_id: (c.class_before, c.class_after) for c in RfmChange.objects.filter(run=third)}
    assert moves[arrives.pk][0] == ""
    assert moves[goes.pk][1] == ""
    assert sum(count for *_, count in third.distribution["moves"]) >= 2


def test_readers_see_the_former_run_until_the_next_is_published():
    member = make_member()
    make_order(member, amount=100)
    compute()
    make_order(member, amount=900)
    run = rfm.start(model_id=rfm_models.ensure_default().pk, as_of=AS_OF, actor=SYSTEM, now=NOW)
    rfm.aggregate(run_id=run.pk, number=0)
    assert scores()[member.pk][:2] == (1, 100)
    rfm.carry_on(run_id=run.pk)
    assert scores()[member.pk][:2] == (2, 1_000)


def test_ranges_are_added_up_once_whoever_does_them(monkeypatch):
    monkeypatch.setattr(rfm, "RANGE", 2)
    people = [make_member() for _ in range(5)]
    for person in people:
        make_order(person, amount=100)
    run = rfm.start(model_id=rfm_models.ensure_default().pk, as_of=AS_OF, actor=SYSTEM, now=NOW)
    assert run.ranges_total > 2
    for _ in range(2):
        assert rfm.aggregate(run_id=run.pk, number=run.ranges_total - 1) is True
    reports = []
    rfm.carry_on(run_id=run.pk, report=lambda done, total: reports.append((done, total)))
    assert reports[-1] == (run.ranges_total + 1, run.ranges_total + 1)
    assert {v[:2] for v in scores().values()} == {(1, 100)}
    assert len(scores()) == 5
    rfm.carry_on(run_id=run.pk)  # published already: nothing happens


def test_scratch_rows_lost_in_a_crash_are_noticed_and_made_again():
    make_order(make_member(), amount=100)
    run = rfm.start(model_id=rfm_models.ensure_default().pk, as_of=AS_OF, actor=SYSTEM, now=NOW)
    rfm.aggregate(run_id=run.pk, number=0)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM analytics_rfmaggregate")  # as a crash of the database does to an unlogged table
    assert rfm.publish(run_id=run.pk) is False
    rfm.carry_on(run_id=run.pk)
    assert len(scores()) == 1
    assert set(RfmAggregate.objects.values_list("run_id", flat=True)) == {run.pk}  # what previews are made from


def test_parallel_workers_help_only_while_no_facts_come_in():
    def helpers() -> set[str]:
        with CaptureQueriesContext(connection) as seen:
            compute()
        return set(re.findall(r"max_parallel_workers_per_gather = \d", str(seen.captured_queries)))

    ann = make_member()
    make_order(ann, paid_at=noon(3))
    assert helpers() == {"max_parallel_workers_per_gather = 2"}
    now = clock.now()
    timeline.append(source="test", type="page", rows=[(ann.pk, "1", now, {})], now=now)
    assert traffic.is_busy(now=now)
    assert helpers() == {"max_parallel_workers_per_gather = 0"}
    assert not traffic.is_busy(now=now + timedelta(seconds=12))


def test_two_runs_of_one_model_at_once_are_refused():
    model = rfm_models.ensure_default()
    rfm.start(model_id=model.pk, as_of=AS_OF, actor=SYSTEM, now=NOW)
    for attempt in (rfm.start, rfm.run):
        with pytest.raises(Conflict) as caught:
            attempt(model_id=model.pk, as_of=AS_OF, actor=SYSTEM, now=NOW)
        assert caught.value.code == "run_in_progress"


def test_a_run_whose_job_has_ended_does_not_block_the_next():
    model = rfm_models.ensure_default()
    run = rfm.start(model_id=model.pk, as_of=AS_OF, actor=SYSTEM, now=NOW)
    Job.objects.filter(pk=run.job_id).update(state="cancelled", finished_at=NOW)
    compute()
    run.refresh_from_db()
    assert (run.state, run.error) == (RunState.FAILED, "abandoned")


@pytest.mark.parametrize(
    ("model_id", "as_of", "error", "code"),
    [(None, AS_OF + timedelta(days=1), Invalid, "as_of_in_future"), (10**9, AS_OF, NotFound, "no_such_model")],
)
def test_a_run_that_cannot_be_is_refused(model_id, as_of, error, code):
    with pytest.raises(error) as caught:
        rfm.start(model_id=model_id or rfm_models.ensure_default().pk, as_of=as_of, actor=SYSTEM, now=NOW)
    assert caught.value.code == code


def test_a_day_has_one_nightly_run():
    compute()  # of the evening before, before the day had ended
    night = clock.day_start(AS_OF) + timedelta(days=1, hours=2)
    (started,) = rfm.start_nightly(now=night, actor=SYSTEM)
    assert RfmRun.objects.get(pk=started).as_of == AS_OF
    assert rfm.start_nightly(now=night, actor=SYSTEM) == []
    rfm.carry_on(run_id=started)
    assert rfm.start_nightly(now=night + timedelta(hours=1), actor=SYSTEM) == []


def test_a_definition_is_versioned_and_two_editors_do_not_overwrite_each_other():
    model = rfm_models.ensure_default()
    typed = {"cuts": {"r": {"mode": "typed", "values": [30, 60, 90, 180]}}}

    def save(version, definition=typed, days=180):
        content = rfm_models.Content(model.name, days, definition=definition)
        return rfm_models.redefine(model_id=model.pk, version=version, content=content)

    saved = save(model.version)
    assert (saved.version, saved.window_days) == (model.version + 1, 180)
    for arguments, code in [
        ({"version": model.version}, "stale_version"),
        ({"version": saved.version, "days": 0}, "window_out_of_range"),
        ({"version": saved.version, "definition": {"cuts": {"r": {"mode": "x"}}}}, "unknown_mode"),
    ]:
        with pytest.raises(DomainError) as caught:
            save(**arguments)
        assert caught.value.code == code
    make_order(make_member(), paid_at=noon(132))
    assert compute().cuts["r"] == [30, 60, 90, 180]
    assert [row[2] for row in scores().values()] == [2]
