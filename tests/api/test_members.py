"""The member routes of the API: who is found, page by page, what a change may be, and how failures look."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from members.models import Member, OrderLine, Product, Refund
from members.operations import timeline
from scrm.common import api_keys
from scrm.common.access import SYSTEM, DataScope, Role
from scrm.common.models import AuditEntry
from tests.factories import NOW, client_as, make_member, make_order, make_region, make_staff, make_store

pytestmark = pytest.mark.django_db
MEMBERS = "/api/v1/members"


def key_client(*scopes: str) -> Client:
    _, secret = api_keys.create(name="shop", scopes=list(scopes) or ["members.view"], actor=SYSTEM)
    return Client(headers={"Authorization": f"Api-Key {secret}"})


def problem(answer: Any) -> tuple[int, str, list[str]]:
    """Status, code and the fields named, of an answer that has to be a problem document."""
    assert answer["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == answer.status_code
    return answer.status_code, body["code"], [one["field"] for one in body.get("errors", [])]


def pages(client: Client, address: str, *, size: int) -> list[list[dict[str, Any]]]:
    """Every page of a list, from the first cursor to the last."""
    found: list[list[dict[str, Any]]] = []
    cursor: str | None = ""
    while cursor is not None:
        joint = "&" if "?" in address else "?"
        answer = client.get(f"{address}{joint}size={size}" + (f"&cursor={cursor}" if cursor else ""))
        assert answer.status_code == 200, answer.content
        body = answer.json()
        found.append(body["items"])
        cursor = body["next_cursor"]
    return found


@pytest.fixture
def member() -> Member:
    store = make_store("S1", region=make_region(), city="上海")
    member = make_member(
        name="王芳", gender="f", phone="+8613800000001", city="上海", store=store, owner=make_staff(store=store)
    )
    member.refresh_from_db()
    return member


# --- the list -----------------------------------------------------------------------------------------------------


def test_a_row_says_who_a_member_is_and_hides_what_is_personal(member: Member) -> None:
    make_order(member, amount=12_345, paid_at=NOW - timedelta(days=1))
    answer = key_client().get(MEMBERS)
    (row,) = answer.json()["items"]
    assert b"13800000001" not in answer.content
    assert {name: row[name] for name in row if name not in ("labels", "updated_at")} == {
        "id": member.pk,
        "name": "王芳",
        "gender": "f",
        "phone_masked": "138****0001",
        "email_masked": "",
        "city": "上海",
        "store_id": member.store_id,
        "store": "门店 S1",
        "owner_id": member.owner_id,
        "owner": "小王",
        "joined_at": "2026-08-13T12:00:00+08:00",
        "order_count": 1,
        "net_amount": 12_345,
        "last_order_at": "2026-11-20T12:00:00+08:00",
    }
    assert datetime.fromisoformat(row["updated_at"]) == member.updated_at


def test_a_key_sees_the_members_of_every_store_and_a_user_those_of_their_scope(member: Member) -> None:
    make_member(name="李娜", store=make_store("S2", region=make_region("north", "华北")))
    make_member(name="无店")
    everyone = {"王芳", "李娜", "无店"}
    inside = client_as(Role.STORE_STAFF, scope=DataScope.STORE, staff=member.owner)
    assert {row["name"] for row in key_client().get(MEMBERS).json()["items"]} == everyone
    assert {row["name"] for row in inside.get(MEMBERS).json()["items"]} == {"王芳"}


@pytest.mark.parametrize("sort", ["", "-joined", "joined", "-net", "net", "-orders", "-last_order", "last_order"])
def test_pages_one_after_the_other_are_the_whole_list(sort: str) -> None:
    for number in range(7):
        one = make_member(name=f"m{number}", joined_at=NOW - timedelta(days=number // 3))
        for order in range(number % 3):
            make_order(one, amount=1_000, paid_at=NOW - timedelta(days=order))
    client = key_client()
    address = f"{MEMBERS}?sort={sort}"
    whole = [row["id"] for row in client.get(address).json()["items"]]
    parts = pages(client, address, size=3)
    assert [len(part) for part in parts] == [3, 3, 1]
    assert [row["id"] for part in parts for row in part] == whole
    assert len(set(whole)) == 7


@pytest.mark.parametrize(
    "query",
    [
        "q=王", "q=13800000001", "city=上海", "city=上海&city=北京", "gender=f", "owner=none", "orders_min=1",
        "net_min=100&sort=-net", "joined_after=2026-08-01&joined_before=2026-08-31", "unknown=1", "q=nobody",
    ],
)  # fmt: skip
def test_the_filters_are_those_of_the_page(member: Member, query: str) -> None:
    make_order(member, amount=20_000)
    make_member(name="王强", city="北京", gender="m")
    make_member(name="李娜", city="杭州", joined_at=NOW)
    client = client_as(Role.ADMIN)
    listed = [row["id"] for row in client.get(f"{MEMBERS}?{query}").json()["items"]]
    page = client.get(f"/members/?{query}").content.decode()
    boxes = page.split('name="id" value="')[1:]
    assert listed == [int(box.partition('"')[0]) for box in boxes]


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ("gender=x", "bad_filter", "gender"),
        ("joined_after=yesterday", "bad_filter", "joined_after"),
        ("net_min=1e400", "bad_filter", "net_min"),
        ("orders_min=99999999999999999999", "bad_filter", "orders_min"),
        ("id=-1", "bad_filter", "id"),
        ("q=%00", "bad_filter", "q"),
        ("segment=99999", "bad_filter", "segment"),
        ("sort=name", "bad_sort", "sort"),
        ("cursor=x", "bad_cursor", "cursor"),
        ("cursor=W10", "bad_cursor", "cursor"),
        ("size=0", "bad_size", "size"),
        ("size=201", "bad_size", "size"),
        ("size=x", "bad_size", "size"),
    ],
)
def test_a_bad_list_address_is_refused_by_name(query: str, code: str, field: str) -> None:
    status, given, fields = problem(client_as(Role.ADMIN).get(f"{MEMBERS}?{query}"))
    assert (status, given, fields) == (422, code, [field])


def test_the_list_is_read_only() -> None:
    client = key_client("members.view", "members.edit")
    assert problem(client.post(MEMBERS, "{}", content_type="application/json"))[:2] == (405, "method_not_allowed")


# --- one member ---------------------------------------------------------------------------------------------------


def test_one_member_is_the_row_and_what_is_known_beyond_it(member: Member) -> None:
    make_order(member, amount=12_345, paid_at=NOW - timedelta(days=1))
    client = key_client()
    (row,) = client.get(MEMBERS).json()["items"]
    answer = client.get(f"{MEMBERS}/{member.pk}")
    body = answer.json()
    assert b"13800000001" not in answer.content
    assert {name: body[name] for name in row} == row
    assert body["summary"] == {
        "order_count": 1,
        "gross_amount": 12_345,
        "refund_amount": 0,
        "net_amount": 12_345,
        "first_order_at": "2026-11-20T12:00:00+08:00",
        "last_order_at": "2026-11-20T12:00:00+08:00",
    }
    assert body["identities"] == [{"kind": "phone", "value": "138****0001"}]
    assert {(one["channel"], one["state"]) for one in body["consents"]} >= {("sms", "")}
    assert (body["birth_on"], body["province"], body["country"], body["attributes"]) == (None, "", "", {})


def test_a_member_without_facts_has_zeros(member: Member) -> None:
    Member.objects.get(pk=member.pk).summary.delete()
    body = key_client().get(f"{MEMBERS}/{member.pk}").json()
    assert (body["order_count"], body["net_amount"], body["last_order_at"]) == (0, 0, None)
    assert body["summary"]["gross_amount"] == 0


@pytest.mark.parametrize("rest", ["", "/timeline", "/orders"])
def test_a_member_who_is_not_there_is_a_problem_document(member: Member, rest: str) -> None:
    erased = make_member(status="erased")
    elsewhere = make_staff(store=make_store("S2", region=make_region("north", "华北")))
    stranger = client_as(Role.STORE_STAFF, scope=DataScope.STORE, staff=elsewhere)
    for client, number in ((key_client(), 10**9), (key_client(), 10**30), (key_client(), 0), (key_client(), erased.pk),
                           (stranger, member.pk)):  # fmt: skip
        assert problem(client.get(f"{MEMBERS}/{number}{rest}")) == (404, "not_found", [])
    assert problem(key_client().get(f"{MEMBERS}/x{rest}")) == (404, "not_found", [])


@pytest.mark.parametrize("rest", ["", "/1", "/1/timeline", "/1/orders"])
def test_a_key_without_the_scope_reads_nothing(rest: str) -> None:
    assert problem(key_client("facts.write").get(f"{MEMBERS}{rest}")) == (403, "forbidden", [])
    assert problem(Client().get(f"{MEMBERS}{rest}")) == (401, "not_authenticated", [])


# --- changing one -------------------------------------------------------------------------------------------------


def patch(client: Client, member: Member, body: Any) -> Any:
    text = body if isinstance(body, str) else json.dumps(body)
    return client.patch(f"{MEMBERS}/{member.pk}", text, content_type="application/json")


def seen(member: Member) -> str:
    return member.updated_at.isoformat()


def test_a_change_takes_what_is_given_and_leaves_the_rest(member: Member) -> None:
    client = key_client("members.view", "members.edit")
    read = client.get(f"{MEMBERS}/{member.pk}").json()["updated_at"]
    changes = {
        "updated_at": read,
        "city": " 苏州 ",
        "birth_on": "1990-02-28",
        "attributes": {"宠物": "猫", "vip": True},
    }
    answer = patch(client, member, changes)
    assert answer.status_code == 200
    body = answer.json()
    assert (body["name"], body["city"], body["birth_on"]) == ("王芳", "苏州", "1990-02-28")
    assert body["attributes"] == {"宠物": "猫", "vip": True}
    assert body == client.get(f"{MEMBERS}/{member.pk}").json()
    assert datetime.fromisoformat(body["updated_at"]) > datetime.fromisoformat(read)
    entry = AuditEntry.objects.get(object_type="members_member", action="update")
    assert entry.actor.startswith("key:")
    assert entry.changes["city"] == ["上海", "苏州"]


def test_sent_twice_it_is_done_once_and_the_second_is_a_conflict(member: Member) -> None:
    client = key_client("members.view", "members.edit")
    changes = {"updated_at": seen(member), "city": "苏州"}
    assert patch(client, member, changes).status_code == 200
    after = Member.objects.get(pk=member.pk)
    assert problem(patch(client, member, changes))[:2] == (409, "changed_meanwhile")
    assert problem(patch(client, member, changes | {"city": "杭州"}))[:2] == (409, "changed_meanwhile")
    assert (after.city, seen(after)) == ("苏州", seen(Member.objects.get(pk=member.pk)))
    assert AuditEntry.objects.filter(object_type="members_member", action="update").count() == 1


def test_the_store_and_the_owner_are_taken_away_with_null(member: Member) -> None:
    client = key_client("members.view", "members.edit")
    body = patch(client, member, {"updated_at": seen(member), "store_id": None, "owner_id": None}).json()
    assert (body["store_id"], body["store"], body["owner_id"], body["owner"]) == (None, None, None, None)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"updated_at": None}, "updated_at"),
        ({"updated_at": "yesterday"}, "updated_at"),
        ({"updated_at": "0001-01-01T00:00:00+14:00"}, "updated_at"),
        ({"name": "x" * 61}, "name"),
        ({"name": "a\u0000b"}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "\ud800"}, "name"),
        ({"name": ["王"]}, "name"),
        ({"gender": "x"}, "gender"),
        ({"birth_on": "2026-02-30"}, "birth_on"),
        ({"birth_on": "1899-12-31"}, "birth_on"),
        ({"birth_on": "2999-01-01"}, "birth_on"),
        ({"store_id": 0}, "store"),
        ({"store_id": 10**30}, "store"),
        ({"store_id": "x"}, "store_id"),
        ({"owner_id": 999_999}, "owner"),
        ({"attributes": []}, "attributes"),
        ({"attributes": {"a": {"b": 1}}}, "attributes"),
        ({"attributes": {" ": 1}}, "attributes"),
        ({"attributes": {"a\u0000": 1}}, "attributes"),
        ({"attributes": {"a": "\u0000"}}, "attributes"),
        ({"attributes": {"a": 10**30}}, "attributes"),
        ({"attributes": {"a": "x" * 301}}, "attributes"),
        ({"attributes": {f"a{number}": 1 for number in range(51)}}, "attributes"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_name(member: Member, changes: dict[str, Any], field: str) -> None:
    client = key_client("members.view", "members.edit")
    status, _, fields = problem(patch(client, member, {"updated_at": seen(member)} | changes))
    assert (status, fields) == (422, [field])
    assert Member.objects.get(pk=member.pk).updated_at == member.updated_at


def test_a_number_beyond_all_numbers_is_refused(member: Member) -> None:
    text = f'{{"updated_at": "{seen(member)}", "attributes": {{"a": 1e400}}}}'
    answer = patch(key_client("members.view", "members.edit"), member, text)
    assert problem(answer) == (422, "wrong_type", ["attributes"])


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("{", (400, "parse_error", [])),
        ('{"a": NaN}', (400, "parse_error", [])),
        ("[]", (422, "invalid", [""])),
        ("{}", (422, "invalid", ["updated_at"])),
    ],
)
def test_a_body_that_is_no_change_is_refused(member: Member, body: str, expected: Any) -> None:
    assert problem(patch(key_client("members.view", "members.edit"), member, body)) == expected


def test_changing_takes_the_scope_for_it_and_sight_of_the_member(member: Member) -> None:
    changes = {"updated_at": seen(member), "city": "苏州"}
    assert problem(patch(key_client("members.view"), member, changes))[:2] == (403, "forbidden")
    other = make_store("S2", region=make_region("north", "华北"))
    stranger = client_as(Role.STORE_STAFF, scope=DataScope.STORE, staff=make_staff(store=other))
    assert problem(patch(stranger, member, changes))[:2] == (404, "not_found")
    owner = client_as(Role.STORE_STAFF, scope=DataScope.STORE, staff=member.owner)
    assert problem(patch(owner, member, changes | {"store_id": other.pk}))[:2] == (403, "leaves_scope")
    assert Member.objects.get(pk=member.pk).city == "上海"


# --- what happened ------------------------------------------------------------------------------------------------


def test_the_timeline_merges_events_orders_and_refunds(member: Member) -> None:
    order = make_order(member, amount=9_900, external_number="A-1", paid_at=NOW - timedelta(days=3))
    Refund.objects.create(
        member=member, order=order, source=order.source, external_number="R-1", amount=900, reason="破损",
        refunded_at=NOW - timedelta(days=1),
    )  # fmt: skip
    event = (member.pk, "m1", NOW - timedelta(days=2), {"tags": ["茶"]})
    timeline.append(source="tags", type="tag.added", rows=[event], now=NOW)
    client = key_client()
    address = f"{MEMBERS}/{member.pk}/timeline"
    items = client.get(address).json()["items"]
    assert [{name: item[name] for name in item if name != "id"} for item in items] == [
        {
            "kind": "refund", "at": "2026-11-20T12:00:00+08:00", "source": "shop", "type": "", "amount": 900,
            "number": "A-1", "state": "破损", "properties": {},
        },
        {
            "kind": "event", "at": "2026-11-19T12:00:00+08:00", "source": "scrm.tags", "type": "tag.added",
            "amount": None, "number": "", "state": "", "properties": {"tags": ["茶"]},
        },
        {
            "kind": "order", "at": "2026-11-18T12:00:00+08:00", "source": "shop", "type": "", "amount": 9_900,
            "number": "A-1", "state": "paid", "properties": {},
        },
    ]  # fmt: skip
    assert [item for page in pages(client, address, size=1) for item in page] == items
    assert [item["kind"] for item in client.get(f"{address}?kind=purchases").json()["items"]] == ["refund", "order"]
    assert [item["kind"] for item in client.get(f"{address}?kind=changes").json()["items"]] == ["event"]
    assert client.get(f"{address}?kind=messages").json() == {"items": [], "next_cursor": None}


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [("kind=x", "bad_kind", "kind"), ("cursor=x", "bad_cursor", "cursor"), ("size=0", "bad_size", "size")],
)
def test_a_bad_timeline_address_is_refused_by_name(member: Member, query: str, code: str, field: str) -> None:
    answer = key_client().get(f"{MEMBERS}/{member.pk}/timeline?{query}")
    assert problem(answer) == (422, code, [field])


def test_orders_come_with_lines_and_refunds_page_by_page(member: Member) -> None:
    same = NOW - timedelta(days=3)
    numbers = {make_order(member, external_number=f"A-{n}", paid_at=same).external_number for n in range(4)}
    order = make_order(member, amount=9_900, external_number="Z-1", paid_at=NOW, store=member.store)
    product = Product.objects.create(sku="T-1", name="龙井")
    OrderLine.objects.create(
        member=member, order=order, line_number=1, product=product, quantity=3, unit_price="33.0000", amount=9_900
    )
    Refund.objects.create(
        member=member, order=order, source=order.source, external_number="R-1", amount=900, refunded_at=NOW
    )
    client = key_client()
    address = f"{MEMBERS}/{member.pk}/orders"
    whole = client.get(address).json()["items"]
    first = whole[0]
    assert first == {
        "id": str(order.pk),
        "source": "shop",
        "number": "Z-1",
        "state": "paid",
        "counts": True,
        "amount": 9_900,
        "discount": 0,
        "refunded_amount": 0,
        "net_amount": 9_900,
        "ordered_at": "2026-11-21T12:00:00+08:00",
        "paid_at": "2026-11-21T12:00:00+08:00",
        "lines": [
            {
                "line_number": 1, "sku": "T-1", "name": "龙井", "quantity": 3, "unit_price": "33.0000",
                "amount": 9_900,
            }
        ],
        "refunds": [{"number": "R-1", "amount": 900, "refunded_at": "2026-11-21T12:00:00+08:00", "reason": ""}],
    }  # fmt: skip
    assert {row["number"] for row in whole[1:]} == numbers
    assert [row for page in pages(client, address, size=2) for row in page] == whole
    for query, field in (("cursor=x", "cursor"), ("size=1000", "size")):
        assert problem(client.get(f"{address}?{query}"))[::2] == (422, [field])
