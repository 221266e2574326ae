"""The exact preview of a ladder: everybody is counted in the background, and nobody is changed by it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, transaction
from django.test import Client

from members import tasks
from members.models import Member, MemberTier, TierMove, TierTrial
from members.operations import currencies, tier_schemes, tier_trials, tiers
from members.operations.tier_schemes import Content, StepContent
from members.queries import tier_preview
from members.queries import tier_schemes as ladders
from scrm.common import api_keys, jobs
from scrm.common.access import SYSTEM, Permission, Role
from scrm.common.errors import Invalid
from scrm.common.models import AuditEntry, Job
from tests.factories import NOW, client_as, make_member
from tests.members.test_points_races import interleaved
from tests.members.test_tier_pages import LADDER, SETTINGS, api
from tests.members.test_tiers import GIFT, grow, ladder

pytestmark = pytest.mark.django_db
BODY = {
    "version": 0, "basis": "growth", "window": "rolling", "validity": "months",
    "steps": [
        {"key": "basic", "name": "普通", "threshold": 0}, {"key": "silver", "name": "银卡", "threshold": 1_000},
    ],
}  # fmt: skip


@pytest.fixture(autouse=True)
def at_noon() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture(autouse=True)
def few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with many millions: a preview is estimated above four members, a count takes three ids at a time."""
    monkeypatch.setattr(tier_preview, "SAMPLE", 2)
    monkeypatch.setattr(tier_trials, "RANGE", 3)


@pytest.fixture
def members() -> list[Member]:
    """Eight, from id 1 on: two have nothing, three 1,500 and three 5,000 growth."""
    currencies.get("growth")
    currencies.get("points")
    found = [make_member(pk=number) for number in range(1, 9)]
    for one, amount in zip(found, [0, 0, 1_500, 1_500, 1_500, 5_000, 5_000, 5_000], strict=True):
        if amount:
            grow(one, amount)
    return found


def in_effect() -> dict[str, int]:
    """The usual ladder, by which three are silver and three gold."""
    ids = ladder()
    tiers.evaluate_everyone(now=NOW)
    return ids


def cheaper(ids: dict[str, int], **settings: Any) -> Content:
    """Gold at 1,500 instead of 5,000, and a new one above it."""
    return Content(
        steps=[
            StepContent(name="Basic", tier_id=ids["basic"], threshold=0),
            StepContent(name="Silver", tier_id=ids["silver"], threshold=1_000),
            StepContent(name="Gold", tier_id=ids["gold"], threshold=1_500, gifts=GIFT),
            StepContent(name="Black", key="black", threshold=4_000, gifts=GIFT),
        ],
        gifts_on_change=True, **settings,
    )  # fmt: skip


def run(trial: TierTrial, watch: Callable[[dict[str, Any]], None] | None = None) -> Job:
    jobs.run(job_id=trial.job_id or 0, watch=watch, handler=tasks.run_tier_trial)
    return Job.objects.get(pk=trial.job_id)


def found(trial: TierTrial) -> tier_preview.Migration | None:
    return tier_preview.found_by(tier_preview.trial(trial.pk))


def test_everybody_is_counted_and_nobody_changed(members: list[Member]) -> None:
    content = cheaper(in_effect())
    held = list(MemberTier.objects.order_by("member_id").values())
    moves, audited = TierMove.objects.count(), AuditEntry.objects.count()
    trial = tier_trials.queue(content=content, actor=SYSTEM, now=NOW)
    assert found(trial) is None
    job = run(trial)
    assert (job.state, job.done, job.total) == ("succeeded", 8, 8)
    assert job.result_url == f"/tiers/edit/?trial={trial.pk}"
    result = found(trial)
    assert result is not None
    assert result.moves == [(1, 1, 2), (2, 3, 3), (3, 4, 3)]
    assert result.settled == result.moves
    # 200 points at 10.00 for 1,000 to each of six.
    assert (result.members, result.exact, result.gifts, result.cost) == (8, True, 6, 6 * 200)
    assert list(MemberTier.objects.order_by("member_id").values()) == held
    assert TierMove.objects.count() == moves
    assert set(AuditEntry.objects.order_by("pk")[audited:].values_list("object_type", flat=True)) == {
        "members_tiertrial"
    }


def test_a_ladder_that_waits_for_the_next_period_moves_nobody_at_once(members: list[Member]) -> None:
    trial = tier_trials.queue(content=cheaper(in_effect(), start="next_period"), actor=SYSTEM, now=NOW)
    run(trial)
    result = found(trial)
    assert result is not None
    assert (result.moves, result.moved, result.gifts) == ([(1, 1, 2), (2, 2, 3), (3, 3, 3)], 0, 0)
    assert result.settled == [(1, 1, 2), (2, 3, 3), (3, 4, 3)]


