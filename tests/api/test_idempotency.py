"""One Idempotency-Key, one effect."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from members.models import Event, Identity, Member
from scrm.common import api_keys, clock, idempotency
from scrm.common.access import SYSTEM
from scrm.common.models import IdempotencyRecord

BODY = b'[{"message_id":"%s","type":"t","occurred_at":"2026-11-20T10:00:00+08:00","member":{"phone":"13800000001"}}]'


def make_key() -> str:
    return api_keys.create(name="shop", scopes=["facts.write"], actor=SYSTEM)[1]


def send(secret: str, key: str | None, message_id: bytes = b"1", what: str = "events") -> Any:
    headers = {"Authorization": f"Api-Key {secret}"}
    if key is not None:
        headers["Idempotency-Key"] = key
    return Client().post(f"/api/v1/{what}/batch", BODY % message_id, content_type="application/json", headers=headers)


def together(count: int, work: Any) -> list[Any]:
    """Run `work(number)` in so many threads that all start at once."""
    gate, results = threading.Barrier(count), [None] * count

    def run(number: int) -> None:
        try:
            gate.wait()
            results[number] = work(number)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.mark.django_db
def test_the_same_key_and_body_get_the_same_answer_again() -> None:
    secret = make_key()
    first, again = send(secret, "k"), send(secret, "k")
    assert first.json()["accepted"] == 1
    assert (again.status_code, again.content) == (200, first.content)
    assert (first.get("Idempotent-Replayed"), again["Idempotent-Replayed"]) == (None, "true")
    # Without the key the event is known all the same.
    assert send(secret, None).json()["duplicate"] == 1


@pytest.mark.django_db
def test_the_key_for_another_body_or_route_is_refused() -> None:
    secret = make_key()
    send(secret, "k")
    for other in (send(secret, "k", b"2"), send(secret, "k", what="orders")):
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert Event.objects.count() == 1


@pytest.mark.django_db
def test_keys_belong_to_their_caller_and_last_a_day() -> None:
    secret = make_key()
    send(secret, "k")
    assert send(make_key(), "k").json()["duplicate"] == 1
    assert idempotency.purge(now=clock.now()) == 0
    assert idempotency.purge(now=clock.now() + timedelta(hours=24, seconds=1)) == 2


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["", "x" * 256, "a b", "é"])
def test_a_malformed_key_is_refused(key: str) -> None:
    response = send(make_key(), key)
    assert (response.status_code, response.json()["code"]) == (400, "bad_idempotency_key")


@pytest.mark.django_db
def test_a_refused_request_leaves_the_key_free() -> None:
    secret = make_key()
    headers = {"Authorization": f"Api-Key {secret}", "Idempotency-Key": "k"}
    refused = Client().post("/api/v1/events/batch", b"{", content_type="application/json", headers=headers)
    assert refused.status_code == 400
    assert send(secret, "k").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_sent_many_times_at_once_it_is_done_once() -> None:
    secret = make_key()
    for number in range(10):
        answers = together(8, lambda _, key=f"k{number}", body=b"%d" % number: send(secret, key, body))
        statuses = Counter(answer.status_code for answer in answers)
        assert set(statuses) <= {200, 409}
        assert {a.json()["code"] for a in answers if a.status_code == 409} <= {"in_flight"}
        assert {a.json()["accepted"] for a in answers if a.status_code == 200} == {1}
    assert Event.objects.count() == 10
    assert IdempotencyRecord.objects.count() == 10


@pytest.mark.django_db(transaction=True)
def test_concurrent_batches_with_the_same_new_people_make_each_once() -> None:
    secret = make_key()
    headers = {"Authorization": f"Api-Key {secret}"}

    def work(number: int) -> Any:
        order = range(20) if number % 2 else reversed(range(20))
        items = ",".join(
            f'{{"message_id":"{number}-{n}","type":"t","occurred_at":"2026-11-20T10:00:00+08:00",'
            f'"member":{{"phone":"138000000{n:02}","app_user":"u{n}"}}}}'
            for n in order
        )
        return Client().post(
            "/api/v1/events/batch", f"[{items}]".encode(), content_type="application/json", headers=headers
        )

    answers = together(8, work)
    assert [answer.json()["accepted"] for answer in answers] == [20] * 8
    assert (Member.objects.count(), Identity.objects.count(), Event.objects.count()) == (20, 40, 160)
