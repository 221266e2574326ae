"""The pages of tasks and check-ins."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from members.models import CheckInCalendar, EventType, Task
from members.operations import checkin_calendars, checkins
from members.operations.checkin_calendars import Content
from members.queries import task_words
from scrm.common import clock
from scrm.common.access import Role
from tests.factories import client_as, make_member, make_order
from tests.members.tasking import LONG_AGO, do, make_task, points

pytestmark = pytest.mark.django_db

FORM: dict[str, Any] = {
    "key": "reads", "name": "读三篇", "description": "", "icon": "eye", "position": "1", "form": "event",
    "types": ["page"], "test_property": ["title", ""], "test_op": ["contains", "eq"], "test_value": ["育儿", ""],
    "measure": "count", "needed": "3", "window": "week", "times": "0", "claim": "auto", "stock": "",
    "reward_kind": ["points:points", "grant:coupon", "points:growth"], "reward_amount": ["30", "1", ""],
    "reward_key": ["", "welcome", ""], "condition": '{"all":[]}',
}  # fmt: skip


def test_a_task_is_written_tried_started_and_edited() -> None:
    EventType.objects.create(key="page", name="浏览页面")
    client = client_as(Role.ADMIN)
    tried = client.post("/tasks/preview/", {**FORM, "key": ""})
    assert "浏览页面" in tried.content.decode()
    answer = client.post("/tasks/new/", FORM)
    task = Task.objects.get()
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/tasks/{task.pk}/")
    assert task.counting == {"types": ["page"], "where": [{"property": "title", "op": "contains", "value": "育儿"}]}
    assert task.rewards == [points(30), {"kind": "grant", "item": "coupon", "key": "welcome", "quantity": 1}]
    assert (task.window, task.times, task.needed, task.state) == ("week", 0, 3, "draft")
    client.post(f"/tasks/{task.pk}/start/")
    edit = client.get(f"/tasks/{task.pk}/edit/")
    assert edit.status_code == 200
    again = {**FORM, "version": "1", "name": "改名", "needed": "99", "reward_amount": ["50", "", ""]}
    assert client.post(f"/tasks/{task.pk}/edit/", again).status_code == 302
    task.refresh_from_db()
    assert (task.name, task.needed, task.version, task.rewards) == ("改名", 3, 2, [points(50)])
    assert client.post(f"/tasks/{task.pk}/edit/", again).status_code == 422  # somebody else was faster
    for act, state in (("pause", "paused"), ("start", "active"), ("end", "ended")):
        client.post(f"/tasks/{task.pk}/{act}/")
        task.refresh_from_db()
        assert task.state == state
    assert client.get(f"/tasks/{task.pk}/").status_code == 200
    assert client.get(f"/tasks/new/?copy={task.pk}").status_code == 200


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"key": "A B"}, "key"), ({"needed": "0"}, "needed"), ({"types": []}, "types"),
        ({"window": "rolling"}, "window_days"), ({"form": "profile", "types": []}, "fields_"),
        ({"reward_amount": ["x", "", ""]}, "rewards"), ({"condition": "{"}, "condition"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_at_its_field(changes: dict[str, Any], said: str) -> None:
    EventType.objects.create(key="page")
    answer = client_as(Role.ADMIN).post("/tasks/new/", {**FORM, **changes})
    assert answer.status_code == 422
    form = answer.context["form"]
    assert said in form.errors or form.non_field_errors() or answer.context["faults"]
    assert not Task.objects.exists()


def test_kinds_of_tasks_are_shown_as_they_were_saved() -> None:
    calendar = checkin_calendars.create(key="daily", content=Content(name="每日签到"), now=LONG_AGO)
    client = client_as(Role.ADMIN)
    order = make_task("order", kind="order", counting={"minimum": 9_990, "products": ["K1"]}, started=False)
    make_task("profile", kind="profile", counting={"fields": ["name", "phone"]}, after=[order], started=False)
    make_task(
        "row", kind="checkin", measure="streak", needed=3, counting={"calendar": calendar.pk}, started=False,
        who={"field": "city", "op": "eq", "value": "上海"},
    )  # fmt: skip
    for task in Task.objects.all():
        page = client.get(f"/tasks/{task.pk}/edit/")
        bound = {
            name: value if value not in (None, False) else ""
            for name, value in ((field.html_name, field.value()) for field in page.context["form"])
        }
        rewards = {"reward_kind": ["points:points"], "reward_amount": ["30"], "reward_key": [""]}
        before = Task.objects.filter(pk=task.pk).values("counting", "needed", "measure", "window", "who", "rewards")[0]
        assert client.post(f"/tasks/{task.pk}/edit/", {**bound, **rewards}).status_code == 302, task
        after = Task.objects.filter(pk=task.pk).values("counting", "needed", "measure", "window", "who", "rewards")[0]
        assert after == before
    assert "after" in client.get("/tasks/map/", headers={"Accept-Language": "en"}).content.decode()


def test_a_members_page_shows_tasks_and_check_ins_and_why() -> None:
    now = clock.now()
    member = make_member(joined_at=LONG_AGO)
    checkin_calendars.create(
        key="daily", content=Content(name="每日签到", ladder=[[points(5)]], gift=[points(50)]), now=LONG_AGO
    )
    task = make_task(needed=2, window="day", times=0)
    make_task("next", after=[task])
    do(member, now, now=now)
    checkins.check_in(member_id=member.pk, now=now)
    client = client_as(Role.OPERATOR)
    shown = client.get(f"/members/{member.pk}/").content.decode()
    assert 'id="member-tasks"' in shown
    assert "1/2" in shown
    # What counted is said in words.
    page = client.get(f"/members/{member.pk}/tasks/{task.pk}/").content.decode()
    assert '<div class="list-main">page</div>' in page
    assert "event:" not in page
    assert client.get(f"/members/{member.pk}/tasks/{10**9}/").status_code == 404


def test_calendars_are_made_and_changed() -> None:
    client = client_as(Role.ADMIN)
    body = {
        "key": "daily", "name": "每日签到", "enabled": "on", "cycle_days": "3", "makeups_per_month": "2",
        "back_days": "7", "makeup_price": "10", "day1_kind": ["points:points"], "day1_amount": ["5"], "day1_key": [""],
        "gift_kind": ["points:makeup_cards"], "gift_amount": ["1"], "gift_key": [""],
    }  # fmt: skip
    assert client.get("/tasks/checkins/new/").status_code == 200
    assert client.post("/tasks/checkins/new/", body).status_code == 302
    calendar = CheckInCalendar.objects.get()
    assert (calendar.ladder, calendar.gift) == ([[points(5)], [], []], [points(1, "makeup_cards")])
    assert client.get(f"/tasks/checkins/{calendar.pk}/").status_code == 200
    assert client.post(f"/tasks/checkins/{calendar.pk}/", {**body, "version": "1", "name": "新"}).status_code == 302
    assert client.post(f"/tasks/checkins/{calendar.pk}/", {**body, "version": "1"}).status_code == 422
    wrong = {**body, "version": "2", "day1_amount": ["many"]}
    assert client.post(f"/tasks/checkins/{calendar.pk}/", wrong).status_code == 422
    assert "新" in client.get("/tasks/checkins/").content.decode()


def test_only_administrators_change_tasks() -> None:
    task = make_task(started=False)
    client = client_as(Role.OPERATOR)
    assert client.get("/tasks/").status_code == client.get(f"/tasks/{task.pk}/").status_code == 200
    assert client.get("/tasks/new/").status_code == client.post(f"/tasks/{task.pk}/start/").status_code == 403
    assert client.get("/tasks/checkins/new/").status_code == 403


def test_lists_take_no_more_statements_with_more_rows() -> None:
    client = client_as(Role.ADMIN)
    member = make_member(joined_at=LONG_AGO)

    def statements(path: str) -> int:
        client.get(path)
        with CaptureQueriesContext(connection) as captured:
            assert client.get(path).status_code == 200
        return len(captured)

    make_task("first", window="rolling", window_days=3)
    paths = ("/tasks/", "/tasks/map/", f"/members/{member.pk}/")
    before = {path: statements(path) for path in paths}
    for number in range(4):
        make_task(f"t{number}", after=[Task.objects.get(key="first")])
    do(member, clock.now() - timedelta(days=1), now=clock.now())
    assert {path: statements(path) for path in paths} == before


def test_what_counted_is_said_in_words() -> None:
    member = make_member()
    order = make_order(member, external_number="D-77")
    said = task_words.facts(member.pk, ["profile:name", f"order:{order.pk}", "checkin:2026-11-21", f"order:{uuid4()}"])
    assert said == {"profile:name": "姓名", f"order:{order.pk}": "订单 D-77", "checkin:2026-11-21": "签到"}
    assert task_words.facts(make_member().pk, [f"order:{order.pk}"]) == {}
