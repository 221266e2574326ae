"""What the SDKs of the Segment tracking API send is taken as it is."""

from __future__ import annotations

import base64
import json
from datetime import date
from typing import Any

import pytest
from django.test import Client

from members.models import Event, Identity, Member, MemberSummary
from members.operations import summaries
from scrm.common import api_keys, clock
from scrm.common.access import SYSTEM

pytestmark = pytest.mark.django_db
AT = "2026-11-20T10:00:00.000Z"


@pytest.fixture
def secret() -> str:
    return api_keys.create(name="site", scopes=["facts.write"], actor=SYSTEM)[1]


def post(call: str, body: Any, secret: str | None, *, password: str = "", media: str = "application/json") -> Any:
    headers = {}
    if secret is not None:
        headers["Authorization"] = "Basic " + base64.b64encode(f"{secret}:{password}".encode()).decode()
    data = body if isinstance(body, bytes) else json.dumps(body)
    return Client().post(f"/v1/{call}", data, content_type=media, headers=headers)


def message(**values: Any) -> dict[str, Any]:
    return {"userId": "u1", "messageId": "m1", "timestamp": AT} | values


def succeeds(response: Any) -> None:
    assert (response.status_code, response.json()) == (200, {"success": True})


def problem(response: Any) -> tuple[int, str, str]:
    assert response["Content-Type"] == "application/problem+json"
    body = response.json()
    return response.status_code, body["code"], body.get("errors", [{"field": ""}])[0]["field"]


def test_a_track_is_an_event_of_the_user(secret: str) -> None:
    sent = message(event="Order Completed", anonymousId="a1", properties={"sku": "K1"}, context={"ip": "1.2.3.4"})
    succeeds(post("track", sent, secret))
    stored = Event.objects.select_related("type", "source").get()
    assert (stored.type.key, stored.source.key, stored.message_id) == ("Order Completed", "tracking", "m1")
    assert (stored.properties, stored.occurred_at.isoformat()) == ({"sku": "K1"}, "2026-11-20T10:00:00+00:00")
    assert set(Identity.objects.values_list("kind", "value")) == {("app_user", "u1"), ("device", "a1")}


def test_an_identify_fills_the_profile_and_keeps_personal_data_off_the_timeline(secret: str) -> None:
    traits = {
        "email": "Li@Example.com", "phone": 13800000001, "name": "李华", "gender": "Female", "birthday": "1990-02-03",
        "address": {"city": "杭州", "state": "浙江", "country": "中国"}, "plan": "gold",
    }  # fmt: skip
    succeeds(post("identify", message(traits=traits), secret))
    member = Member.objects.get()
    assert (member.name, member.gender, member.birth_on) == ("李华", "f", date(1990, 2, 3))
    assert (member.city, member.province, member.country) == ("杭州", "浙江", "中国")
    assert (member.phone_masked, member.email_masked) == ("138****0001", "l***@example.com")
    assert member.attributes == {"address": traits["address"], "plan": "gold"}
    assert (Event.objects.get().properties, Identity.objects.count()) == ({}, 3)


def test_a_repeated_identify_does_not_undo_a_newer_one(secret: str) -> None:
    for sent in (("m1", "old"), ("m2", "new"), ("m1", "old")):
        succeeds(post("identify", message(messageId=sent[0], traits={"name": sent[1]}), secret))
    assert (Member.objects.get().name, Event.objects.count()) == ("new", 2)


def test_page_screen_group_and_alias_are_events(secret: str) -> None:
    succeeds(post("page", message(messageId="1", name="Home", properties={"url": "https://x.cn/"}), secret))
    succeeds(post("screen", message(messageId="2", name="Cart", category="Shop"), secret))
    succeeds(post("group", message(messageId="3", groupId="g", traits={"size": 3}), secret))
    succeeds(post("alias", message(messageId="4", previousId="a1"), secret))
    assert list(Event.objects.order_by("message_id").values_list("type__key", "properties")) == [
        ("page", {"name": "Home", "url": "https://x.cn/"}),
        ("screen", {"name": "Cart", "category": "Shop"}),
        ("group", {"group_id": "g", "size": 3}),
        ("alias", {}),
    ]
    assert (Member.objects.count(), Identity.objects.filter(kind="device", value="a1").count()) == (1, 1)


