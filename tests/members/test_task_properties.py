"""In whatever order facts come, and however often: tasks, chains and points end the same."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from members.models import Member, TaskCompletion, TaskFact, TaskProgress
from members.operations import intake
from tests.factories import NOW, make_member
from tests.members.tasking import balance, event, make_task, order, points

hours = st.integers(0, 24 * 12).map(lambda n: NOW - timedelta(hours=n))
pages = st.builds(lambda n, when: ("event", f"e{n}", when, None), st.integers(1, 9), hours)
bought = st.builds(
    lambda n, when, amount, state: ("order", f"o{n}", when, (amount, state)),
    st.integers(1, 4), hours, st.sampled_from(["50", "100", "300"]), st.sampled_from(["paid", "paid", "closed"]),
)  # fmt: skip
histories = st.lists(st.one_of(pages, bought), min_size=1, max_size=12, unique_by=lambda one: one[1])


class OrderIndependence(TestCase):
    def setUp(self) -> None:
        make_task("weekly", window="week", times=0, needed=2, rewards=[points(1)])
        make_task("rolling", window="rolling", window_days=2, times=2, needed=2, rewards=[points(10)])
        first = make_task("first", kind="order", counting={"minimum": 10_000}, rewards=[points(100)])
        second = make_task("second", kind="order", after=[first], rewards=[points(1_000)])
        make_task("third", after=[second], needed=1, rewards=[points(10_000)])
        make_task(
            "spend", kind="order", measure="sum", needed=30_000, window="month", times=1, rewards=[points(100_000)]
        )

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(histories, st.randoms(use_true_random=False))
    def test_any_order_ends_the_same(self, history: list[Any], chance: random.Random) -> None:
        ends = []
        for number in range(2):
            member = make_member()
            told = list(history) if number == 0 else chance.sample(history, len(history)) + history[:3]
            for kind, name, when, what in told:
                self.tell(member, kind, name, when, what)
            ends.append(self.state(member))
        assert ends[0] == ends[1]

    def tell(self, member: Member, kind: str, name: str, when: Any, what: Any) -> None:
        if kind == "event":
            intake.land_events(items=[event(member, when, id=f"{name}-{member.pk}")], now=NOW)
            return
        amount, state = what
        number = f"{name}-{member.pk}"
        versions = [order(member, amount, when, number=number, version_at=when)]
        if state == "closed":
            versions.append(
                order(member, amount, when, number=number, state="closed", version_at=when + timedelta(hours=1))
            )
        for one in versions:
            intake.land_orders(items=[one], now=NOW)

    def state(self, member: Member) -> Any:
        live = TaskCompletion.objects.filter(member=member, undone_at=None)
        return (
            sorted(live.values_list("task__key", "cycle", "completed_at")),
            sorted(TaskProgress.objects.filter(member=member).values_list("task__key", "cycle", "value", "done")),
            sorted(TaskFact.objects.filter(member=member).values_list("task__key", "cycle", "at", "amount")),
            balance(member),
        )
