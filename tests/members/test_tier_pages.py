"""The pages and the API of tiers and paid memberships: who may, what they show, and that both do the same."""

from __future__ import annotations

from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from members.models import Member, Membership, MemberTier, TierScheme
from members.operations import currencies, tiers
from scrm.common.access import Role
from tests.factories import NOW, client_as, make_member
from tests.members.test_tiers import grow, ladder, tier_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def at_noon() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def member() -> Member:
    currencies.get("growth")
    return make_member(name="王小明")


def rows(*steps: tuple[str, str, str, str]) -> dict[str, list[str]]:
    """What the editor sends: (tier id, key, name, threshold)."""
    return {
        "step_tier_id": [step[0] for step in steps], "step_key": [step[1] for step in steps],
        "step_name": [step[2] for step in steps], "step_threshold": [step[3] for step in steps],
        **{f"step_{name}": [""] * len(steps) for name in ("retention", "description", "points", "coupon", "benefit")},
        "step_colour": ["grey"] * len(steps), "step_others": ["[]"] * len(steps),
    }  # fmt: skip


SETTINGS = {
    "version": "0", "basis": "growth", "window": "rolling", "window_months": "12", "period": "year", "start": "at_once",
    "validity": "months", "validity_months": "12", "extension_days": "0", "downgrade": "earned", "grace_days": "0",
    "notice_days": "30", "on_refund": "keep",
}  # fmt: skip
LADDER = rows(("", "basic", "普通", "0"), ("", "silver", "银卡", "1,000"), ("", "gold", "金卡", "5000"))


def test_a_ladder_is_set_up_and_previewed(member: Member) -> None:
    grow(member, 1_200)
    client = client_as(Role.ADMIN)
    empty = client.get("/tiers/")
    assert "还没有会员等级" in empty.content.decode()
    preview = client.post("/tiers/preview/", SETTINGS | LADDER)
    assert 'data-moved="1"' in preview.content.decode()
    assert not TierScheme.objects.exists()
    gold_only = {"step_points": ["", "", "200"]}
    saved = client.post("/tiers/edit/", SETTINGS | LADDER | gold_only)
    assert (saved.status_code, TierScheme.objects.get().rungs.count()) == (302, 3)
    tiers.evaluate_everyone(now=NOW)
    page = client.get("/tiers/").content.decode()
    assert "等级按最近 12 个月的成长值评定。" in page
    assert tier_of(member) == "silver"
    shown = client.get(f"/members/{member.pk}/").content.decode()
    assert "再获得 3,800 成长值升级金卡。" in shown
    listed = client.get("/members/", {"tier": str(MemberTier.objects.get().tier_id)}).content.decode()
    assert "王小明" in listed
    basic = client.get("/members/", {"tier": str(TierScheme.objects.get().rungs.get(level=1).tier_id)})
    assert "王小明" not in basic.content.decode()


def test_what_is_no_ladder_is_said_at_its_level() -> None:
    client = client_as(Role.ADMIN)
    wrong = SETTINGS | rows(("", "basic", "普通", "0"), ("", "silver", "银卡", "0"))
    answer = client.post("/tiers/edit/", wrong)
    assert answer.status_code == 422
    assert "第 2 级：升级门槛必须高于下一级。" in answer.content.decode()
    assert (
        "请填写整数。"
        in client.post(
            "/tiers/preview/", SETTINGS | rows(("", "basic", "普通", "0"), ("", "silver", "银卡", "many"))
        ).content.decode()
    )


def test_rows_are_added_moved_and_removed_without_saving() -> None:
    client = client_as(Role.ADMIN)
    added = client.post("/tiers/rows/", SETTINGS | LADDER | {"act": "add"}).content.decode()
    assert added.count('name="step_name"') == 4
    removed = client.post("/tiers/rows/", SETTINGS | LADDER | {"act": "remove:1"}).content.decode()
    assert "银卡" not in removed
    moved = client.post("/tiers/rows/", SETTINGS | LADDER | {"act": "up:2"}).content.decode()
    assert moved.index("金卡") < moved.index("银卡")
    # What reaches a level stays with the level.
    assert moved.index('value="1,000"') < moved.index('value="5000"')


def test_a_tier_is_set_by_hand_on_the_page(member: Member) -> None:
    ids = ladder()
    client = client_as(Role.OPERATOR)
    address = reverse("member_tier_set", args=[member.pk])
    bad = client.post(address, {"tier": ids["gold"], "until": "2026-11-20", "reason": "补偿"})
    assert bad.status_code == 422
    client.post(address, {"tier": ids["gold"], "until": "2026-12-31", "reason": "补偿"})
    assert tier_of(member) == "gold"
    page = client.get(reverse("member_tier", args=[member.pk]), {"at": "2026-11-20"}).content.decode()
    assert "补偿" in page
    client.post(address, {"end": "1"})
    assert tier_of(member) == "basic"
    auditor = client_as(Role.AUDITOR)
    assert auditor.post(address, {"end": "1"}).status_code == 403
    assert auditor.get(reverse("member_tier", args=[member.pk])).status_code == 200