class _Killed(BaseException):
    """The worker is gone."""


def test_a_count_goes_on_where_a_dead_worker_left_it(members: list[Member]) -> None:
    trial = tier_trials.queue(content=cheaper(in_effect()), actor=SYSTEM, now=NOW)

    def die(values: dict[str, Any]) -> None:
        if "checkpoint" in values and values["checkpoint"]["next"] == 6:
            raise _Killed

    with pytest.raises(_Killed):
        run(trial, die)
    assert found(trial) is None
    # Who was counted is not counted again, and who has joined since is not counted.
    MemberTier.objects.filter(member_id__lt=6).delete()
    make_member(pk=9)
    Job.objects.filter(pk=trial.job_id).update(heartbeat_at=NOW - 2 * jobs.STALE_AFTER)
    reports: list[dict[str, Any]] = []
    assert run(trial, reports.append).state == "succeeded"
    assert [one["done"] for one in reports if "done" in one] == [8]
    result = found(trial)
    assert result is not None
    assert (result.members, result.moves) == (8, [(1, 1, 2), (2, 3, 3), (3, 4, 3)])


def test_another_version_saved_meanwhile_ends_it_with_a_reason(members: list[Member]) -> None:
    ids = in_effect()
    trial = tier_trials.queue(content=cheaper(ids), actor=SYSTEM, now=NOW)
    tier_schemes.save(
        content=tier_schemes.content_of(ladders.newest()),  # type: ignore[arg-type]
        version=1, actor=SYSTEM, now=NOW,
    )  # fmt: skip
    job = run(trial)
    assert (job.state, job.error_code, found(trial)) == ("failed", "stale_version", None)
    # It is not the preview of this ladder any more.
    assert tier_trials.latest(cheaper(ids)) is None


def test_what_is_no_ladder_is_refused_at_once() -> None:
    with pytest.raises(Invalid) as caught:
        tier_trials.queue(content=Content(steps=[StepContent(name="a", key="a", threshold=1)]), actor=SYSTEM, now=NOW)
    assert (caught.value.code, caught.value.detail["field"]) == ("lowest_is_free", "steps[0].threshold")
    assert not Job.objects.exists()


def test_the_same_ladder_is_not_counted_twice_at_a_time(members: list[Member]) -> None:
    ids = in_effect()
    first = tier_trials.queue(content=cheaper(ids), actor=SYSTEM, now=NOW)
    assert tier_trials.queue(content=cheaper(ids), actor=SYSTEM, now=NOW) == first
    assert tier_trials.queue(content=cheaper(ids, window_months=6), actor=SYSTEM, now=NOW) != first
    run(first)
    again = tier_trials.queue(content=cheaper(ids), actor=SYSTEM, now=NOW)
    assert again != first
    jobs.request_cancel(job_id=again.job_id or 0)
    assert run(again).state == "cancelled"
    assert tier_trials.queue(content=cheaper(ids), actor=SYSTEM, now=NOW) not in (first, again)


