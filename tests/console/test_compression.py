"""What travels compressed, and that it is the same when it is unpacked."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from members.operations import exports
from scrm.common.access import Role
from scrm.common.models import Job
from tests.factories import NOW, client_as, make_member, make_order, make_staff, make_store

pytestmark = pytest.mark.django_db


def fetched(client: Client, address: str) -> tuple[Any, bytes]:
    """The answer to a browser that takes gzip, and its body unpacked."""
    answer = client.get(address, headers={"Accept-Encoding": "gzip, deflate, br"})
    assert answer.status_code == 200
    body = answer.getvalue()
    assert answer["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in answer["Vary"]
    return answer, gzip.decompress(body)


def without_tokens(page: bytes) -> str:
    return re.sub(r'(csrfmiddlewaretoken" value|X-CSRFToken")(=|: )"\w+"', "", page.decode())


def test_the_member_list_is_small_on_the_wire_and_the_same_page() -> None:
    client = client_as(Role.ADMIN)
    for number in range(50):
        make_order(make_member(phone=f"+86138{number:08}", store=make_store(), owner=make_staff(), city="上海"))
    plain = client.get("/members/")
    assert "Content-Encoding" not in plain
    answer, page = fetched(client, "/members/")
    assert len(answer.content) < 20_000 < len(page)
    assert without_tokens(page) == without_tokens(plain.content)
    assert answer["Content-Security-Policy"] == plain["Content-Security-Policy"]


def test_the_api_answers_compressed_as_well() -> None:
    client = client_as(Role.ADMIN)
    for _ in range(5):
        make_member()
    _, body = fetched(client, "/api/v1/members")
    assert body == client.get("/api/v1/members").content


def test_a_short_answer_stays_as_it_is() -> None:
    answer = client_as(Role.ADMIN).get("/api/v1/members", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in answer
    assert answer.json() == {"items": [], "next_cursor": None}


def test_a_download_is_whole_with_and_without_compression(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = client_as(Role.ADMIN)
    content = b"id,name\r\n" + b"1,\xe7\x8e\x8b\xe8\x8a\xb3\r\n" * 50_000
    user_id = int(client.session["_auth_user_id"])
    job = Job.objects.create(kind=exports.KIND, state="succeeded", finished_at=NOW, created_by_id=user_id)
    monkeypatch.setattr(settings, "MEDIA_ROOT", tmp_path)
    path = exports.path_of(job)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    address = f"/members/exports/{job.pk}/"
    plain = client.get(address)
    assert plain.getvalue() == content
    answer, body = fetched(client, address)
    assert body == content
    assert answer["Content-Disposition"] == plain["Content-Disposition"]
    assert "Content-Length" not in answer
