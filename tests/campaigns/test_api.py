"""Campaigns, their report and consent by the API."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from members.models import Consent
from scrm.common.access import Role
from tests import factories
from tests.campaigns import building

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    return factories.client_as(Role.ADMIN)


def post(client: Client, path: str, body: Any) -> Any:
    return client.post(f"/api/v1/{path}", json.dumps(body), content_type="application/json")


def test_a_campaign_is_made_started_stopped_and_reported(client: Client) -> None:
    segment, account = building.make_segment(building.make_audience(2)), building.sandbox()
    made = post(client, "campaigns", {"name": "A", "segment_id": segment.pk, "account_id": account.pk, "body": "hi"})
    assert made.status_code == 201
    pk = made.json()["id"]
    assert post(client, f"campaigns/{pk}/pause", {}).json()["code"] == "wrong_state"
    started = post(client, f"campaigns/{pk}/start", {})
    assert (started.status_code, started.json().get("state")) == (200, "scheduled"), started.json()
    stopped = post(client, f"campaigns/{pk}/stop", {"reason": "no"}).json()
    assert stopped.get("state") == "stopped", stopped
    report = client.get(f"/api/v1/campaigns/{pk}/report").json()
    assert "state" in report, report
    assert (report["state"], report["audience"], report["orders"]["net_amount"]) == ("stopped", 0, "0.00")
    assert [item["name"] for item in client.get("/api/v1/campaigns?state=stopped").json()["items"]] == ["A"]


@pytest.mark.parametrize(
    "change",
    [{"name": ""}, {"segment_id": 10**30}, {"account_id": 999999}, {"body": "{{ x }}"}, {"quiet_from": "25:00"},
     {"name": "\x00"}, {"control_percent": 51}, {"segment_id": 999999}],
)  # fmt: skip
def test_bad_input_is_refused_with_a_type(client: Client, change: dict[str, Any]) -> None:
    segment, account = building.make_segment([]), building.sandbox()
    body = {"name": "A", "segment_id": segment.pk, "account_id": account.pk, "body": "hi", **change}
    answer = post(client, "campaigns", body)
    assert 400 <= answer.status_code < 500
    assert answer.json()["code"]


def test_templates_are_listed_and_made(client: Client) -> None:
    assert post(client, "templates", {"name": "T", "channel": "email", "subject": "s", "body": "b"}).status_code == 201
    assert post(client, "templates", {"name": "T", "channel": "email", "body": "b"}).json()["code"] == "name_taken"
    assert [item["name"] for item in client.get("/api/v1/templates").json()["items"]] == ["T"]


def test_consents_are_answered_item_by_item(client: Client) -> None:
    member = factories.make_member(email="a@example.com")
    yes = {
        "member": {"email": "A@example.com"}, "channel": "email", "state": "granted", "at": "2026-01-01T00:00:00+08:00",
    }  # fmt: skip
    items = [
        yes,
        yes,
        {**yes, "member": {"email": "nobody@example.com"}},
        {**yes, "channel": "pigeon"},
        {**yes, "at": "2099-01-01T00:00:00Z"},
        {**yes, "member": {"member_id": member.pk}, "state": "withdrawn", "at": "2025-01-01T00:00:00Z"},
    ]
    answer = post(client, "consents/batch", items).json()
    assert [(one["status"], one.get("code", "")) for one in answer["results"]] == [
        ("accepted", ""), ("duplicate", ""), ("rejected", "unknown_member"), ("rejected", "invalid"),
        ("rejected", "in_future"), ("accepted", ""),
    ]  # fmt: skip
    assert Consent.objects.get(member=member).state == "granted"
