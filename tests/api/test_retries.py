"""A batch that Postgres ends to resolve a deadlock is done again: a sender never sees a 500 for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from members.models import Event, MemberSummary
from scrm.common import api_keys, reactions
from scrm.common.access import SYSTEM
from scrm.common.gates import Signatures
from scrm.common.reactions import Facts

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ended() -> Iterator[list[int]]:
    """How many of the next batches Postgres ends: the first number in the list."""
    left = [0]

    def end(_facts: Facts, _signatures: Signatures) -> None:
        if left[0]:
            left[0] -= 1
            with connection.cursor() as cursor:
                cursor.execute("DO $$ BEGIN RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '40P01'; END $$")

    before = list(reactions._reactions)
    reactions.install([*before, end])
    yield left
    reactions.install(before)


def secret_of_a_key() -> str:
    return api_keys.create(name="shop", scopes=["facts.write"], actor=SYSTEM)[1]


def post(key: str = "", secret: str = "") -> Any:
    secret = secret or secret_of_a_key()
    item = {"message_id": "m", "type": "t", "occurred_at": "2026-11-20T10:00:00Z", "member": {"app_user": "u"}}
    return Client(raise_request_exception=False).post(
        "/api/v1/events/batch",
        json.dumps([item]),
        content_type="application/json",
        headers={"Authorization": f"Api-Key {secret}"} | ({"Idempotency-Key": key} if key else {}),
    )


def test_a_deadlock_is_tried_again_and_the_batch_lands_once(ended: list[int]) -> None:
    ended[0] = 2
    response = post()
    assert (response.status_code, response.json()["accepted"]) == (200, 1)
    assert (ended[0], Event.objects.count(), MemberSummary.objects.get().event_count) == (0, 1, 1)


def test_three_deadlocks_in_a_row_leave_nothing_and_ask_for_a_repeat(ended: list[int]) -> None:
    ended[0] = 3
    response = post()
    assert (response.status_code, response.json()["code"], response["Retry-After"]) == (409, "busy", "1")
    assert Event.objects.count() == 0
    assert post().json()["accepted"] == 1


def test_under_an_idempotency_key_the_repeat_does_it(ended: list[int]) -> None:
    ended[0] = 1
    secret = secret_of_a_key()
    assert (post("k", secret).status_code, Event.objects.count()) == (409, 0)
    assert (post("k", secret).json()["accepted"], Event.objects.count()) == (1, 1)
    assert (post("k", secret).json()["accepted"], Event.objects.count()) == (1, 1), "the stored answer is replayed"


def test_an_unknown_tracking_route_answers_a_problem_document() -> None:
    response = Client().get("/v1/nothing-here")
    assert (response.status_code, response["Content-Type"]) == (404, "application/problem+json")
