"""Granting points to many: each member once, whatever happens to the worker."""

from __future__ import annotations

import pytest

from members.models import Member, PointsAccount, PointsEntry
from members.operations import currencies, points, points_grants
from members.queries import points_check
from scrm.common import jobs
from scrm.common.access import SYSTEM
from scrm.common.errors import Invalid
from scrm.common.models import Job
from tests.factories import NOW, make_member

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(points_grants, "CHUNK", 2)
    currencies.get("points")


def grant(members: list[Member] | None, key: str = "春节", amount: int = 50) -> Job:
    ids = None if members is None else [member.pk for member in members]
    return points_grants.start(grant=key, amount=amount, member_ids=ids, actor=SYSTEM, now=NOW)


def run(job: Job) -> dict[str, int]:
    Job.objects.filter(pk=job.pk).update(state="queued", finished_at=None)
    jobs.run(job_id=job.pk, handler=lambda _id, progress: points_grants.run(params=job.params, progress=progress))
    job.refresh_from_db()
    assert (job.state, job.error) == ("succeeded", "")
    return job.counts


def available() -> dict[int, int]:
    return dict(PointsAccount.objects.values_list("member_id", "available"))


def test_everybody_is_granted_once() -> None:
    members = [make_member() for _ in range(5)]
    merged = make_member(status="erased")
    assert run(grant(None)) == {"granted": 5, "known": 0, "skipped": 0}
    assert available() == {member.pk: 50 for member in members}
    assert run(grant(None)) == {"granted": 0, "known": 5, "skipped": 0}
    assert run(grant(None, "中秋")) == {"granted": 5, "known": 0, "skipped": 0}
    assert PointsEntry.objects.filter(member=merged).count() == 0
    assert list(points_check.check()) == []


def test_a_list_is_granted_and_who_is_not_active_is_counted() -> None:
    members = [make_member() for _ in range(5)]
    gone = make_member(status="erased")
    assert run(grant([*members[:3], gone])) == {"granted": 3, "known": 0, "skipped": 1}
    assert available() == {member.pk: 50 for member in members[:3]}


def test_a_killed_worker_is_followed_by_one_that_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    members = [make_member() for _ in range(7)]
    job = grant(members)
    reports = []

    class Dying(jobs.Progress):
        def report(self, **values):
            reports.append(values["done"])
            if len(reports) == 2:
                raise KeyboardInterrupt  # booked, not reported
            super().report(**values)

    with pytest.raises(KeyboardInterrupt):
        points_grants.run(params=job.params, progress=Dying(job))
    job.refresh_from_db()
    assert job.checkpoint["done"] == 2
    assert run(job) == {"granted": 5, "known": 2, "skipped": 0}
    assert available() == {member.pk: 50 for member in members}
    assert PointsEntry.objects.count() == 7


def test_arrears_are_repaid_by_a_grant() -> None:
    ann = make_member()
    points.earn(member_id=ann.pk, amount=80, reference="e", source="order:1", now=NOW)
    points.spend(member_id=ann.pk, amount=80, reference="s", now=NOW)
    points.reverse(member_id=ann.pk, source="order:1", amount=80, reference="r", now=NOW)
    run(grant([ann]))
    assert available() == {ann.pk: -30}
    assert list(points_check.check()) == []


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"amount": 0}, "amount_out_of_range"),
        ({"grant": ""}, "bad_reference"),
        ({"grant": "x" * 115}, "bad_reference"),
        ({"member_ids": [-1]}, "unknown_member"),
    ],
)
def test_what_makes_no_sense_is_refused(values: dict, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        points_grants.start(**{"grant": "g", "amount": 1, "actor": SYSTEM, "now": NOW} | values)
    assert caught.value.code == code
