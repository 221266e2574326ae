"""Who gets into the API, what is refused, and in which words."""

from __future__ import annotations

import json
import secrets
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from scrm.common import api_keys, clock
from scrm.common.access import SYSTEM, DataScope, Role
from scrm.common.models import ApiKey, AuditEntry
from tests.factories import client_as, make_member

pytestmark = pytest.mark.django_db
EVENTS = "/api/v1/events/batch"


def make_key(*scopes: str, **values: Any) -> tuple[ApiKey, str]:
    return api_keys.create(name="shop", scopes=list(scopes) or ["facts.write"], actor=SYSTEM, **values)


def post(path: str, body: Any, secret: str | None = None, client: Client | None = None, **headers: str) -> Any:
    if secret is not None:
        headers["Authorization"] = f"Api-Key {secret}"
    data = body if isinstance(body, bytes) else json.dumps(body)
    headers.setdefault("Content-Type", "application/json")
    content_type = headers.pop("Content-Type")
    return (client or Client()).post(path, data, content_type=content_type, headers=headers)


def problem(response: Any) -> tuple[int, str]:
    assert response["Content-Type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == response.status_code
    assert set(body) >= {"type", "title", "status", "detail", "code"}
    return response.status_code, body["code"]


def test_without_a_key_nothing() -> None:
    response = post(EVENTS, [])
    assert problem(response) == (401, "not_authenticated")
    assert response["WWW-Authenticate"] == "Api-Key"


def test_a_key_with_the_scope_gets_in_and_its_use_is_noted() -> None:
    key, secret = make_key()
    response = post(EVENTS, [], secret)
    assert response.status_code == 200
    assert response.json() == {
        "accepted": 0, "updated": 0, "duplicate": 0, "ignored": 0, "rejected": 0, "results": [],
    }  # fmt: skip
    key.refresh_from_db()
    assert key.last_used_at is not None


def test_every_other_scope_is_not_enough() -> None:
    _, secret = make_key(*[p for p in SYSTEM.permissions if p != "facts.write"])
    assert problem(post(EVENTS, [], secret)) == (403, "forbidden")


def test_forged_keys_get_nothing() -> None:
    _, secret = make_key()
    prefix, _, tail = secret.partition(".")
    forged = [secret[:-1], secret + "x", prefix, f"{prefix}.", f".{tail}", "", " ", "\x00", "é" * 50, "a" * 5000]
    flipped = [secret[:i] + ("A" if secret[i] != "A" else "B") + secret[i + 1 :] for i in range(len(secret))]
    forged += flipped + [f"{prefix}.{secrets.token_urlsafe(32)}" for _ in range(100)]
    for one in forged:
        assert problem(post(EVENTS, [], one)) == (401, "bad_key"), one


def test_revoked_expired_and_foreign_addresses_are_refused_at_once() -> None:
    key, secret = make_key()
    assert post(EVENTS, [], secret).status_code == 200
    api_keys.revoke(key_id=key.pk, now=clock.now())
    assert problem(post(EVENTS, [], secret)) == (401, "bad_key")
    _, expired = make_key(expires_at=clock.now() - timedelta(seconds=1))
    assert problem(post(EVENTS, [], expired)) == (401, "bad_key")
    _, elsewhere = make_key(allowed_ips=["10.0.0.0/8"])
    assert problem(post(EVENTS, [], elsewhere)) == (401, "bad_key")
    _, here = make_key(allowed_ips=["127.0.0.1"])
    assert post(EVENTS, [], here).status_code == 200


def test_beyond_its_rate_a_key_waits() -> None:
    key, secret = make_key()
    ApiKey.objects.filter(pk=key.pk).update(per_minute=0)
    response = post(EVENTS, [], secret)
    assert problem(response) == (429, "too_many_requests")
    assert 1 <= int(response["Retry-After"]) <= 60


def test_a_console_user_writes_with_the_csrf_token_only() -> None:
    client = client_as(Role.OPERATOR)
    assert post(EVENTS, [], client=client).status_code == 200
    client.handler.enforce_csrf_checks = True
    assert problem(post(EVENTS, [], client=client)) == (403, "forbidden")


def test_roles_and_scopes_of_console_users_hold_in_the_api() -> None:
    assert problem(post(EVENTS, [], client=client_as(Role.AUDITOR))) == (403, "forbidden")
    limited = client_as(Role.OPERATOR, scope=DataScope.STORE)
    assert problem(post(EVENTS, [], client=limited)) == (403, "forbidden")


def test_what_a_key_changes_is_audited_under_its_name() -> None:
    key, secret = make_key()
    member = make_member(name="旧名")
    response = post("/api/v1/members/batch", [{"member_id": member.pk, "name": "新名"}], secret)
    assert response.json()["updated"] == 1
    entry = AuditEntry.objects.get(object_type="members_member", object_id=str(member.pk), action="update")
    assert entry.actor == f"key:{key.pk}"
    assert entry.changes["name"] == ["旧名", "新名"]


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("get", "/api/v1/nowhere", (404, "not_found")),
        ("get", "/api/nowhere", (404, "not_found")),
        ("get", EVENTS, (405, "method_not_allowed")),
        ("delete", EVENTS, (405, "method_not_allowed")),
    ],
)
def test_wrong_addresses_and_methods_are_problems(method: str, path: str, expected: tuple[int, str]) -> None:
    _, secret = make_key()
    response = Client().generic(method.upper(), path, headers={"Authorization": f"Api-Key {secret}"})
    assert problem(response) == expected


