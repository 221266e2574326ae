"""The funnels of tasks: from rows while they are few, as last counted when they are many."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from members import tasks as work
from members.models import Member, Task, TaskFunnel
from members.operations import task_funnels as acts
from members.operations import tasks
from members.queries import task_funnels
from scrm.common import jobs
from scrm.common.access import DataScope, Role
from scrm.common.models import Job
from tests.factories import NOW, client_as, make_member
from tests.members.tasking import LONG_AGO, buy, do, make_task, refund
from tests.members.test_task_api import Caller

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def at_noon() -> Any:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def monthly() -> Task:
    """Three views a month for 30 points, given when they are claimed."""
    return make_task("monthly", window="month", times=0, claim="member")


@pytest.fixture
def four(monthly: Task) -> list[Member]:
    """Who has begun it, done it, done it in two months and claimed it once, and not begun it."""
    found = [make_member(joined_at=LONG_AGO) for _ in range(4)]
    do(found[0], NOW)
    do(found[1], NOW, NOW, NOW)
    last_month = NOW - timedelta(days=30)
    do(found[2], last_month, last_month, last_month, NOW, NOW, NOW)
    tasks.claim(member_id=found[2].pk, task_id=monthly.pk, now=NOW)
    return found


def numbers(found: task_funnels.Funnel) -> tuple[int, ...]:
    return (
        found.started, found.done, found.rewarded, found.completions, found.rewarded_completions, found.cost,
    )  # fmt: skip


EXACT = (3, 2, 1, 3, 1, 30)


def test_few_are_counted_while_one_looks(monthly: Task, four: list[Member]) -> None:
    found = task_funnels.of(monthly.pk)
    assert numbers(found) == EXACT
    assert (found.live, found.counted_at) == (True, NOW)
    acts.count(now=NOW)
    assert not TaskFunnel.objects.exists()
    do(four[3], NOW)
    assert task_funnels.of(monthly.pk).started == 4


def test_many_are_as_they_were_last_counted(
    monthly: Task, four: list[Member], monkeypatch: pytest.MonkeyPatch, at_noon: Any
) -> None:
    monkeypatch.setattr(task_funnels, "FEW", 3)  # cycles, of which there are four
    caller = Caller("loyalty.view")
    assert caller.call("GET", f"tasks/{monthly.pk}/funnel", None, 409)["code"] == "not_counted"
    work.count_task_funnels()
    do(four[3], NOW)
    at_noon.shift(timedelta(hours=1))
    found = task_funnels.of(monthly.pk)
    assert (numbers(found), found.live, found.counted_at) == (EXACT, False, NOW)
    answer = caller.call("GET", f"tasks/{monthly.pk}/funnel")
    assert (answer["started"], datetime.fromisoformat(answer["counted_at"])) == (3, NOW)
    work.count_task_funnels()
    work.count_task_funnels()
    found = task_funnels.of(monthly.pk)
    assert (found.started, found.done, found.counted_at) == (4, 2, NOW + timedelta(hours=1))


def test_what_was_undone_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    task = make_task("buys", kind="order", needed=1)
    monkeypatch.setattr(task_funnels, "FEW", 0)
    members = [make_member(joined_at=LONG_AGO) for _ in range(2)]
    for number, one in enumerate(members):
        buy(one, number=f"N{number}")
    acts.count(now=NOW)
    assert numbers(task_funnels.of(task.pk)) == (2, 2, 2, 2, 2, 60)
    refund(members[0], "N0", "100")
    acts.count(now=NOW)
    assert numbers(task_funnels.of(task.pk)) == (1, 1, 1, 1, 1, 30)
    refund(members[1], "N1", "100")
    # Few again: counted while one looks, and the row goes with the next count.
    found = task_funnels.of(task.pk)
    assert (numbers(found), found.live) == ((0, 0, 0, 0, 0, 0), True)
    acts.count(now=NOW)
    assert not TaskFunnel.objects.exists()


def test_the_pages_say_when_and_count_on_request(
    monthly: Task, four: list[Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_as(Role.OPERATOR)
    assert "立即统计" not in client.get("/tasks/").content.decode()
    monkeypatch.setattr(task_funnels, "FEW", 3)
    for path in ("/tasks/", f"/tasks/{monthly.pk}/"):
        shown = client.get(path).content.decode()
        assert "尚未统计" in shown
        assert "立即统计" in shown
    client.post("/tasks/count/")
    job = Job.objects.get(kind="task_funnels")
    jobs.run(job_id=job.pk, handler=work.run_task_funnels)
    job.refresh_from_db()
    assert (job.state, job.done, job.total, job.result_url) == ("succeeded", 1, 1, "/tasks/")
    for path in ("/tasks/", f"/tasks/{monthly.pk}/"):
        shown = client.get(path).content.decode()
        assert "尚未统计" not in shown
        assert "立即统计" in shown


def test_who_sees_only_some_members_cannot_count(
    monthly: Task, four: list[Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_funnels, "FEW", 3)
    client = client_as(Role.OPERATOR, scope=DataScope.STORE)
    client.post("/tasks/count/")
    assert not Job.objects.filter(kind="task_funnels").exists()
    for path in ("/tasks/", f"/tasks/{monthly.pk}/"):
        shown = client.get(path).content.decode()
        assert "立即统计" not in shown
        assert "尚未统计" not in shown


def test_a_count_reads_indexes_only(monthly: Task, four: list[Member]) -> None:
    with CaptureQueriesContext(connection) as captured:
        task_funnels.counts([monthly.pk])
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        cursor.execute("EXPLAIN " + captured.captured_queries[0]["sql"])
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "Index Only Scan using task_progress_of_task" in plan, plan
    assert "Index Only Scan using task_completion_of_task" in plan, plan


def test_the_table_keeps_that_a_funnel_narrows(monthly: Task) -> None:
    good = {"started": 3, "done": 2, "rewarded": 1, "completions": 3, "rewarded_completions": 1, "counted_at": NOW}
    for wrong in (
        {"started": -1}, {"rewarded": 3}, {"completions": 1}, {"rewarded_completions": 0}, {"rewarded_completions": 4}
    ):  # fmt: skip
        with pytest.raises(IntegrityError), transaction.atomic():
            TaskFunnel.objects.create(task=monthly, **{**good, **wrong})
    TaskFunnel.objects.create(task=monthly, **good)
