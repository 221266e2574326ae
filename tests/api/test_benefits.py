"""Benefits over the API: the catalogue, claims and uses, codes, settlement; who may and who sees whom."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from members.models import MemberBenefit
from scrm.common import api_keys, clock
from scrm.common.access import SYSTEM, DataScope, Permission, Role
from tests.factories import client_as, make_member, make_staff, make_store
from tests.members.giving import make_benefit

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop() -> Client:
    """A system whose key may do everything with benefits."""
    key, secret = api_keys.create(
        name="till",
        scopes=[Permission.LOYALTY_VIEW, Permission.LOYALTY_MANAGE, Permission.BENEFITS_REDEEM],
        actor=SYSTEM,
    )
    return Client(headers={"Authorization": f"Api-Key {secret}"})


def post(client: Client, path: str, body: Any = None, **headers: str) -> Any:
    return client.post(f"/api/v1/{path}", json.dumps(body or {}), content_type="application/json", headers=headers)


def put(client: Client, path: str, body: Any) -> Any:
    return client.put(f"/api/v1/{path}", json.dumps(body), content_type="application/json")


def test_a_benefit_is_made_put_into_use_claimed_and_redeemed(shop: Client) -> None:
    store = make_store("S1")
    member = make_member()
    made = post(shop, "benefits", {
        "key": "parking", "kind": "service", "name": "停车 2 小时", "cost": 800, "claim_days": 7,
        "parameters": {"what": "地下停车场"}, "store_ids": [store.pk], "rules": [{"quota": 2, "period": "month"}],
        "condition": {"all": [{"field": "order.count", "op": "ge", "value": 0}]},
    })  # fmt: skip
    assert made.status_code == 201, made.content
    benefit = made.json()
    assert (benefit["state"], benefit["rules"]) == ("draft", [{"tier": "", "quota": 2, "period": "month"}])
    assert post(shop, f"benefits/{benefit['id']}/activate").json()["state"] == "active"
    [offered] = shop.get(f"/api/v1/members/{member.pk}/benefits").json()["items"]
    assert (offered["key"], offered["holds"], offered["left"]) == ("parking", True, 2)

    path = f"members/{member.pk}/benefits/parking/claim"
    claimed, again = post(shop, path, {"reference": "app-1"}), post(shop, path, {"reference": "app-1"})
    assert (claimed.status_code, again.status_code, again.json()["duplicate"]) == (201, 200, True)
    claim = claimed.json()["claim"]
    assert (claim["benefit"], claim["state"], claim["cost"], len(claim["code"])) == ("parking", "claimed", 800, 16)

    assert post(shop, "benefit-codes/verify", {"code": claim["code"]}).json()["id"] == claim["id"]
    asked = {"code": claim["code"].lower(), "reference": "till-7", "store": "S1"}
    used = post(shop, "benefit-codes/redeem", asked)
    assert (used.status_code, used.json()["claim"]["state"], used.json()["claim"]["store"]) == (200, "redeemed", "S1")
    assert post(shop, "benefit-codes/redeem", asked).json()["duplicate"]
    refused = post(shop, "benefit-codes/redeem", asked | {"reference": "till-8"})
    assert (refused.status_code, refused.json()["code"]) == (409, "already_redeemed")

    returned = post(shop, f"members/{member.pk}/claims/{claim['id']}/return", {"reason": "退单"}).json()
    assert (returned["state"], returned["closed_reason"]) == ("returned", "退单")
    [listed] = shop.get(f"/api/v1/members/{member.pk}/claims").json()["items"]
    assert listed["id"] == claim["id"]


def test_what_is_used_as_it_stands_given_and_voided(shop: Client) -> None:
    make_benefit("discount", "discount", parameters={"percent_off": 12}, claimed_first=False, quota=None)
    make_benefit()
    member = make_member()
    used = post(shop, f"members/{member.pk}/benefits/discount/use", {"reference": "order-1"})
    assert (used.status_code, used.json()["claim"]["state"]) == (201, "redeemed")
    given = post(shop, f"members/{member.pk}/benefits/parking/issue", {"reference": "sorry", "reason": "补偿"})
    claim = given.json()["claim"]
    assert (given.status_code, claim["source"], claim["reason"]) == (201, "issue", "补偿")
    assert post(shop, f"members/{member.pk}/claims/{claim['id']}/void").json()["state"] == "voided"


def test_refusals_are_problems_with_a_code(shop: Client) -> None:
    make_benefit(quota=1)
    member = make_member()
    path = f"members/{member.pk}/benefits/parking/claim"
    post(shop, path, {"reference": "a"})
    refused = post(shop, path, {"reference": "b"})
    assert (refused.status_code, refused.json()["code"], refused.json()["quota"]) == (409, "quota_reached", 1)
    for body, status, code in (
        ({}, 422, "invalid"),
        ({"reference": "\x00"}, 422, "invalid"),
        ({"reference": "x" * 121}, 422, "invalid"),
        ({"reference": "a\nb"}, 422, "bad_reference"),
    ):
        answer = post(shop, path, body)
        assert (answer.status_code, answer.json()["code"]) == (status, code), body
    assert post(shop, "members/9999999/benefits/parking/claim", {"reference": "a"}).status_code == 404
    assert post(shop, f"members/{member.pk}/benefits/nothing/claim", {"reference": "c"}).status_code == 404
    assert post(shop, "benefit-codes/verify", {"code": "ABC"}).json()["code"] == "mistyped_code"


def test_an_idempotency_key_claims_once(shop: Client) -> None:
    make_benefit(quota=5)
    path = f"members/{make_member().pk}/benefits/parking/claim"
    first = post(shop, path, {"reference": "a"}, **{"Idempotency-Key": "k1"})
    again = post(shop, path, {"reference": "a"}, **{"Idempotency-Key": "k1"})
    assert (first.content, again.status_code, again["Idempotent-Replayed"]) == (again.content, 201, "true")


def test_the_condition_is_refused_at_its_pointer(shop: Client) -> None:
    body = {"key": "x", "kind": "other", "name": "x", "condition": {"all": [{"field": "nothing", "op": "eq"}]}}
    answer = post(shop, "benefits", body)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "condition/all/0")


def test_a_newer_version_is_not_overwritten(shop: Client) -> None:
    benefit = make_benefit()
    body = {"name": "停车", "rules": [{}], "version": benefit.version}
    assert put(shop, f"benefits/{benefit.pk}", body).json()["name"] == "停车"
    assert put(shop, f"benefits/{benefit.pk}", body).json()["code"] == "changed"


def test_codes_are_delivered_and_a_partner_is_settled(shop: Client) -> None:
    partner = post(shop, "partners", {"name": "咖啡馆", "terms": "月结"}).json()
    benefit = make_benefit("coffee", "partner_code", quota=1, cost=1_500, partner_id=partner["id"])
    codes = [{"code": "LATTE-01"}, {"code": "LATTE-01"}, {"code": "=HYPERLINK()"}, {"code": ""}]
    answer = post(shop, f"benefits/{benefit.pk}/codes", {"batch": "november", "codes": codes})
    assert [(one["status"], one["code"]) for one in answer.json()["items"]] == [
        ("accepted", ""), ("rejected", "code_twice"), ("rejected", "formula"), ("rejected", "missing"),
    ]  # fmt: skip
    post(shop, f"members/{make_member().pk}/benefits/coffee/claim", {"reference": "a"})
    assert shop.get(f"/api/v1/benefits/{benefit.pk}/codes").json() == {
        "free": 0, "given": 1, "withdrawn": 0, "lapsed": 0,
    }  # fmt: skip
    today = clock.shop_date(clock.now())
    owed = shop.get(f"/api/v1/partners/{partner['id']}/settlement?from={today}&to={today}").json()
    assert (owed["owed"], owed["items"][0]["counted"]) == (1_500, 1)
    for query in ("", "?from=2026-01-01&to=x", "?from=2026-02-01&to=2026-01-01", "?from=1026-02-01&to=2026-01-01"):
        assert shop.get(f"/api/v1/partners/{partner['id']}/settlement{query}").status_code == 422


def test_staff_of_a_store_neither_see_nor_redeem_for_others() -> None:
    mine, other = make_store("S1"), make_store("S2")
    make_benefit()
    staff = client_as(Role.STORE_STAFF, scope=DataScope.STORE, staff=make_staff(store=mine))
    here, there = make_member(store=mine), make_member(store=other)
    boss = client_as(Role.ADMIN)
    for member in (here, there):
        assert post(boss, f"members/{member.pk}/benefits/parking/claim", {"reference": "a"}).status_code == 201
    codes = dict(MemberBenefit.objects.values_list("member_id", "code"))
    assert post(staff, "benefit-codes/verify", {"code": codes[there.pk]}).json()["code"] == "unknown_code"
    assert staff.get(f"/api/v1/members/{there.pk}/benefits").status_code == 404
    assert post(staff, f"members/{there.pk}/benefits/parking/claim", {"reference": "b"}).status_code == 404
    used = post(staff, "benefit-codes/redeem", {"code": codes[here.pk], "reference": "t1"})
    assert (used.status_code, used.json()["claim"]["store"]) == (200, "S1")


def test_who_may_not_configure_is_refused() -> None:
    operator, auditor = client_as(Role.OPERATOR), client_as(Role.AUDITOR)
    body = {"key": "x", "kind": "other", "name": "x"}
    assert post(operator, "benefits", body).status_code == 403
    assert post(auditor, f"members/{make_member().pk}/benefits/x/claim", {"reference": "a"}).status_code == 403
    assert auditor.get("/api/v1/benefits").json() == {"items": [], "next_cursor": None}
    assert Client().get("/api/v1/benefits").status_code == 401
