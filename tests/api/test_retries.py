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
from scrm.common.reactions import Facts

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ended() -> Iterator[list[int]]:
    """How many of the next batches Postgres ends: the first number in the list."""
    left = [0]

    def end(_facts: Facts) -> None:
        if left[0]:
            left[0] -= 1
            with connection.cursor() as cursor:
                cursor.execute("DO $$ BEGIN RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '40P01'; END $$")

    before = list(reactions._reactions)
    reactions.install([*before, end])
    yield left
    reactions.install(before)


def post() -> Any:
    _, secret = api_keys.create(name="shop", scopes=["facts.write"], actor=SYSTEM)
    item = {"message_id": "m", "type": "t", "occurred_at": "2026-11-20T10:00:00Z", "member": {"app_user": "u"}}
    return Client(raise_request_exception=False).post(
        "/api/v1/events/batch",
        json.dumps([item]),
        content_type="application/json",
        headers={"Authorization": f"Api-Key {secret}"},
    )


def test_a_deadlock_is_tried_again_and_the_batch_lands_once(ended: list[int]) -> None:
    ended[0] = 2
    response = post()
    assert (response.status_code, response.json()["accepted"]) == (200, 1)
    assert (ended[0], Event.objects.count(), MemberSummary.objects.get().event_count) == (0, 1, 1)


def test_three_deadlocks_in_a_row_leave_nothing(ended: list[int]) -> None:
    ended[0] = 3
    assert post().status_code == 500
    assert Event.objects.count() == 0
