"""Every field of the batch endpoints against every bad value: a typed reason per item, and nothing else lost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from members.models import Event, Member, Order, OrderLine, Refund
from members.operations import summaries
from scrm.common import api_keys
from scrm.common.access import SYSTEM

pytestmark = pytest.mark.django_db
AT = "2026-11-20T10:00:00+08:00"
FUTURE = "2999-01-01T00:00:00Z"
LONG = "x" * 1000


@pytest.fixture
def secret() -> str:
    return api_keys.create(name="shop", scopes=["facts.write"], actor=SYSTEM)[1]


def post(what: str, body: Any, secret: str) -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Client().post(
        f"/api/v1/{what}/batch",
        data,
        content_type="application/json",
        headers={"Authorization": f"Api-Key {secret}"},
    )


def event(**values: Any) -> dict[str, Any]:
    return {"message_id": "m", "type": "t", "occurred_at": AT, "member": {"app_user": "u"}} | values


def order(**values: Any) -> dict[str, Any]:
    return {
        "number": "N", "state": "paid", "ordered_at": AT, "amount": "10.00", "member": {"app_user": "u"},
    } | values  # fmt: skip


def line(**values: Any) -> dict[str, Any]:
    return {"lines": [{"sku": "K", "quantity": 1, "unit_price": "1"} | values]}


def back(**values: Any) -> dict[str, Any]:
    return {"refunds": [{"number": "R", "amount": "1", "refunded_at": AT} | values]}


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


TEXT = [
    (1, "wrong_type"), (True, "wrong_type"), ([], "wrong_type"), ({}, "wrong_type"), (None, "missing"),
    ("", "missing"), (LONG, "too_long"), ("a\x00b", "forbidden_character"), ("a\x1fb", "forbidden_character"),
    ("a\ud800", "forbidden_character"),
]  # fmt: skip
OPTIONAL_TEXT = [case for case in TEXT if case[0] not in (None, "")]
INSTANT = [
    (1, "wrong_type"), (True, "wrong_type"), (None, "missing"), ("", "invalid"), ("yesterday", "invalid"),
    ("2026-11-20", "invalid"), ("2026-11-20T10:00:00", "invalid"), ("2026-13-40T10:00:00Z", "invalid"),
    (FUTURE, "in_future"), ("0001-01-01T00:00:00Z", "out_of_range"), ("0001-01-01T00:00:00+14:00", "out_of_range"),
    ("9999-12-31T23:59:59-14:00", "in_future"),
]  # fmt: skip
OPTIONAL_INSTANT = [case for case in INSTANT if case[0] is not None]
AMOUNT = [
    (True, "wrong_type"), ([], "wrong_type"), ({}, "wrong_type"), ("", "invalid"), ("ten", "invalid"),
    ("=1+1", "invalid"), ("NaN", "out_of_range"), ("Infinity", "out_of_range"), ("-Infinity", "out_of_range"),
    ("sNaN", "out_of_range"), ("-0.01", "out_of_range"), (-1, "out_of_range"), (10**30, "out_of_range"),
    ("1e30", "out_of_range"), ("1e999999999", "out_of_range"), ("1000000000.01", "out_of_range"),
]  # fmt: skip
MEMBER = [
    (1, "member", "wrong_type"), (None, "member", "missing"), ([], "member", "wrong_type"),
    ({}, "member", "no_identity"), ({"nick": "x"}, "member.nick", "unknown_field"),
    ({"member_id": "1"}, "member.member_id", "wrong_type"), ({"member_id": True}, "member.member_id", "wrong_type"),
    ({"member_id": 0}, "member.member_id", "out_of_range"), ({"member_id": 2**63}, "member.member_id", "out_of_range"),
    ({"member_id": 10**30}, "member.member_id", "out_of_range"), ({"member_id": 1.5}, "member.member_id", "wrong_type"),
    ({"member_id": 2**62}, "member.member_id", "unknown_member"),
    ({"phone": 13800000001}, "member.phone", "wrong_type"), ({"phone": "12"}, "member.phone", "invalid"),
    ({"phone": "call me"}, "member.phone", "invalid"), ({"phone": " "}, "member.phone", "missing"),
    ({"phone": "1" * 100}, "member.phone", "too_long"), ({"phone": "=1380000"}, "member.phone", "invalid"),
    ({"email": "no at"}, "member.email", "invalid"), ({"email": "a@b"}, "member.email", "invalid"),
    ({"email": "a@" + "b" * 64 + ".com"}, "member.email", "invalid"), 
    ({"email": "a\x00@b.cn"}, "member.email", "forbidden_character"),
    ({"openid": "x"}, "member.openid", "invalid"), ({"app_user": LONG}, "member.app_user", "too_long"),
    ({"app_user": "\ud83d"}, "member.app_user", "forbidden_character"),
    ({"identities": [1]}, "member.identities[0]", "wrong_type"),
    ({"identities": [{"kind": "fax", "value": "1"}]}, "member.identities[0].kind", "invalid"),
    ({"identities": [{"kind": "phone"}]}, "member.identities[0].value", "missing"),
    ({"identities": [{"kind": "phone", "value": "x"}]}, "member.identities[0].value", "invalid"),
    ({"identities": [{"kind": "app_user", "value": "u"}] * 21}, "member.identities", "too_long"),
]  # fmt: skip
SOURCE = [
    *[case for case in TEXT if case[0] not in (None, "", "a\x00b", "a\x1fb")],
    ("a b", "invalid"), ("=a", "invalid"), ("a\x00", "invalid"), ("scrm.tags", "invalid"),
]  # fmt: skip


def each(name: str, cases: list[tuple[Any, str]]) -> list[tuple[dict[str, Any], str, str]]:
    return [({name: value}, name, code) for value, code in cases]


def members() -> list[tuple[dict[str, Any], str, str]]:
    return [({"member": value}, field, code) for value, field, code in MEMBER]


EVENTS: list[tuple[dict[str, Any], str, str]] = [
    *each("message_id", TEXT),
    *each("type", TEXT),
    *each("occurred_at", INSTANT),
    *each("amount", AMOUNT),
    *each("source", SOURCE),
    *members(),
    ({"colour": 1}, "colour", "unknown_field"),
    ({"properties": []}, "properties", "wrong_type"),
    ({"properties": {"a": "\x00"}}, "properties.a", "forbidden_character"),
    ({"properties": {"a": {"b": ["x", "\x00"]}}}, "properties.a.b[1]", "forbidden_character"),
    ({"properties": {"\x00": 1}}, "properties", "forbidden_character"),
    ({"properties": {"a": "\ud800"}}, "properties.a", "forbidden_character"),
    ({"properties": {"\ud800": 1}}, "properties", "forbidden_character"),
    ({"properties": {"a": 10**30}}, "properties.a", "out_of_range"),
    ({"properties": deep(9)}, "properties.a.a.a.a.a.a.a.a.a", "out_of_range"),
    ({"properties": {"a": "x" * 32_769}}, "properties", "too_long"),
    ({"properties": {str(n): n for n in range(501)}}, "properties", "too_long"),
]
ORDERS: list[tuple[dict[str, Any], str, str]] = [
    *each("number", TEXT),
    *each("source", SOURCE),
    *each("ordered_at", INSTANT),
    *each("paid_at", OPTIONAL_INSTANT),
    *each("version_at", OPTIONAL_INSTANT),
    *each("amount", AMOUNT),
    *each("discount", AMOUNT),
    *each("channel", OPTIONAL_TEXT),
    *members(),
    *[({"state": value}, "state", code) for value, code in ((1, "wrong_type"), (None, "missing"), ("lost", "invalid"))],
    ({"amount": None}, "amount", "missing"),
    ({"store": "nowhere"}, "store", "unknown_store"),
    ({"store": 1}, "store", "wrong_type"),
    ({"currency": "yuan"}, "currency", "invalid"),
    ({"currency": "USD"}, "currency", "invalid"),
    ({"lines": {}}, "lines", "wrong_type"),
    ({"lines": [1]}, "lines[0]", "wrong_type"),
    *[(line(sku=value), "lines[0].sku", code) for value, code in TEXT],
    *[(line(name=value), "lines[0].name", code) for value, code in OPTIONAL_TEXT],
    (line(quantity="1"), "lines[0].quantity", "wrong_type"),
    (line(quantity=True), "lines[0].quantity", "wrong_type"),
    (line(quantity=1.5), "lines[0].quantity", "wrong_type"),
    (line(quantity=0), "lines[0].quantity", "non_positive"),
    (line(quantity=-1), "lines[0].quantity", "non_positive"),
    (line(quantity=1_000_001), "lines[0].quantity", "out_of_range"),
    (line(quantity=10**30), "lines[0].quantity", "out_of_range"),
    (line(unit_price="-1"), "lines[0].unit_price", "non_positive"),
    (line(unit_price="NaN"), "lines[0].unit_price", "out_of_range"),
    (line(unit_price="1e10"), "lines[0].unit_price", "out_of_range"),
    (line(quantity=1_000_000, unit_price="1e9"), "lines[0]", "out_of_range"),
    (line(colour=1), "lines[0].colour", "unknown_field"),
    *[(back(number=value), "refunds[0].number", code) for value, code in TEXT],
    *[(back(refunded_at=value), "refunds[0].refunded_at", code) for value, code in INSTANT],
    *[(back(amount=value), "refunds[0].amount", code) for value, code in AMOUNT],
    (back(amount="0"), "refunds[0].amount", "non_positive"),
    (back(amount="10.01"), "refunds", "out_of_range"),
    (back(reason=LONG), "refunds[0].reason", "too_long"),
    (back(reason="\x00"), "refunds[0].reason", "forbidden_character"),
]


def check(what: str, good: dict[str, Any], last: dict[str, Any], cases: list[Any], secret: str) -> None:
    """All bad items between two good ones, in one batch."""
    body = [good, *(good | bad for bad, _, _ in cases), last]
    response = post(what, body, secret)
    assert response.status_code == 200
    results = response.json()["results"]
    assert [results[0]["status"], results[-1]["status"]] == ["accepted", "accepted"]
    found = [(one.get("field", ""), one.get("code", one["status"])) for one in results[1:-1]]
    wrong = [
        (str(bad)[:80], got, (field, code))
        for (bad, field, code), got in zip(cases, found, strict=True)
        if got != (field, code)
    ]
    assert wrong == []
    assert all(one["message"] for one in results[1:-1])


def test_every_bad_event_value_has_its_reason(secret: str) -> None:
    check("events", event(), event(message_id="last"), EVENTS, secret)
    assert (Event.objects.count(), Member.objects.count(), summaries.rebuild()) == (2, 1, 0)


def test_every_bad_order_value_has_its_reason(secret: str) -> None:
    check("orders", order(), order(number="last"), ORDERS, secret)
    assert (Order.objects.count(), OrderLine.objects.count(), Refund.objects.count()) == (2, 0, 0)
    assert (Member.objects.count(), summaries.rebuild()) == (1, 0)


@pytest.mark.parametrize("bad", [1, "x", None, [], True, 1.5])
@pytest.mark.parametrize("what", ["events", "orders", "refunds", "members"])
def test_an_item_that_is_no_object(what: str, bad: Any, secret: str) -> None:
    result = post(what, [bad], secret).json()["results"][0]
    assert (result["status"], result["code"]) in {("rejected", "not_an_object"), ("rejected", "missing")}


@pytest.mark.parametrize("name", ["message_id", "type", "occurred_at", "member"])
def test_an_event_without_a_field_it_needs(name: str, secret: str) -> None:
    item = event()
    del item[name]
    assert post("events", [item], secret).json()["results"][0] | {"message": ""} == {
        "status": "rejected", "code": "missing", "field": name, "message": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "not_json"),
        (b"{", 400, "not_json"),
        (b"[", 400, "not_json"),
        (b"[1,]", 400, "not_json"),
        (b"[{}}", 400, "not_json"),
        (b"[{}] x", 400, "not_json"),
        (b"[NaN]", 400, "not_json"),
        (b"\xff\xfe[\x00]\x00", 400, "not_json"),
        (b"{}", 400, "not_a_list"),
        (b"null", 400, "not_a_list"),
        (b'"[]"', 400, "not_a_list"),
        (b"[" * 100_000, 400, "not_json"),
        (b"[" + b",".join([b"{}"] * 1001) + b"]", 413, "too_large"),
        (b"[" + b" " * (10 * 1024 * 1024) + b"]", 413, "too_large"),
        (b" " * (13 * 1024 * 1024), 413, "too_large"),
    ],
    ids=range(15),
)
def test_a_body_that_is_no_batch(body: bytes, status: int, code: str, secret: str) -> None:
    response = post("events", body, secret)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response["Content-Type"] == "application/problem+json"


def test_bytes_that_are_not_utf8_and_bottomless_nesting_are_one_items_fault(secret: str) -> None:
    good = json.dumps(event()).encode()
    bad = good.replace(b'"t"', b'"\xc3\x28"')
    pit = good[:-1] + b', "properties": {"a": ' + b"[" * 50_000 + b"]" * 50_000 + b"}}"
    results = post("events", b"[" + b",".join([bad, good, pit]) + b"]", secret).json()["results"]
    assert [one.get("code", one["status"]) for one in results] == ["bad_encoding", "accepted", "out_of_range"]


def test_a_thousand_items_are_taken(secret: str) -> None:
    answer = post("events", [event(message_id=str(n)) for n in range(1000)], secret).json()
    assert (answer["accepted"], answer["rejected"]) == (1000, 0)
