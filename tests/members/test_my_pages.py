"""A member's own pages: who may open them, what they show, and what pressing a button does."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from members.models import CheckIn, Member, MemberBenefit
from members.operations import checkin_calendars, member_links, points
from members.rules import member_links as rules
from members.rules.member_links import Link
from scrm.common import api_keys, clock
from scrm.common.access import SYSTEM, Role
from scrm.common.models import AuditEntry
from tests.factories import NOW, client_as, make_member

pytestmark = pytest.mark.django_db
KEY = b"k" * 32


def address(member: Member, path: str = "", *, days: int = 30) -> str:
    token, _ends = member_links.issue(member_id=member.pk, days=days, now=clock.now())
    return f"/my/{token}/{path}"


@given(st.integers(0, 2**63 - 1), st.datetimes(max_value=NOW.replace(tzinfo=None)))
def test_a_token_says_what_was_signed_and_nothing_else_is_one(member_id: int, at: object) -> None:
    link = Link(member_id, NOW)
    token = rules.sign(KEY, link)
    assert rules.read(KEY, token) == link
    assert len(token) == 36
    assert rules.read(b"x" * 32, token) is None
    for place in range(len(token)):
        other = "A" if token[place] != "A" else "B"
        assert rules.read(KEY, token[:place] + other + token[place + 1 :]) is None
    assert rules.read(KEY, token[:-4]) is None
    assert rules.read(KEY, "é" + token[1:]) is None


def test_the_card_opens_by_its_link_and_keeps_no_trace_elsewhere(client: Client) -> None:
    member = make_member(name="林晓")
    points.earn(member_id=member.pk, amount=1_234, reference="e", now=NOW)
    response = client.get(address(member))
    assert response.status_code == 200
    assert "1,234" in response.content.decode()
    assert "林晓" in response.content.decode()
    assert response["Referrer-Policy"] == "same-origin"
    assert "no-store" in response["Cache-Control"]


def test_a_forged_link_and_one_that_ended_show_nothing(client: Client) -> None:
    member = make_member(name="林晓")
    good = address(member)
    assert client.get(good[:-2] + ("AA" if good[-3] != "A" else "BB") + "/").status_code == 404
    ended = rules.sign(member_links.member_links.key(), Link(member.pk, clock.now() - timedelta(seconds=1)))
    response = client.get(f"/my/{ended}/")
    assert response.status_code == 410
    assert "林晓" not in response.content.decode()


def test_a_merged_members_link_leads_to_the_survivor_and_an_erased_ones_nowhere(client: Client) -> None:
    survivor, gone = make_member(name="留下"), make_member(name="并入")
    merged, erased = address(gone), address(survivor)
    Member.objects.filter(pk=gone.pk).update(status="merged", merged_into=survivor)
    assert "留下" in client.get(merged).content.decode()
    Member.objects.filter(pk=survivor.pk).update(status="erased")
    assert client.get(erased).status_code == 404


def test_points_are_shown_with_how_they_came_about(client: Client) -> None:
    member = make_member()
    points.earn(
        member_id=member.pk, amount=120, reference="o1", now=NOW,
        detail={"lines": [{"rule": "消费积分", "version": 3, "base": 6000, "rate": "2/1.00",
                           "times": ["双倍积分日 ×2"], "points": 120}]},
    )  # fmt: skip
    points.spend(member_id=member.pk, amount=20, reference="s1", reason="兑换", now=NOW)
    page = client.get(address(member, "points/")).content.decode()
    assert "双倍积分日 ×2 · 消费积分<" in page
    assert "+120" in page
    assert "-20" in page
    assert "兑换" in page


def test_checking_in_twice_checks_in_once(client: Client) -> None:
    member = make_member()
    checkin_calendars.create(key="daily", content=checkin_calendars.Content(name="每日签到"), now=NOW)
    for _ in range(2):
        assert client.post(address(member, "check-in/")).status_code == 302
    assert CheckIn.objects.filter(member=member).count() == 1
    assert client.get(address(member, "check-in/")).status_code == 405


def test_a_missed_day_is_made_up_for_points_where_they_have_a_price(client: Client) -> None:
    member, today = make_member(), clock.shop_date(clock.now())
    content = checkin_calendars.Content(name="每日签到", makeups_per_month=1, makeup_price=30)
    checkin_calendars.create(key="daily", content=content, now=NOW)
    missed = [today - timedelta(days=1)] if today.day > 1 else []
    page = client.get(address(member, "tasks/")).content.decode()
    assert page.count('<li class="weekday"') == 7
    for day in missed:
        button = f'name="day" value="{day.isoformat()}"'
        assert button in page
        pressed = {"pay": "points", "day": day.isoformat()}
        refused = client.post(address(member, "check-in/make-up/"), pressed, follow=True).content.decode()
        assert "my-note--bad" in refused
        points.earn(member_id=member.pk, amount=50, reference="e", now=NOW)
        done = client.post(address(member, "check-in/make-up/"), pressed, follow=True).content.decode()
        assert button not in done
        assert CheckIn.objects.get(member=member).day == day


def test_what_cannot_be_done_is_said_on_the_page(client: Client) -> None:
    member = make_member()
    response = client.post(address(member, "benefits/claim/"), {"benefit": "nothing", "press": "1"}, follow=True)
    assert response.status_code == 200
    assert 'class="my-note my-note--bad"' in response.content.decode()
    assert not MemberBenefit.objects.exists()


def test_another_members_claim_is_not_shown(client: Client) -> None:
    assert client.get(address(make_member(), f"benefits/{uuid4()}/")).status_code == 404


def test_links_are_made_by_api_and_audited(client: Client) -> None:
    member = make_member()
    _key, secret = api_keys.create(name="till", scopes=["members.view", "members.edit"], actor=SYSTEM)
    response = client.post(
        f"/api/v1/members/{member.pk}/link",
        data=json.dumps({"days": 7}),
        content_type="application/json",
        headers={"Authorization": f"Api-Key {secret}"},
    )
    assert response.status_code == 201
    path = "/" + response.json()["url"].split("/", 3)[3]
    assert client.get(path).status_code == 200
    entry = AuditEntry.objects.get(action="link")
    assert entry.object_id == str(member.pk)


def test_staff_make_a_link_on_the_members_page_and_auditors_do_not() -> None:
    member, staff = make_member(), client_as(Role.OPERATOR)
    assert f"/members/{member.pk}/link/" in staff.get(f"/members/{member.pk}/").content.decode()
    response = staff.post(f"/members/{member.pk}/link/", {"days": "7"})
    path = re.search(r"/my/[\w-]+/", response.content.decode())
    assert path is not None
    assert "no-store" in response["Cache-Control"]
    assert Client().get(path[0]).status_code == 200
    assert AuditEntry.objects.filter(action="link", object_id=str(member.pk)).count() == 1
    assert "notice-error" in staff.post(f"/members/{member.pk}/link/", {"days": "366"}).content.decode()
    auditor = client_as(Role.AUDITOR)
    assert f"/members/{member.pk}/link/" not in auditor.get(f"/members/{member.pk}/").content.decode()
    assert auditor.post(f"/members/{member.pk}/link/", {"days": "7"}).status_code == 403


@pytest.mark.parametrize("days", [0, 366, "x", None])
def test_a_link_lasts_one_to_365_days(days: object) -> None:
    member = make_member()
    response = client_as(Role.OPERATOR).post(
        f"/api/v1/members/{member.pk}/link", data=json.dumps({"days": days}), content_type="application/json"
    )
    assert response.status_code == 422
    assert not AuditEntry.objects.filter(action="link").exists()