def test_only_json_is_read() -> None:
    _, secret = make_key()
    response = post(EVENTS, b"a,b", secret, **{"Content-Type": "text/csv"})
    assert problem(response) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("patch", "/api/v1/members/{id}"),
        ("post", "/api/v1/tags"),
        ("post", "/api/v1/segments"),
        ("post", "/api/v1/segments/preview"),
        ("post", "/api/v1/analytics/rfm/runs"),
        ("post", "/api/v1/campaigns"),
    ],
)
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_json_nested_a_hundred_thousand_deep_is_malformed(method: str, path: str, opening: str, closing: str) -> None:
    _, secret = make_key(*SYSTEM.permissions)
    body = opening * 100_000 + "1" + closing * 100_000
    response = Client().generic(
        method.upper(),
        path.format(id=make_member().pk),
        body,
        content_type="application/json",
        headers={"Authorization": f"Api-Key {secret}"},
    )
    assert problem(response)[0] == 400


def test_the_description_names_the_batch_routes_and_shapes() -> None:
    schema = Client().get("/api/v1/openapi.json").json()
    assert schema["openapi"].startswith("3.1")
    operation = schema["paths"][EVENTS]["post"]
    assert operation["requestBody"]["content"]["application/json"]["schema"]["items"] == {
        "$ref": "#/components/schemas/EventIn"
    }
    assert {"200", "401", "409", "413", "422", "429"} <= set(operation["responses"])
    assert schema["components"]["schemas"]["OrderIn"]["properties"]["number"]["maxLength"] == 64
    assert "Idempotency-Key" in {p["name"] for p in operation["parameters"]}


def test_the_reference_page_is_for_everybody_and_shows_the_routes() -> None:
    for client in (Client(), client_as(Role.AUDITOR)):
        page = client.get("/api/docs/")
        assert page.status_code == 200
        assert "/api/v1/orders/batch" in page.content.decode()


def test_the_command_prints_the_key_alone_on_the_last_line() -> None:
    out = StringIO()
    call_command("create_api_key", name="till", scopes="all", stdout=out, stderr=StringIO())
    secret = out.getvalue().rstrip("\n").splitlines()[-1]
    assert post(EVENTS, [], secret).status_code == 200
    with pytest.raises(CommandError):
        call_command("create_api_key", name="till", scopes="members.view,nonsense", stdout=StringIO())
