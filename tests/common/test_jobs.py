"""Long work survives a dead worker, can be stopped, and tells who started it how it ended."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from scrm.common import clock, jobs
from scrm.common.access import Actor, Permission
from scrm.common.errors import Invalid
from scrm.common.models import Job, Notification
from scrm.common.models.jobs import JobState
from tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def actor() -> Actor:
    user = make_user()
    return Actor(kind="user", id=user.pk, name=str(user), permissions=frozenset(Permission))


@pytest.fixture(autouse=True)
def _restore_handlers() -> Iterator[None]:
    before = dict(jobs._handlers)
    yield
    jobs._handlers.clear()
    jobs._handlers.update(before)


def create(actor: Actor) -> Job:
    return jobs.create(kind="count", label="数数", params={}, actor=actor, total=3)


def test_a_job_runs_once_and_its_owner_is_told(actor: Actor) -> None:
    runs = []

    @jobs.handles("count")
    def count(job_id: int, progress: jobs.Progress) -> None:
        runs.append(job_id)
        progress.report(done=3, counts={"accepted": 3})

    job = create(actor)
    jobs.run(job_id=job.pk)
    jobs.run(job_id=job.pk)
    job.refresh_from_db()
    assert (runs, job.state, job.done, job.counts) == ([job.pk], JobState.SUCCEEDED, 3, {"accepted": 3})
    told = Notification.objects.get()
    assert (told.user_id, told.level, told.message % told.values) == (actor.id, "success", "数数 has finished")


def test_a_dead_workers_job_goes_on_from_its_checkpoint(actor: Actor) -> None:
    seen = []

    @jobs.handles("count")
    def count(job_id: int, progress: jobs.Progress) -> None:
        seen.append(progress.checkpoint.get("at", 0))
        progress.report(checkpoint={"at": 2})
        if len(seen) == 1:
            raise KeyboardInterrupt  # what a killed worker leaves: a running row, no end

    job = create(actor)
    with pytest.raises(KeyboardInterrupt):
        jobs.run(job_id=job.pk)
    assert jobs.stale_ids() == []
    jobs.run(job_id=job.pk)
    assert seen == [0], "a job whose worker may be alive is not taken over"
    Job.objects.update(heartbeat_at=clock.now() - jobs.STALE_AFTER - timedelta(seconds=1))
    assert jobs.stale_ids() == [job.pk]
    jobs.run(job_id=job.pk)
    job.refresh_from_db()
    assert (seen, job.state) == ([0, 2], JobState.SUCCEEDED)


def test_a_failure_is_typed_and_an_unexpected_one_is_named(actor: Actor) -> None:
    @jobs.handles("count")
    def count(job_id: int, progress: jobs.Progress) -> None:
        if Job.objects.count() == 1:
            raise Invalid("空文件", code="empty_file")
        raise ZeroDivisionError("division by zero")

    first = create(actor)
    jobs.run(job_id=first.pk)
    first.refresh_from_db()
    assert (first.state, first.error_code, first.error) == (JobState.FAILED, "empty_file", "空文件")
    second = create(actor)
    jobs.run(job_id=second.pk)
    second.refresh_from_db()
    assert (second.state, second.error_code) == (JobState.FAILED, "internal_error")
    assert "division by zero" in second.error


def test_a_running_job_stops_at_its_next_report(actor: Actor) -> None:
    @jobs.handles("count")
    def count(job_id: int, progress: jobs.Progress) -> None:
        progress.report(done=1)
        jobs.request_cancel(job_id=job_id)
        progress.report(done=2)
        pytest.fail("went on after the cancel")

    job = create(actor)
    jobs.run(job_id=job.pk)
    job.refresh_from_db()
    assert (job.state, job.done) == (JobState.CANCELLED, 2)


def test_a_queued_job_is_cancelled_at_once_and_never_runs(actor: Actor) -> None:
    @jobs.handles("count")
    def count(job_id: int, progress: jobs.Progress) -> None:
        pytest.fail("ran")

    job = create(actor)
    jobs.request_cancel(job_id=job.pk)
    jobs.run(job_id=job.pk)
    job.refresh_from_db()
    assert job.state == JobState.CANCELLED
