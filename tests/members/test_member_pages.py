"""The member pages: what each role and scope sees, changes, reveals and exports."""

from __future__ import annotations

import csv
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from members import tasks as members_tasks  # registers the kinds of jobs
from members.models import Identity, Member
from members.operations import exports
from scrm.common import jobs
from scrm.common.access import DataScope, Role
from scrm.common.models import AuditEntry, Job
from tests.factories import NOW, client_as, make_member, make_order, make_region, make_staff, make_store

pytestmark = pytest.mark.django_db


@pytest.fixture
def member() -> Member:
    region = make_region()
    store = make_store("S1", region=region)
    owner = make_staff(store=store)
    return make_member(
        name="王芳", phone="+8613800000001", store=store, owner=owner, joined_at=NOW - timedelta(days=400)
    )


def phone_of(member: Member) -> Identity:
    return Identity.objects.get(member=member, kind="phone")


@pytest.mark.parametrize("scope", [DataScope.REGION, DataScope.STORE, DataScope.OWN])
def test_a_member_outside_the_scope_is_not_found_anywhere(member: Member, scope: DataScope) -> None:
    make_order(member)
    elsewhere = make_store("S2", region=make_region("north", "华北"))
    stranger = client_as(Role.STORE_STAFF, scope=scope, staff=make_staff(store=elsewhere))
    inside = client_as(Role.STORE_STAFF, scope=scope, staff=member.owner)
    for address in ("", "?tab=orders", "?tab=consent", "?tab=timeline&cursor=x", "edit/"):
        assert stranger.get(f"/members/{member.pk}/{address}").status_code == 404
    assert inside.get(f"/members/{member.pk}/").status_code == 200
    assert b'name="id"' not in stranger.get("/members/").content
    assert inside.get("/members/").content.count(b'name="id"') == 1


def test_masked_values_are_shown_and_whole_ones_are_not(member: Member) -> None:
    page = client_as(Role.ADMIN).get(f"/members/{member.pk}/").content.decode()
    assert "138****0001" in page
    assert "13800000001" not in page


def test_a_reveal_shows_the_value_and_is_on_the_audit_log(member: Member) -> None:
    client = client_as(Role.OPERATOR)
    address = f"/members/{member.pk}/identities/{phone_of(member).pk}/reveal/"
    answer = client.post(address, {"reason": "退货联系"})
    assert "+8613800000001" in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    entry = AuditEntry.objects.get(action="reveal")
    assert (entry.object_type, entry.object_id) == ("members_member", str(member.pk))
    assert entry.changes == {"identity": [None, "phone"], "reason": [None, "退货联系"]}


def test_a_reveal_without_reason_or_permission_shows_nothing(member: Member) -> None:
    address = f"/members/{member.pk}/identities/{phone_of(member).pk}/reveal/"
    assert "13800000001" not in client_as(Role.OPERATOR).post(address, {"reason": " "}).content.decode()
    assert client_as(Role.AUDITOR).post(address, {"reason": "x"}).status_code == 403
    assert client_as(Role.OPERATOR).get(address).status_code == 405
    assert not AuditEntry.objects.filter(action="reveal").exists()


def test_another_members_identity_is_not_revealed_under_this_one(member: Member) -> None:
    other = make_member(phone="+8613900000002")
    address = f"/members/{member.pk}/identities/{phone_of(other).pk}/reveal/"
    assert client_as(Role.ADMIN).post(address, {"reason": "x"}).status_code == 404


def form_of(member: Member, **changes: Any) -> dict[str, Any]:
    return {
        "name": member.name,
        "gender": member.gender,
        "birth_on": "",
        "city": member.city,
        "province": "",
        "store": member.store_id or "",
        "owner": member.owner_id or "",
        "seen_at": member.updated_at.isoformat(),
        "attribute_name": ["宠物", ""],
        "attribute_value": ["猫", ""],
    } | changes


def test_editing_saves_once_and_a_stale_form_is_a_conflict(member: Member) -> None:
    member.refresh_from_db()
    client = client_as(Role.OPERATOR)
    address = f"/members/{member.pk}/edit/"
    assert client.post(address, form_of(member, city="苏州")).status_code == 302
    changed = Member.objects.get(pk=member.pk)
    assert (changed.city, changed.attributes) == ("苏州", {"宠物": "猫"})
    stale = client.post(address, form_of(member, city="杭州"))
    assert stale.status_code == 409
    assert Member.objects.get(pk=member.pk).city == "苏州"