@pytest.mark.parametrize("values", [{"result": {"members": 1}}, {"finished_at": NOW}, {"version": -1}])
def test_the_table_keeps_what_finished_means(values: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        TierTrial.objects.create(**{"version": 0, "content": {}, "as_of": NOW, **values})


def test_the_editor_offers_the_exact_count_and_shows_it(members: list[Member]) -> None:
    client = client_as(Role.ADMIN)
    form = SETTINGS | LADDER
    first = client.post("/tiers/preview/", form).content.decode()
    assert "≈" in first
    assert "全量精确计算" in first
    running = client.post("/tiers/preview/exact/", form).content.decode()
    trial = TierTrial.objects.get()
    assert "全量精确计算" not in running
    assert f'hx-get="/tiers/trials/{trial.pk}/"' in running
    assert f'hx-get="/tiers/trials/{trial.pk}/"' in client.get(f"/tiers/trials/{trial.pk}/").content.decode()
    run(trial)
    ended = client.get(f"/tiers/trials/{trial.pk}/").content.decode()
    assert 'hx-post="/tiers/preview/"' in ended
    assert "hx-get" not in ended
    shown = client.post("/tiers/preview/", form).content.decode()
    assert "≈" not in shown
    assert "全部 8 名会员" in shown
    assert "2026-11-21 12:00" in shown
    assert 'data-moved="6"' in shown
    assert "重新计算" in shown
    # Another ladder is another question.
    other = client.post("/tiers/preview/", form | {"window_months": "6"}).content.decode()
    assert "≈" in other
    # From the task centre the ladder that was counted is back in the editor.
    opened = client.get(f"/tiers/edit/?trial={trial.pk}")
    assert [row["name"] for row in opened.context["rows"]] == ["普通", "银卡", "金卡"]
    assert client.get("/tiers/edit/?trial=999999").status_code == 404
    assert client.get("/tiers/trials/999999/").status_code == 404


def test_a_count_that_failed_says_why_and_can_be_repeated(members: list[Member]) -> None:
    client = client_as(Role.ADMIN)
    client.post("/tiers/preview/exact/", SETTINGS | LADDER)
    trial = TierTrial.objects.get()
    jobs.request_cancel(job_id=trial.job_id or 0)
    shown = client.post("/tiers/preview/", SETTINGS | LADDER).content.decode()
    assert "精确计算未完成" in shown
    assert "全量精确计算" in shown


def test_a_trial_of_a_former_version_cannot_be_saved_over_a_newer_one(members: list[Member]) -> None:
    trial = tier_trials.queue(content=cheaper(in_effect()), actor=SYSTEM, now=NOW)
    tier_schemes.save(
        content=tier_schemes.content_of(ladders.newest()),  # type: ignore[arg-type]
        version=1, actor=SYSTEM, now=NOW,
    )  # fmt: skip
    opened = client_as(Role.ADMIN).get(f"/tiers/edit/?trial={trial.pk}")
    assert opened.context["form"]["version"].value() == 1


def test_a_preview_of_few_is_exact_without_counting(members: list[Member], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tier_preview, "SAMPLE", 100_000)
    shown = client_as(Role.ADMIN).post("/tiers/preview/", SETTINGS | LADDER).content.decode()
    assert "全量精确计算" not in shown
    assert 'data-moved="6"' in shown


def test_the_api_counts_exactly(members: list[Member]) -> None:
    client = client_as(Role.ADMIN)
    assert api(client, "post", "tiers/preview", BODY).json()["exact"] is False
    answer = api(client, "post", "tiers/trials", BODY)
    assert answer.status_code == 202
    queued = answer.json()
    assert (queued["state"], queued["result"], queued["finished_at"], queued["version"]) == ("queued", None, None, 0)
    assert datetime.fromisoformat(queued["as_of"]) == NOW
    run(TierTrial.objects.get(pk=queued["id"]))
    read = api(client, "get", f"tiers/trials/{queued['id']}").json()
    moves = [{"before": 1, "after": 1, "members": 2}, {"before": 1, "after": 2, "members": 6}]
    assert read["result"] == {
        "members": 8, "moves": moves, "settled": moves, "gifts": 0, "cost": 0, "grants": 0, "exact": True,
    }  # fmt: skip
    assert (read["state"], read["done"], read["error_code"]) == ("succeeded", 8, "")
    assert api(client, "get", "tiers/trials/999999").json()["code"] == "unknown_trial"
    wrong = BODY | {"steps": [{"key": "a", "name": "a", "threshold": 1}]}
    assert api(client, "post", "tiers/trials", wrong).json()["code"] == "lowest_is_free"


def test_who_may_preview_may_count_and_is_named_in_the_audit_log(members: list[Member]) -> None:
    reader = client_as(Role.OPERATOR)
    assert reader.post("/tiers/preview/exact/", SETTINGS | LADDER).status_code == 403
    _key, secret = api_keys.create(name="reads", scopes=[Permission.LOYALTY_VIEW], actor=SYSTEM)
    key = Client(headers={"Authorization": f"Api-Key {secret}"})
    assert api(key, "post", "tiers/trials", BODY).status_code == 403
    assert not TierTrial.objects.exists()
    client = client_as(Role.ADMIN)
    api(client, "post", "tiers/trials", BODY)
    trial = TierTrial.objects.get()
    run(trial)
    assert reader.get(f"/tiers/trials/{trial.pk}/").status_code == 403
    assert api(key, "get", f"tiers/trials/{trial.pk}").status_code == 403
    entries = AuditEntry.objects.filter(object_type="members_tiertrial", object_id=str(trial.pk)).order_by("pk")
    assert [entry.action for entry in entries] == ["insert", "update", "update"]
    assert {entry.actor for entry in entries} == {trial.created_by}
    assert trial.created_by.startswith("user:")
    assert entries[2].changes["result"][1]["members"] == 8


@pytest.mark.django_db(transaction=True)
def test_two_who_ask_for_the_same_count_get_one_trial(members: list[Member]) -> None:
    content = cheaper(in_effect())
    first, second = interleaved(
        lambda: tier_trials.queue(content=content, actor=SYSTEM, now=NOW),
        lambda: tier_trials.queue(content=content, actor=SYSTEM, now=NOW),
    )
    assert first == second
    assert (TierTrial.objects.count(), Job.objects.filter(kind=tier_trials.KIND).count()) == (1, 1)
