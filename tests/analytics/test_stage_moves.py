"""Stages between two runs, what other limits would change, their versions, and alerts about stages."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

import pytest
from django.db import connection

from analytics.models import Alert, LifecycleModel, LifecycleRun, MemberStage
from analytics.operations import alerts, lifecycle
from analytics.operations.alerts import Rule
from analytics.queries import lifecycle_moves
from analytics.queries.lifecycle import distribution
from analytics.rules.lifecycle import Limits
from members.models import Event, EventType, MemberSummary
from members.queries import scopes
from scrm.common.access import SYSTEM, DataScope
from scrm.common.errors import DomainError
from tests.analytics.test_lifecycle import AS_OF, compute, noon
from tests.factories import make_member, make_order, make_source, make_staff, make_store, make_user

pytestmark = pytest.mark.django_db


def stages(kind: str) -> dict[int, str]:
    column = "stage" if kind == "lifecycle" else "aipl"
    return dict(MemberStage.objects.values_list("member_id", column))


@pytest.mark.parametrize("kind", ["lifecycle", "aipl"])
def test_the_transition_between_any_two_runs_is_what_the_stages_were_then(kind: str) -> None:
    people = [make_member() for _ in range(6)]
    for n, person in enumerate(people[:4]):
        make_order(person, paid_at=noon(80 + 5 * n))
    runs: list[LifecycleRun] = []
    seen = []
    for step in range(4):
        if step:
            make_order(people[step], paid_at=noon(0) + timedelta(days=8 * step))
            people.append(make_member())
        runs.append(compute(AS_OF + timedelta(days=8 * step)))
        seen.append(stages(kind))
    for a in range(4):
        for b in range(a + 1, 4):
            found = lifecycle_moves.between(actor=SYSTEM, earlier_id=runs[a].pk, later_id=runs[b].pk, kind=kind)
            assert found is not None
            now = [m for m in seen[3] if m in seen[b]]
            expected = Counter((seen[a].get(m, ""), seen[b][m]) for m in now)
            assert Counter(found.matrix.counts) == expected
            assert sum(n for key, n in found.matrix.after.items() if key) == len(seen[b])
            for (before, after), members in expected.items():
                if not before:
                    continue
                sql, params = lifecycle_moves.movers_sql(
                    earlier_id=runs[a].pk, later_id=runs[b].pk, kind=kind, before=before, after=after
                )
                with connection.cursor() as cursor:
                    cursor.execute(sql, params)
                    assert len({row[0] for row in cursor.fetchall()}) == members
    with pytest.raises(DomainError) as caught:
        lifecycle_moves.between(actor=SYSTEM, earlier_id=runs[1].pk, later_id=runs[1].pk)
    assert caught.value.code == "runs_out_of_order"


def test_transitions_count_only_the_members_in_scope() -> None:
    store = make_store("S1")
    mine, other = make_member(store=store), make_member()
    compute()
    for person in (mine, other):
        make_order(person, paid_at=noon(0))
    compute(AS_OF + timedelta(days=1))
    actor = scopes.actor_of(make_user(scope=DataScope.STORE, staff=make_staff(store=store)))
    found = lifecycle_moves.between(actor=actor)
    assert found is not None
    assert found.matrix.counts == {("prospect", "new"): 1}


def test_a_preview_of_other_limits_is_what_applying_them_brings(monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(12):
        person = make_member()
        if n % 4:
            make_order(person, paid_at=noon(15 * n))
    compute()
    limits = Limits(new_days=20, sleeping_days=50, lost_days=100, loyal_orders=1)
    found = lifecycle_moves.preview(limits=limits, as_of=AS_OF)
    assert found.exact
    assert {k: n for k, n in found.stages.before.items() if n} == Counter(stages("lifecycle").values())
    lifecycle.redefine(version=LifecycleModel.objects.get().version, limits=limits)
    compute()
    assert {k: n for k, n in found.stages.after.items() if n} == Counter(stages("lifecycle").values())
    assert {k: n for k, n in found.aipl.after.items() if n} == Counter(stages("aipl").values())
    monkeypatch.setattr(lifecycle_moves, "SAMPLE", 1)
    assert lifecycle_moves.preview(limits=limits, as_of=AS_OF).exact is False


def test_only_the_chosen_events_show_interest() -> None:
    shopper, reader = make_member(), make_member()
    cart, page = EventType.objects.create(key="cart.added"), EventType.objects.create(key="page.viewed")
    for person, kind in ((shopper, cart), (reader, page)):
        Event.objects.create(
            member=person, source=make_source(), type=kind, message_id=f"m{person.pk}", occurred_at=noon(2),
            received_at=noon(2),
        )  # fmt: skip
        MemberSummary.objects.filter(member=person).update(last_event_at=noon(2), event_count=1)
    compute()
    assert stages("aipl") == {shopper.pk: "interest", reader.pk: "interest"}
    version = LifecycleModel.objects.get().version
    lifecycle.redefine(version=version, limits=Limits(activity_types=("cart.added",)))
    compute()
    assert stages("aipl") == {shopper.pk: "interest", reader.pk: "awareness"}
    restored = lifecycle.restore(version=version + 1, from_version=version)
    assert (restored.version, restored.activity_types) == (version + 2, [])


def test_a_stage_knows_what_its_members_paid_and_how_long_they_are_in_it() -> None:
    buyer = make_member()
    make_member()
    make_order(buyer, amount=4_000, paid_at=noon(10))
    compute()
    found = distribution(actor=SYSTEM)
    assert found.net is not None
    assert found.days is not None
    assert (found.net["stages"]["new"], found.days["stages"]["new"]) == (4_000, 10.0)


def test_a_stage_that_grows_is_told() -> None:
    alerts.create(rule=Rule("stage", "grows", 50, key="sleeping", smallest=1))
    for _ in range(4):
        make_order(make_member(), paid_at=noon(89))
    make_order(make_member(), paid_at=noon(95))
    compute()
    assert not Alert.objects.exists()
    compute(AS_OF + timedelta(days=1))
    alert = Alert.objects.get()
    assert (alert.key, alert.before, alert.after, alert.compared_on) == ("sleeping", 1, 5, date(2026, 11, 21))