def test_staff_books_and_refunds_a_membership(member: Member) -> None:
    ids = ladder()
    admin = client_as(Role.ADMIN)
    plan = {
        "key": "plus", "name": "PLUS", "price": "99", "term_months": "0", "term_days": "30", "trial_days": "0",
        "notice_days": "7", "tier_id": str(ids["gold"]), "colour": "violet", "active": "on", "description": "",
    }  # fmt: skip
    assert admin.post("/memberships/new/", plan).status_code == 302
    assert admin.get("/memberships/").content.decode().count("¥99.00") == 1
    client = client_as(Role.OPERATOR)
    address = reverse("member_membership", args=[member.pk])
    client.post(address, {"plan": "plus", "reference": "小票1", "price": ""})
    assert (Membership.objects.get().price, tier_of(member)) == (9_900, "gold")
    client.post(address, {"renewal": "on", "reference": "小票1"})
    assert Membership.objects.get().auto_renew
    client.post(address, {"refund": "1", "reference": "小票1"})
    assert (Membership.objects.get().refunded, tier_of(member)) == (9_900, "basic")


def api(client: Client, method: str, path: str, body: Any = None) -> Any:
    return getattr(client, method)(f"/api/v1/{path}", body, content_type="application/json")


def test_the_api_reads_and_makes_versions(member: Member) -> None:
    client = client_as(Role.ADMIN)
    assert api(client, "get", "tiers").json()["code"] == "no_ladder"
    body = {
        "version": 0, "basis": "spend", "window": "calendar", "validity": "next_period_end",
        "steps": [
            {"key": "basic", "name": "普通", "threshold": 0},
            {"key": "silver", "name": "银卡", "threshold": 100_000, "retention": 80_000},
        ],
    }  # fmt: skip
    made = api(client, "put", "tiers", body)
    assert (made.status_code, made.json()["version"]) == (200, 1)
    assert api(client, "put", "tiers", body).json()["code"] == "stale_version"
    read = api(client, "get", "tiers").json()
    assert [step["retention"] for step in read["steps"]] == [0, 80_000]
    again = body | {
        "version": 1,
        "steps": [
            {"tier_id": step["tier"]["id"], "name": "x", "threshold": step["threshold"]} for step in read["steps"]
        ],
    }
    assert api(client, "post", "tiers/preview", again).json()["moves"] == [{"before": 1, "after": 1, "members": 1}]
    assert api(client, "put", "tiers", again).json()["version"] == 2
    assert len(api(client, "get", "tiers/versions").json()["items"]) == 2
    wrong = again | {"version": 2, "steps": [{"key": "a", "name": "a", "threshold": 1}]}
    assert api(client, "put", "tiers", wrong).json()["code"] == "lowest_is_free"
    operator = client_as(Role.OPERATOR)
    assert api(operator, "put", "tiers", again).status_code == 403


def test_the_api_of_a_member(member: Member) -> None:
    ids = ladder()
    grow(member, 1_200)
    client = client_as(Role.ADMIN)
    stand = api(client, "get", f"members/{member.pk}/tier").json()
    assert (stand["tier"]["key"], stand["value"], stand["next"]["amount"]) == ("silver", 1_200, 3_800)
    given = {"tier_id": ids["gold"], "until": "2027-01-01T00:00:00+08:00", "reason": "补偿"}
    assert api(client, "put", f"members/{member.pk}/tier", given).json()["source"] == "hand"
    assert len(api(client, "get", f"members/{member.pk}/tier/history").json()["items"]) == 2
    replayed = api(client, "get", f"members/{member.pk}/tier/replay?at=2026-11-21T11:00:00%2B08:00").json()
    assert replayed["tier"]["key"] == "basic"
    assert api(client, "get", f"members/{member.pk}/tier/replay?at=soon").json()["code"] == "bad_instant"
    assert api(client, "get", f"members/{member.pk}/tier/replay?at=2030-01-01").json()["code"] == "in_future"
    assert api(client, "delete", f"members/{member.pk}/tier").status_code == 204
    assert tier_of(member) == "silver"
    assert api(client, "get", "members/999999/tier").status_code == 404


def test_the_api_of_memberships(member: Member) -> None:
    ladder()
    client = client_as(Role.ADMIN)
    plan = {"key": "plus", "name": "PLUS", "price": 9_900, "term_days": 30}
    assert api(client, "post", "membership-plans", plan).status_code == 201
    assert api(client, "post", "membership-plans", plan).json()["code"] == "taken"
    assert api(client, "put", "membership-plans/plus", plan | {"price": 8_800}).json()["price"] == 8_800
    assert api(client, "get", "membership-plans/nothing").status_code == 404
    address = f"members/{member.pk}/memberships"
    bought = api(client, "post", address, {"plan": "plus", "reference": "T1"})
    assert (bought.status_code, bought.json()["price"]) == (201, 8_800)
    assert api(client, "post", address, {"plan": "plus", "reference": "T1"}).status_code == 200
    assert api(client, "post", f"{address}/auto-renew", {"reference": "T1", "auto_renew": True}).json()["auto_renew"]
    back = api(client, "post", f"{address}/refund", {"reference": "T1", "refund_reference": "R1"}).json()
    assert (back["refunded"], back["state"]) == (8_800, "refunded")
    assert [row["reference"] for row in api(client, "get", address).json()["items"]] == ["T1"]