def test_staff_cannot_move_a_member_out_of_their_own_sight(member: Member) -> None:
    member.refresh_from_db()
    other = make_store("S2", region=make_region("north", "华北"))
    client = client_as(Role.STORE_STAFF, scope=DataScope.STORE, staff=member.owner)
    assert client.post(f"/members/{member.pk}/edit/", form_of(member, store=other.pk)).status_code == 422
    assert Member.objects.get(pk=member.pk).store_id == member.store_id


def test_an_export_holds_what_the_actor_may_see_and_no_formula(
    member: Member, django_capture_on_commit_callbacks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_member(name="=HYPERLINK(1)", store=member.store)
    make_member(name="外人", store=make_store("S2"))
    client = client_as(Role.OPERATOR, scope=DataScope.STORE, staff=member.owner)
    monkeypatch.setattr(jobs, "announce", lambda job_id: None)
    answer = client.post("/members/export/", {"query": "sort=joined"})
    assert answer.status_code == 302
    job = Job.objects.get(kind=exports.KIND)
    assert members_tasks.run_member_export is not None
    jobs.run(job_id=job.pk)
    job.refresh_from_db()
    assert job.state == "succeeded", job.error
    body = b"".join(client.get(job.result_url)).decode("utf-8-sig")  # type: ignore[arg-type]
    rows = list(csv.DictReader(body.splitlines()))
    assert [list(row.values())[1] for row in rows] == ["王芳", "'=HYPERLINK(1)"]
    assert "13800000001" not in body
    assert AuditEntry.objects.get(action="export").changes["rows"] == [None, 2]
    assert client_as(Role.ADMIN).get(job.result_url).status_code == 404


@pytest.mark.parametrize("role", [Role.STORE_STAFF, Role.AUDITOR])
def test_roles_without_the_permission_do_not_export(role: Role) -> None:
    assert client_as(role).post("/members/export/", {"query": ""}).status_code == 403


@pytest.mark.parametrize(
    "address",
    ["/members/?joined_after=x", "/members/?sort=x", "/members/?cursor=x", "/members/?q=%00", "/members/?tag=x"],
)
def test_a_bad_address_says_so(address: str) -> None:
    answer = client_as(Role.ADMIN).get(address)
    assert answer.status_code == 200
    assert b'role="alert"' in answer.content


def test_a_row_shows_what_was_typed_whatever_it_looks_like() -> None:
    store = make_store("S1", name="<店> {href}")
    make_member(name="{number}<b>&", city="'{'", store=store, owner=make_staff("{}", store=store), gender="f")
    page = client_as(Role.ADMIN).get("/members/").content.decode()
    assert "<b>{number}&lt;b&gt;&amp;</b>" in page
    assert 'aria-label="{number}&lt;b&gt;&amp;"' in page
    assert '&#x27;{&#x27;<small class="sub">&lt;店&gt; {href}</small></td>' in page
    assert ">{}</td>" in page


def test_more_rows_come_without_the_page_around_them() -> None:
    for _ in range(51):
        make_member()
    client = client_as(Role.OPERATOR)
    first = client.get("/members/").content.decode()
    assert first.count('name="id"') == 50
    cursor = first.split("cursor=")[1].split('"')[0]
    more = client.get(f"/members/?cursor={cursor}", headers={"HX-Request": "true"}).content.decode()
    assert (more.count('name="id"'), more.count("<tr>"), "<html" in more) == (1, 1, False)


def test_a_list_without_members_differs_from_one_without_matches() -> None:
    client = client_as(Role.ADMIN)
    assert b"/imports/new/" in client.get("/members/").content
    make_member(name="王芳")
    assert '/imports/new/">' not in client.get("/members/?q=李").content.decode().split('id="results"')[1]


def test_timeline_orders_and_refunds_are_on_the_page(member: Member) -> None:
    make_order(member, external_number="A-1", amount=12_345)
    page = client_as(Role.ADMIN).get(f"/members/{member.pk}/").content.decode()
    assert "#A-1" in page
    assert "¥123.45" in page


def test_stores_are_for_those_who_manage_settings() -> None:
    assert client_as(Role.OPERATOR).get("/stores/").status_code == 403
    admin: Client = client_as(Role.ADMIN)
    saved = admin.post("/stores/new/", {"code": "N1", "name": "新店", "kind": "shop", "is_active": "on"})
    assert saved.status_code == 302
    again = admin.post("/stores/new/", {"code": "N1", "name": "又一家", "kind": "shop"})
    assert again.status_code == 422