def test_a_batch_takes_the_good_ones_and_lists_the_others(secret: str) -> None:
    body = {
        "batch": [
            message(type="track", event="a"),
            message(type="track", messageId="m2"),
            message(type="fly", messageId="m3"),
            {"type": "track", "event": "b", "messageId": "m4", "timestamp": AT},
            message(type="track", event="c", messageId="m5", timestamp="2999-01-01T00:00:00Z"),
            message(type="identify", messageId="m6", traits={"email": "no address"}),
            message(type="identify", messageId="m7", traits={"birthday": "soon"}),
            message(type="track", event="d", messageId="m8", properties={"a": "\ud800"}),
            7,
            message(type="track", event="e", messageId="m9"),
        ],
        "sentAt": AT,
    }
    response = post("batch", body, secret)
    assert response.status_code == 200
    answer = response.json()
    assert answer["success"] is True
    assert [(one["index"], one["code"], one["field"]) for one in answer["errors"]] == [
        (1, "missing", "event"),
        (2, "invalid", "type"),
        (3, "no_identity", "userId"),
        (4, "in_future", "timestamp"),
        (5, "invalid", "traits.email"),
        (6, "invalid", "traits.birthday"),
        (7, "forbidden_character", "properties.a"),
        (8, "not_an_object", ""),
    ]
    assert sorted(Event.objects.values_list("message_id", flat=True)) == ["m1", "m9"]
    assert summaries.rebuild() == 0


def test_the_same_message_twice_is_one_event_also_without_an_id(secret: str) -> None:
    named = message(event="a")
    unnamed = {"userId": "u1", "event": "a", "timestamp": AT}
    for sent in (named, named, unnamed, unnamed | {"sentAt": AT}):
        succeeds(post("track", sent, secret))
    succeeds(post("batch", {"batch": [named | {"type": "track"}]}, secret))
    assert (Event.objects.count(), MemberSummary.objects.get().event_count) == (2, 2)


def test_browsers_send_text(secret: str) -> None:
    succeeds(post("track", message(event="a"), secret, media="text/plain"))
    assert post("track", message(event="a"), secret, media="application/xml").status_code == 415


def test_a_single_message_that_is_wrong_is_a_problem(secret: str) -> None:
    assert problem(post("track", message(), secret)) == (400, "missing", "event")
    assert problem(post("track", message(event="a", timestamp="yesterday"), secret)) == (400, "invalid", "timestamp")
    assert problem(post("identify", message(traits=[]), secret)) == (400, "wrong_type", "traits")
    assert problem(post("track", message(event="x" * 61), secret)) == (400, "too_long", "event")
    assert problem(post("track", [], secret)) == (400, "not_an_object", "body")
    assert Event.objects.count() == 0


@pytest.mark.parametrize("body", [b"", b"{", b'{"a": NaN}', b"[" * 100_000, b"\xff\xfe"], ids=range(5))
@pytest.mark.parametrize("call", ["track", "batch"])
def test_what_is_no_json_is_malformed(call: str, body: bytes, secret: str) -> None:
    assert problem(post(call, body, secret))[:2] == (400, "not_json")


def test_a_batch_is_a_list_of_a_thousand_at_most(secret: str) -> None:
    assert problem(post("batch", [], secret))[:2] == (400, "not_a_list")
    assert problem(post("batch", {"batch": {}}, secret))[:2] == (400, "not_a_list")
    assert problem(post("batch", {"batch": [{}] * 1001}, secret))[:2] == (413, "too_large")
    succeeds(post("batch", {"batch": []}, secret))


def test_only_a_key_that_may_send_facts_gets_in(secret: str) -> None:
    sent = message(event="a")
    assert problem(post("track", sent, None))[:2] == (401, "not_authenticated")
    assert problem(post("track", sent, secret + "x"))[:2] == (401, "bad_key")
    assert problem(post("track", sent, secret, password="p"))[:2] == (401, "bad_key")
    key, other = api_keys.create(name="reader", scopes=["members.view"], actor=SYSTEM)
    assert problem(post("track", sent, other))[:2] == (403, "forbidden")
    api_keys.revoke(key_id=key.pk, now=clock.now())
    refused = post("track", sent, other)
    assert problem(refused)[:2] == (401, "bad_key")
    assert refused["WWW-Authenticate"].startswith("Basic")
