"""Points over the API: what is booked, what is refused with which code, and what is read back."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from members.models import Member, PointsAdjustment, PointsEntry
from members.operations import adjustments, currencies, points
from members.queries import scopes
from scrm.common import api_keys
from scrm.common.access import SYSTEM, Actor, DataScope, Role
from scrm.common.errors import DomainError
from scrm.common.models import Notification
from tests.factories import NOW, client_as, make_member, make_staff, make_store, make_user

pytestmark = pytest.mark.django_db
POINTS = "/api/v1/points"
SCOPES = ["points.write", "points.adjust", "loyalty.view", "loyalty.manage"]


@pytest.fixture(autouse=True)
def at_noon() -> Any:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def member() -> Member:
    currencies.get("points")
    currencies.get("growth")
    return make_member(phone="+8613800000001")


@pytest.fixture
def shop() -> Client:
    return key_client(*SCOPES)


def key_client(*scopes: str) -> Client:
    _, secret = api_keys.create(name="shop", scopes=list(scopes), actor=SYSTEM)
    return Client(headers={"Authorization": f"Api-Key {secret}"})


def send(client: Client, act: str, values: dict[str, Any], **headers: str) -> Any:
    return client.post(f"{POINTS}/{act}", json.dumps(values), content_type="application/json", headers=headers)


def of(member: Member, **values: Any) -> dict[str, Any]:
    return {"member": {"member_id": member.pk}, **values}


def test_earning_is_booked_and_answers_the_balances(shop: Client, member: Member) -> None:
    answer = send(shop, "earn", of(member, amount=120, reference="order-1", source="order:1", reason="消费"))
    assert answer.status_code == 201
    assert answer.json() == {
        "member_id": member.pk, "currency": "points", "entry": 1, "duplicate": False, "booked": 120,
        "balance": {"pending": 0, "available": 120, "held": 0, "arrears": 0},
    }  # fmt: skip
    assert PointsEntry.objects.get().actor.startswith("key:")


def test_the_same_reference_answers_the_first_booking(shop: Client, member: Member) -> None:
    first = send(shop, "earn", of(member, amount=120, reference="order-1"))
    again = send(shop, "earn", of(member, amount=120, reference="order-1"))
    assert (again.status_code, again.json()) == (200, first.json() | {"duplicate": True})
    assert PointsEntry.objects.count() == 1


def test_the_same_idempotency_key_replays_the_answer(shop: Client, member: Member) -> None:
    values = of(member, amount=120, reference="order-1")
    first = send(shop, "earn", values, **{"Idempotency-Key": "k1"})
    again = send(shop, "earn", values, **{"Idempotency-Key": "k1"})
    assert (again.status_code, again.content, again["Idempotent-Replayed"]) == (201, first.content, "true")
    other = send(shop, "earn", of(member, amount=1, reference="order-2"), **{"Idempotency-Key": "k1"})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize(
    "ref", [{"phone": "138 0000 0001"}, {"identities": [{"kind": "phone", "value": "13800000001"}]}]
)
def test_a_member_is_named_by_identity(shop: Client, member: Member, ref: dict[str, Any]) -> None:
    answer = send(shop, "earn", {"member": ref, "amount": 5, "reference": "r"})
    assert (answer.status_code, answer.json()["member_id"]) == (201, member.pk)


def test_a_purchase_with_points_from_hold_to_refund(shop: Client, member: Member) -> None:
    send(shop, "earn", of(member, amount=100, reference="e"))
    assert send(shop, "hold", of(member, amount=80, reference="cart-1", minutes=10)).json()["balance"]["held"] == 80
    posted = send(shop, "post", of(member, amount=50, reference="cart-1"))
    assert (posted.status_code, posted.json()["balance"]["available"]) == (201, 50)
    assert send(shop, "post", of(member, amount=50, reference="cart-1")).status_code == 200
    back = send(shop, "refund", of(member, spent="cart-1", amount=20, reference="return-1"))
    assert (back.json()["booked"], back.json()["balance"]["available"]) == (20, 70)
    send(shop, "hold", of(member, amount=10, reference="cart-2"))
    assert send(shop, "void", of(member, reference="cart-2")).json()["balance"] == {
        "pending": 0, "available": 70, "held": 0, "arrears": 0,
    }  # fmt: skip
    taken = send(shop, "reverse", of(member, source="order:none", amount=1, reference="x"))
    assert (taken.status_code, taken.json()["code"]) == (422, "above_original")


# Before each: 100 points of order:1 under `e`, 30 of them spent under `s`, 20 set aside under `h`.
REFUSALS: list[tuple[str, str, dict[str, Any], int, str]] = [
    ("a negative earning", "earn", {"amount": -1}, 422, "amount_out_of_range"),
    ("an earning of nothing", "earn", {"amount": 0}, 422, "amount_out_of_range"),
    ("a huge earning", "earn", {"amount": 10**12 + 1}, 422, "amount_out_of_range"),
    ("an earning beyond any integer", "earn", {"amount": 10**40}, 422, "amount_out_of_range"),
    ("half a point", "earn", {"amount": 0.5}, 422, "not_a_whole_number"),
    ("a whole number with a fraction", "earn", {"amount": 5.0}, 422, "not_a_whole_number"),
    ("an amount as text", "earn", {"amount": "5"}, 422, "not_a_whole_number"),
    ("a truth value as amount", "earn", {"amount": True}, 422, "not_a_whole_number"),
    ("no amount", "earn", {"amount": None}, 422, "null"),
    ("an unknown kind of points", "earn", {"currency": "gold"}, 404, "unknown_currency"),
    ("no reference", "earn", {"reference": ""}, 422, "blank"),
    ("a reference with a line break", "earn", {"reference": "a\nb"}, 422, "bad_reference"),
    ("a reference that is too long", "earn", {"reference": "r" * 121}, 422, "max_length"),
    ("a reference with NUL", "earn", {"reference": "a\0"}, 422, "null_characters_not_allowed"),
    ("a reason that is too long", "earn", {"reason": "r" * 201}, 422, "max_length"),
    ("an earning still to come", "earn", {"occurred_at": "2027-01-01T00:00:00Z"}, 422, "in_future"),
    ("an expiry in the past", "earn", {"expires_at": "2026-01-01T00:00:00Z"}, 422, "expires_early"),
    ("an instant that is none", "earn", {"occurred_at": "yesterday"}, 422, "invalid"),
    ("a double booking with another amount", "earn", {"reference": "e", "amount": 99}, 409, "reference_reused"),
    ("nobody", "earn", {"member": {}}, 422, "member_missing"),
    ("an unknown member", "earn", {"member": {"member_id": 10**15}}, 404, "unknown_member"),
    ("an unknown phone", "earn", {"member": {"phone": "13900000000"}}, 404, "unknown_member"),
    ("a phone that is none", "earn", {"member": {"phone": "abc"}}, 404, "unknown_member"),
    ("a member id beyond any integer", "earn", {"member": {"member_id": 10**30}}, 422, "max_value"),
    ("spending more than there is", "spend", {"amount": 51}, 409, "not_enough_points"),
    ("spending less than nothing", "spend", {"amount": -50}, 422, "amount_out_of_range"),
    ("spending what cannot be spent", "spend", {"currency": "growth", "amount": 1}, 409, "not_spendable"),
    ("spending twice with other amounts", "spend", {"reference": "s", "amount": 31}, 409, "reference_reused"),
    ("holding more than there is", "hold", {"amount": 51}, 409, "not_enough_points"),
    ("holding for no time", "hold", {"amount": 5, "minutes": 0}, 422, "out_of_range"),
    ("holding for ever", "hold", {"amount": 5, "minutes": 10**9}, 422, "out_of_range"),
    ("posting more than was held", "post", {"reference": "h", "amount": 21}, 422, "above_hold"),
    ("posting nothing", "post", {"reference": "h", "amount": 0}, 422, "amount_out_of_range"),
    ("posting what was never held", "post", {"reference": "none", "amount": 1}, 404, "unknown_hold"),
    ("posting what was voided", "post", {"reference": "v", "amount": 1}, 409, "hold_resolved"),
    ("voiding what was never held", "void", {"reference": "none"}, 404, "unknown_hold"),
    ("refunding before the spending", "refund", {"spent": "later", "amount": 1}, 404, "unknown_spending"),
    ("refunding more than was spent", "refund", {"spent": "s", "amount": 31}, 422, "above_original"),
    ("refunding less than nothing", "refund", {"spent": "s", "amount": -1}, 422, "amount_out_of_range"),
    ("reversing more than was earned", "reverse", {"source": "order:1", "amount": 101}, 422, "above_original"),
    ("reversing what was never earned", "reverse", {"source": "order:9", "amount": 1}, 422, "above_original"),
    ("reversing nothing", "reverse", {"source": "order:1", "amount": 0}, 422, "amount_out_of_range"),
    (
        "a reversal still to come",
        "reverse",
        {"source": "order:1", "amount": 1, "occurred_at": "2027-01-01T00:00:00Z"},
        422,
        "in_future",
    ),
    ("reversing without a source", "reverse", {"source": "", "amount": 1}, 422, "blank"),
    ("adjusting by nothing", "adjust", {"amount": 0, "reason": "why"}, 422, "amount_out_of_range"),
    ("adjusting without a reason", "adjust", {"amount": 1, "reason": ""}, 422, "blank"),
    ("adjusting with an empty reason", "adjust", {"amount": 1, "reason": "  "}, 422, "blank"),
    ("taking away more than there is", "adjust", {"amount": -51, "reason": "why"}, 409, "not_enough_points"),
    ("an adjustment beyond any integer", "adjust", {"amount": -(10**30), "reason": "why"}, 422, "amount_out_of_range"),
]


@pytest.mark.parametrize(("what", "act", "values", "status", "code"), REFUSALS, ids=[case[0] for case in REFUSALS])
def test_it_is_refused(
    shop: Client, member: Member, what: str, act: str, values: dict[str, Any], status: int, code: str
) -> None:
    points.earn(member_id=member.pk, amount=100, reference="e", source="order:1", now=NOW)
    points.spend(member_id=member.pk, amount=30, reference="s", now=NOW)
    points.hold(member_id=member.pk, amount=20, reference="h", now=NOW)
    points.hold(member_id=member.pk, amount=1, reference="v", now=NOW)
    points.void(member_id=member.pk, reference="v", now=NOW)
    before = PointsEntry.objects.count()
    answer = send(shop, act, {"member": {"member_id": member.pk}, "amount": 5, "reference": "new"} | values)
    assert answer["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert (answer.status_code, body["status"]) == (status, status), body
    assert code in {body["code"], *(one["code"] for one in body.get("errors", []))}, body
    assert PointsEntry.objects.count() == before


def test_nothing_is_spent_in_arrears(shop: Client, member: Member) -> None:
    send(shop, "earn", of(member, amount=10, reference="e", source="order:1"))
    send(shop, "spend", of(member, amount=10, reference="s"))
    taken = send(shop, "reverse", of(member, source="order:1", amount=10, reference="r"))
    assert taken.json()["balance"] == {"pending": 0, "available": -10, "held": 0, "arrears": 10}
    answer = send(shop, "spend", of(member, amount=1, reference="s2"))
    assert (answer.status_code, answer.json()["code"]) == (409, "in_arrears")


def test_a_refund_twice_gives_back_once(shop: Client, member: Member) -> None:
    send(shop, "earn", of(member, amount=10, reference="e"))
    send(shop, "spend", of(member, amount=10, reference="s"))
    assert send(shop, "refund", of(member, spent="s", amount=10, reference="r")).status_code == 201
    assert send(shop, "refund", of(member, spent="s", amount=10, reference="r")).json()["duplicate"] is True
    again = send(shop, "refund", of(member, spent="s", amount=10, reference="r2"))
    assert (again.status_code, again.json()["code"]) == (422, "above_original")


@pytest.mark.parametrize(
    ("scope", "path", "status"),
    [
        ("loyalty.view", "earn", 403), ("points.write", "earn", 201), ("points.write", "adjust", 403),
        ("points.adjust", "earn", 403), ("members.view", "earn", 403),
    ],
)  # fmt: skip
def test_booking_takes_its_permission(member: Member, scope: str, path: str, status: int) -> None:
    answer = send(key_client(scope), path, of(member, amount=5, reference="r", reason="why"))
    assert answer.status_code == status


def test_balances_now_and_at_a_date(shop: Client, member: Member, at_noon: Any) -> None:
    send(shop, "earn", of(member, amount=100, reference="e"))
    at_noon.move_to(NOW + timedelta(days=2))
    send(shop, "spend", of(member, amount=30, reference="s"))
    now = shop.get(f"{POINTS}/balance?phone=13800000001").json()
    assert (now["member_id"], now["items"][0]) == (
        member.pk,
        {
            "currency": "points",
            "name": "积分",
            "spendable": True,
            "pending": 0,
            "available": 70,
            "held": 0,
            "arrears": 0,
        },
    )
    assert [one["currency"] for one in now["items"]] == ["points", "growth"]
    address = f"{POINTS}/balance?member_id={member.pk}&currency=points&at="
    assert shop.get(f"{address}2026-11-22T00:00:00Z").json()["items"][0]["available"] == 100
    assert shop.get(f"{address}2026-11-20T00:00:00Z").json()["items"][0]["available"] == 0
    for at, code in (("2027-01-01T00:00:00Z", "in_future"), ("soon", "bad_instant")):
        answer = shop.get(address + at)
        assert (answer.status_code, answer.json()["code"]) == (422, code)
    for query, status in (("", 422), ("member_id=99999999", 404), ("member_id=x", 422), (f"member_id={'9' * 30}", 422)):
        assert shop.get(f"{POINTS}/balance?{query}").status_code == status


def test_lots_say_what_expires_when_and_what_is_held(shop: Client, member: Member) -> None:
    send(shop, "earn", of(member, amount=100, reference="e"))
    send(shop, "earn", of(member, amount=20, reference="soon", expires_at="2026-11-30T16:00:00Z"))
    send(shop, "hold", of(member, amount=5, reference="h", minutes=30))
    body = shop.get(f"{POINTS}/lots?member_id={member.pk}").json()
    assert [(lot["number"], lot["remaining"], lot["held"], lot["last_day"]) for lot in body["items"]] == [
        (2, 20, 5, "2026-11-30"),
        (1, 100, 0, "2027-12-31"),
    ]
    assert body["expiring"] == [{"day": "2026-11-30", "amount": 15}]
    assert [(hold["reference"], hold["amount"]) for hold in body["holds"]] == [("h", 5)]


def test_entries_say_their_sides_their_lots_and_why(shop: Client, member: Member) -> None:
    detail = {
        "lines": [
            {
                "rule": "消费积分",
                "version": 3,
                "base": 6_000,
                "rate": "1/1.00",
                "times": ["双倍积分日 ×2"],
                "points": 120,
            }
        ]
    }
    points.earn(member_id=member.pk, amount=120, reference="e", source="order:1", detail=detail, now=NOW)
    points.spend(member_id=member.pk, amount=30, reference="s", reason="换购", now=NOW)
    spent, earned = shop.get(f"{POINTS}/entries?member={member.pk}", headers={"Accept-Language": "zh-hans"}).json()[
        "items"
    ]
    assert (spent["debit"], spent["credit"], spent["effect"], spent["reason"]) == ("available", "redeemed", -30, "换购")
    assert [(lot["lot"], lot["amount"], lot["set_aside"]) for lot in spent["lots"]] == [(1, 30, False)]
    assert (earned["debit"], earned["credit"], earned["effect"], earned["lots"]) == ("issued", "available", 120, [])
    assert earned["explanation"] == ["+120 = ¥60.00 × 1 · 双倍积分日 ×2 · 规则 消费积分 v3"]


def test_the_ledger_of_everybody_is_searched_page_by_page(shop: Client, member: Member) -> None:
    other = make_member()
    for number in range(1, 8):
        whom = (member, other)[number % 2]
        points.earn(member_id=whom.pk, amount=number, reference=f"r{number}", now=NOW + timedelta(minutes=number))
    points.spend(member_id=other.pk, amount=1, reference="s", source="cart:1", now=NOW + timedelta(minutes=9))

    def amounts(query: str) -> list[int]:
        found: list[int] = []
        cursor: str | None = ""
        while cursor is not None:
            body = shop.get(f"{POINTS}/entries?size=3&{query}" + (f"&cursor={cursor}" if cursor else "")).json()
            found += [one["amount"] for one in body["items"]]
            cursor = body["next_cursor"]
        return found

    assert amounts("") == [1, 7, 6, 5, 4, 3, 2, 1]
    assert amounts("kind=spend") == [1]
    assert amounts("kind=earn&amount_min=3&amount_max=5") == [5, 4, 3]
    assert amounts("reference=r4") == [4]
    assert amounts("source=cart:1") == [1]
    assert amounts(f"member={member.pk}") == [6, 4, 2]
    assert amounts("currency=growth") == []
    assert amounts("actor=system&kind=refund") == []
    assert amounts("actor=user:1") == []
    assert amounts("booked_after=2026-11-21&booked_before=2026-11-21") == [1, 7, 6, 5, 4, 3, 2, 1]
    assert amounts("booked_before=2026-11-20") == []
    assert shop.get(f"{POINTS}/entries?kind=gift").status_code == 422


def test_points_are_read_within_the_data_scope() -> None:
    store = make_store("S1")
    mine, theirs = make_member(store=store), make_member()
    for member in (mine, theirs):
        points.earn(member_id=member.pk, amount=5, reference="e", now=NOW)
    staff = client_as(Role.STORE_STAFF, scope=DataScope.STORE, staff=make_staff(store=store))
    assert [one["member_id"] for one in staff.get(f"{POINTS}/entries").json()["items"]] == [mine.pk]
    assert staff.get(f"{POINTS}/balance?member_id={mine.pk}").status_code == 200
    assert staff.get(f"{POINTS}/balance?member_id={theirs.pk}").status_code == 404
    assert staff.get(f"{POINTS}/lots?member_id={theirs.pk}").status_code == 404


# --- adjustments ------------------------------------------------------------------------------------------------------


def person(role: Role = Role.OPERATOR) -> Actor:
    return scopes.actor_of(make_user(role))


def propose(actor: Actor, member: Member, amount: int, reference: str = "a", **values: Any) -> PointsAdjustment:
    return adjustments.propose(
        actor=actor, member_id=member.pk, amount=amount, reason="补积分", reference=reference, now=NOW, **values
    )[0]


def refused(act: Any, **values: Any) -> str:
    with pytest.raises(DomainError) as caught:
        act(now=NOW, **values)
    return caught.value.code


def test_up_to_the_limit_an_adjustment_is_booked_at_once(shop: Client, member: Member) -> None:
    answer = send(shop, "adjust", of(member, amount=1_000, reason="补积分", reference="a"))
    assert (answer.status_code, answer.json()["state"], answer.json()["entry"]) == (201, "booked", 1)
    again = send(shop, "adjust", of(member, amount=1_000, reason="补积分", reference="a"))
    assert (again.status_code, again.json()["duplicate"]) == (200, True)
    other = send(shop, "adjust", of(member, amount=-1_000, reason="补积分", reference="a"))
    assert (other.status_code, other.json()["code"]) == (409, "reference_reused")
    assert PointsEntry.objects.count() == 1


def test_above_the_limit_a_second_person_books_it(member: Member) -> None:
    asker, approver = person(), person()
    adjustment = propose(asker, member, 1_001)
    assert (adjustment.state, PointsEntry.objects.count()) == ("proposed", 0)
    assert refused(adjustments.approve, actor=asker, adjustment_id=adjustment.pk) == "own_proposal"
    assert refused(adjustments.approve, actor=person(Role.AUDITOR), adjustment_id=adjustment.pk) == "forbidden"
    booked = adjustments.approve(actor=approver, adjustment_id=adjustment.pk, now=NOW)
    assert (booked.state, booked.entry, booked.decided_by) == ("booked", 1, approver.ref)
    assert PointsEntry.objects.get().detail == {"asked_by": asker.ref, "approved_by": approver.ref}
    assert refused(adjustments.approve, actor=approver, adjustment_id=adjustment.pk) == "decided"
    assert Notification.objects.get().user_id == asker.id


def test_a_rejection_says_why_and_books_nothing(member: Member) -> None:
    asker, approver = person(), person()
    adjustment = propose(asker, member, -5_000)
    assert refused(adjustments.reject, actor=approver, adjustment_id=adjustment.pk, answer=" ") == "reason_missing"
    found = adjustments.reject(actor=approver, adjustment_id=adjustment.pk, answer="没有凭证", now=NOW)
    assert (found.state, found.answer, PointsEntry.objects.count()) == ("rejected", "没有凭证", 0)
    assert refused(adjustments.approve, actor=approver, adjustment_id=adjustment.pk) == "decided"


def test_what_is_no_longer_there_cannot_be_taken_away(member: Member) -> None:
    adjustment = propose(person(), member, -5_000)
    assert refused(adjustments.approve, actor=person(), adjustment_id=adjustment.pk) == "not_enough_points"
    adjustment.refresh_from_db()
    assert adjustment.state == "proposed"


def test_the_database_itself_asks_for_two_people(member: Member) -> None:
    from django.db import IntegrityError, transaction  # noqa: PLC0415

    adjustment = propose(person(), member, 5_000)
    for values in (
        {"decided_by": adjustment.asked_by, "decided_at": NOW, "state": "booked", "entry": 1},
        {"decided_at": NOW, "state": "booked", "entry": 1},
        {"decided_by": "user:0", "decided_at": NOW, "state": "rejected"},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            PointsAdjustment.objects.filter(pk=adjustment.pk).update(**values)


def test_adjustments_are_decided_over_the_api(shop: Client, member: Member) -> None:
    first, second = (
        send(shop, "adjust", of(member, amount=5_000, reason="why", reference=name)).json() for name in "ab"
    )
    own = send(shop, f"adjustments/{first['id']}/approve", {})
    assert (own.status_code, own.json()["code"]) == (403, "own_proposal")
    other = key_client("points.adjust", "loyalty.view")
    assert send(other, f"adjustments/{first['id']}/approve", {}).json()["state"] == "booked"
    assert send(other, f"adjustments/{second['id']}/reject", {"answer": "no"}).json()["state"] == "rejected"
    listed = shop.get(f"{POINTS}/adjustments?state=rejected").json()["items"]
    assert [one["id"] for one in listed] == [second["id"]]
    assert shop.get(f"{POINTS}/adjustments/{first['id']}").json()["decided_by"].startswith("key:")


# --- attachments ------------------------------------------------------------------------------------------------------

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 100


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


def form(**values: Any) -> dict[str, Any]:
    return {
        "reference": "console:1", "currency": "points", "direction": "credit", "amount": "50", "reason": "补积分",
        **values,
    }  # fmt: skip


def test_an_attachment_is_kept_and_only_ever_saved(member: Member, settings: Any) -> None:
    client = client_as(Role.OPERATOR)
    address = f"/points/members/{member.pk}/adjust/"
    upload = SimpleUploadedFile('../小票"<x>.html', PNG, "text/html")
    assert client.post(address, form(attachment=upload)).status_code == 302
    adjustment = PointsAdjustment.objects.get()
    assert (adjustment.file_name, adjustment.file_type) == ("小票x.png", "image/png")
    for path in (f"/points/adjustments/{adjustment.pk}/file/", f"{POINTS}/adjustments/{adjustment.pk}/attachment"):
        answer = client.get(path)
        assert (answer.status_code, answer["Content-Type"]) == (200, "image/png")
        assert answer["Content-Disposition"].startswith("attachment")
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert b"".join(answer.streaming_content) == PNG
    assert client_as(Role.STORE_STAFF).get(f"/points/adjustments/{adjustment.pk}/file/").status_code == 403
    # The form sent twice is booked once, and the second copy of the file is removed.
    assert client.post(address, form(attachment=SimpleUploadedFile("a.png", PNG))).status_code == 302
    assert PointsAdjustment.objects.count() == 1
    assert len(list((settings.MEDIA_ROOT / "adjustments").iterdir())) == 1


@pytest.mark.parametrize(
    "content",
    [b"<html><script>", b"MZ" + b"0" * 50, b"%PDF-" + b"0" * (5 * 2**20)],
    ids=["html", "program", "too large"],
)
def test_other_files_are_not_taken(member: Member, content: bytes, settings: Any) -> None:
    upload = SimpleUploadedFile("a.pdf", content, "application/pdf")
    answer = client_as(Role.OPERATOR).post(f"/points/members/{member.pk}/adjust/", form(attachment=upload))
    assert answer.status_code == 422
    assert not PointsAdjustment.objects.exists()
    assert list((settings.MEDIA_ROOT / "adjustments").iterdir()) == []


# --- kinds of points --------------------------------------------------------------------------------------------------


def test_kinds_of_points_are_made_and_changed(shop: Client) -> None:
    address = f"{POINTS}/currencies"
    made = send(shop, "currencies", {"key": "gold", "name": "金币", "expiry": "months", "expiry_count": 6})
    assert (made.status_code, made.json()["expiry_count"]) == (201, 6)
    changed = shop.put(
        f"{address}/gold", json.dumps({"name": "金币", "warn_days": [7]}), content_type="application/json"
    )
    assert (changed.status_code, changed.json()["expiry"], changed.json()["warn_days"]) == (200, "never", [7])
    assert [one["key"] for one in shop.get(address).json()["items"]] == ["points", "gold", "growth"]
    for values, code in (
        ({"key": "gold", "name": "x"}, "taken"), ({"key": "Gold!", "name": "x"}, "bad_key"),
        ({"key": "new", "name": "x", "expiry": "months"}, "out_of_range"),
        ({"key": "new", "name": "x", "warn_days": [0]}, "out_of_range"),
        ({"key": "new", "name": "x", "expiry": "some day"}, "invalid"),
        ({"key": "new", "name": "x", "pending_days": 10**30}, "out_of_range"),
    ):  # fmt: skip
        answer = send(shop, "currencies", values)
        assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert send(key_client("loyalty.view"), "currencies", {"key": "new", "name": "x"}).status_code == 403
    assert shop.get(f"{address}/none").json()["code"] == "unknown_currency"


def test_instants_need_a_zone_or_are_read_in_the_shops(shop: Client, member: Member) -> None:
    send(shop, "earn", of(member, amount=5, reference="r", occurred_at="2026-11-21T00:00:00"))
    assert PointsEntry.objects.get().occurred_at == datetime(2026, 11, 20, 16, tzinfo=UTC)
