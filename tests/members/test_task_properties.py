"""In whatever order facts come, and however often: tasks, chains and points end the same."""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from members.models import Member, TaskCompletion, TaskFact, TaskProgress
from members.operations import intake, task_runs, tasks
from scrm.common.errors import Conflict
from scrm.common.models import Job
from tags.operations import watches
from tests.factories import NOW, make_member
from tests.members.tasking import balance, event, make_task, order, points
from tests.tags.watching import make_rule, stored, truth

hours = st.integers(0, 24 * 12).map(lambda n: NOW - timedelta(hours=n))
pages = st.builds(lambda n, when: ("event", f"e{n}", when, None), st.integers(1, 9), hours)
bought = st.builds(
    lambda n, when, amount, state: ("order", f"o{n}", when, (amount, state)),
    st.integers(1, 4), hours, st.sampled_from(["50", "100", "300"]), st.sampled_from(["paid", "paid", "closed"]),
)  # fmt: skip
histories = st.lists(st.one_of(pages, bought), min_size=1, max_size=12, unique_by=lambda one: one[1])


def steps(kind: str, *more: Any) -> Any:
    return st.tuples(st.just(kind), *more)


acts = st.one_of(
    steps("event", st.integers(0, 60)),  # so many hours ago
    steps("order", st.integers(0, 60), st.integers(1, 3), st.sampled_from(["paid", "paid", "closed"])),
    steps("wait", st.integers(1, 40)),
    steps("pause", st.integers(0, 3)),
    steps("start", st.integers(0, 3)),
)


class WatchedConditions(TestCase):
    """What rules say about tasks is right after every fact, every turn of a task, and every instant."""

    def setUp(self) -> None:
        self.tasks = [
            make_task("weekly", window="week", times=0),
            make_task("rolling", window="rolling", window_days=2, times=2),
            make_task("streak", measure="streak", times=1),
            make_task("buys", kind="order", needed=2, times=3, ends_at=NOW + timedelta(days=4)),
        ]
        window = {"window": {"last": {"n": 2, "unit": "day"}}}
        self.rules = [
            make_rule({"field": "task.open", "op": "set"}),
            make_rule({"field": "task.completed", "op": "ge", "value": 1, **window}),
            *(make_rule({"field": "task.open", "op": "any_of", "value": [task.pk]}) for task in self.tasks),
        ]

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(acts, min_size=1, max_size=14))
    def test_they_follow_without_a_look_at_everyone(self, history: list[Any]) -> None:
        self.now, member = NOW, make_member()
        for number, (kind, value, *more) in enumerate(history):
            if kind == "event":
                intake.land_events(items=[event(member, self.now - timedelta(hours=value))], now=self.now)
            elif kind == "order":
                which, state = more
                version = NOW + timedelta(hours=number)
                item = order(member, "100", NOW - timedelta(hours=value), number=f"{member.pk}-{which}", state=state,
                             version_at=version)  # fmt: skip
                intake.land_orders(items=[item], now=self.now)
            elif kind == "wait":
                self.now += timedelta(hours=value)
            elif kind == "pause":
                self.turn(tasks.pause, value)
            else:
                self.turn(tasks.start, value)
            while watches.sweep(now=self.now):
                pass
            for rule in self.rules:
                assert stored(rule.watch) == truth(rule.watch, now=self.now), (number, rule.watch.condition)

    def turn(self, how: Any, which: int) -> None:
        """With the jobs that follow from it."""
        with suppress(Conflict):  # it is over, or is not active
            how(task_id=self.tasks[which].pk, now=self.now)
        for job in Job.objects.filter(kind="evaluate_task"):
            task_runs.evaluate_everyone(task_id=job.params["task_id"], now=self.now)
        for job in Job.objects.filter(kind="evaluate_watch"):
            watches.evaluate_everyone(watch_id=job.params["watch_id"], now=self.now)
        Job.objects.all().delete()


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
