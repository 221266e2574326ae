"""Tasks and check-in over the API."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from members.models import EventType, Member, Task
from members.operations import checkin_calendars
from scrm.common import api_keys, clock
from scrm.common.access import SYSTEM, Permission
from tests.factories import make_member
from tests.members.tasking import LONG_AGO, balance, do, make_task, points

pytestmark = pytest.mark.django_db


class Caller:
    def __init__(self, *scopes: str) -> None:
        _key, secret = api_keys.create(name="till", scopes=list(scopes), actor=SYSTEM)
        self.client = Client(headers={"Authorization": f"Api-Key {secret}"})

    def call(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        answer = self.client.generic(
            method, f"/api/v1/{path}", "" if body is None else json.dumps(body), "application/json"
        )
        assert answer.status_code == status, answer.content
        return answer.json() if answer.content else None


@pytest.fixture
def caller() -> Caller:
    return Caller(Permission.LOYALTY_VIEW, Permission.LOYALTY_MANAGE, Permission.POINTS_WRITE)


@pytest.fixture
def ann() -> Member:
    return make_member(joined_at=LONG_AGO)


BODY = {
    "key": "reads", "name": "读三篇", "kind": "event", "counting": {"types": ["page"]}, "needed": 3,
    "rewards": [points(30)],
}  # fmt: skip


def test_a_task_is_made_changed_started_and_ended(caller: Caller) -> None:
    EventType.objects.create(key="page", name="浏览页面")
    made = caller.call("POST", "tasks", BODY, 201)
    assert (made["state"], made["version"], made["times"]) == ("draft", 1, 1)
    path = f"tasks/{made['id']}"
    content = {name: made[name] for name in BODY if name != "key"}
    changed = caller.call("PUT", path, {**content, "needed": 2, "version": 1})
    assert (changed["needed"], changed["version"]) == (2, 2)
    assert caller.call("PUT", path, {**content, "version": 1}, 409)["code"] == "changed_meanwhile"
    assert caller.call("POST", f"{path}/state", {"state": "active"})["state"] == "active"
    assert caller.call("PUT", path, {**content, "needed": 5, "version": 2}, 409)["code"] == "started"
    assert caller.call("DELETE", path, None, 409)["code"] == "started"
    assert caller.call("POST", f"{path}/state", {"state": "ended"})["state"] == "ended"
    assert caller.call("POST", f"{path}/state", {"state": "active"}, 409)["code"] == "ended"
    assert [one["key"] for one in caller.call("GET", "tasks")["items"]] == ["reads"]
    assert caller.call("GET", "tasks/99", None, 404)["code"] == "not_found"


def test_bad_bodies_name_what_is_wrong(caller: Caller) -> None:
    EventType.objects.create(key="page")
    for changes, field in (
        ({"needed": 0}, "needed"), ({"needed": 10**30}, "needed"), ({"kind": "x"}, "kind"), ({"name": "a\0"}, "name"),
        ({"counting": {"types": ["unknown"]}}, "counting.types"), ({"rewards": [points(0)]}, "rewards[0].amount"),
        ({"stock": "many"}, "stock"), ({"after": [-1]}, "after"), ({"key": "A B"}, "key"),
    ):  # fmt: skip
        answer = caller.call("POST", "tasks", {**BODY, **changes}, 422)
        assert field in str(answer), answer
    assert not Task.objects.exists()


def test_the_map_of_a_member_and_what_counted(caller: Caller, ann: Member) -> None:
    now = clock.now()
    first = make_task(needed=2, claim="member")
    make_task("next", needed=1, after=[first], rewards=[points(5, "growth")])
    do(ann, now, now=now)
    one, two = caller.call("GET", f"members/{ann.pk}/tasks")["items"]
    assert (one["standing"], one["progress"], one["rewards"]) == ("open", "1/2", ["+30 积分"])
    assert (two["standing"], two["unlocked_by"], two["rewards"]) == ("locked", ["reads"], ["+5 成长值"])
    assert caller.call("POST", f"members/{ann.pk}/tasks/{first.pk}/claim", None, 409)["code"] == "not_done"
    do(ann, now, now=now)
    assert [step["standing"] for step in caller.call("GET", f"members/{ann.pk}/tasks")["items"]] == [
        "claimable", "open",
    ]  # fmt: skip
    caller.call("POST", f"members/{ann.pk}/tasks/{first.pk}/claim")
    caller.call("POST", f"members/{ann.pk}/tasks/{first.pk}/claim")
    assert balance(ann) == 30
    (cycle,) = caller.call("GET", f"members/{ann.pk}/tasks/{first.pk}")["items"]
    assert (cycle["cycle"], cycle["progress"], len(cycle["facts"])) == ("1", "2/2", 2)
    assert cycle["completion"]["claimed_at"] is not None
    funnel = caller.call("GET", f"tasks/{first.pk}/funnel")
    assert now < datetime.fromisoformat(funnel.pop("counted_at")) < clock.now()
    assert funnel == {
        "started": 1, "done": 1, "rewarded": 1, "completions": 1, "rewarded_completions": 1, "cost": 30,
    }  # fmt: skip


PREVIEWS: list[tuple[dict[str, Any], tuple[int, int, int]]] = [
    ({"needed": 3}, (2, 1, 1)),
    ({"needed": 2, "times": 0}, (2, 2, 2)),
    ({"needed": 1, "window": "day", "times": 0}, (2, 2, 4)),
    ({"needed": 2, "window": "rolling", "window_days": 2}, (2, 2, 2)),
    ({"needed": 3, "measure": "streak"}, (2, 1, 1)),
    ({"needed": 2, "measure": "days", "window": "month", "times": 0}, (2, 1, 1)),
    ({"needed": 100, "measure": "sum"}, (2, 0, 0)),
    ({"needed": 1, "who": {"field": "city", "op": "eq", "value": "上海"}}, (1, 1, 1)),
]


@pytest.mark.parametrize(("changes", "counts"), PREVIEWS)
def test_the_preview_counts_who_would_have_done_it(
    caller: Caller, ann: Member, changes: dict[str, Any], counts: tuple[int, int, int], time_machine: Any
) -> None:
    time_machine.move_to("2026-11-21 04:00:00+00:00", tick=False)
    ben = make_member(city="上海", joined_at=LONG_AGO)
    now = clock.now()
    for back in (0, 1, 2):
        do(ann, now - timedelta(days=back), now=now)
    do(ben, now, now, now=now)
    do(ben, LONG_AGO, now=now)
    found = caller.call("POST", "tasks/preview", {**BODY, **changes})
    assert (found["started"], found["done"], found["completions"], found["exact"]) == (*counts, True)


def test_checking_in_over_the_api(caller: Caller, ann: Member) -> None:
    assert caller.call("POST", f"members/{ann.pk}/checkins", {}, 404)["code"] == "unknown_calendar"
    body = {"key": "daily", "name": "每日签到", "ladder": [[points(5)], [points(10)]], "gift": [points(50)]}
    made = caller.call("POST", "checkin-calendars", body, 201)
    answer = caller.call("POST", f"members/{ann.pk}/checkins", {})
    assert (answer["streak"], answer["duplicate"], answer["rewards"]) == (1, False, [points(5)])
    assert caller.call("POST", f"members/{ann.pk}/checkins", {"calendar": made["id"]})["duplicate"] is True
    month = caller.call("GET", f"members/{ann.pk}/checkins")
    assert (month["streak"], month["checked_in_today"], month["next_rewards"]) == (1, True, ["+10 积分"])
    assert (month["gift_in"], month["gift"], month["total"]) == (6, ["+50 积分"], 1)
    for body, status, code in (
        ({"day": "2026-02-30"}, 422, "invalid"), ({"day": "2199-01-01"}, 422, "in_future"),
        ({"day": "2001-01-01"}, 422, "before_joining"), ({"day": "2001-01-01", "pay": "gold"}, 422, "invalid"),
    ):  # fmt: skip
        found = caller.call("POST", f"members/{ann.pk}/checkins/makeup", body, status)
        assert found["code"] == code
    content = {name: made[name] for name in ("name", "ladder", "gift")}
    assert caller.call("PUT", f"checkin-calendars/{made['id']}", {**content, "version": 1})["version"] == 2
    assert checkin_calendars.CARDS == "makeup_cards"


def test_a_key_does_what_its_scopes_allow(ann: Member) -> None:
    reader = Caller(Permission.LOYALTY_VIEW)
    assert reader.call("GET", "tasks") == {"items": []}
    assert reader.call("POST", "tasks", BODY, 403)["code"] == "forbidden"
    assert reader.call("POST", f"members/{ann.pk}/checkins", {}, 403)["code"] == "forbidden"
    Caller(Permission.MEMBERS_VIEW).call("GET", f"members/{ann.pk}/tasks", None, 403)
