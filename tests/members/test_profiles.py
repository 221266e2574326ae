"""One member: who may look, what is masked, what a look behind the mask leaves behind, and what an edit may be."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from members.models import Identity, Member
from members.operations import profiles as acts
from members.queries import profiles
from members.queries.scopes import actor_of
from scrm.common import audit
from scrm.common.access import SYSTEM, Actor, DataScope, Role
from scrm.common.errors import Conflict, Forbidden, Invalid, NotFound
from scrm.common.models import AuditEntry
from scrm.common.transactions import acting_as
from tests.factories import NOW, make_member, make_order, make_region, make_staff, make_store, make_user

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(days=1_000)


@pytest.fixture
def member() -> Member:
    store = make_store("S1", region=make_region())
    member = make_member(name="王芳", phone="+8613800000001", store=store, owner=make_staff(store=store), city="上海")
    member.refresh_from_db()
    return member


def staff_of(member: Member, scope: DataScope) -> Actor:
    return actor_of(make_user(Role.STORE_STAFF, scope=scope, staff=member.owner))


def stranger(scope: DataScope, role: Role = Role.STORE_STAFF) -> Actor:
    elsewhere = make_store("S2", region=make_region("north", "华北"))
    return actor_of(make_user(role, scope=scope, staff=make_staff(store=elsewhere)))


def phone_of(member: Member) -> Identity:
    return Identity.objects.get(member=member, kind="phone")


# --- who may look -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", [DataScope.REGION, DataScope.STORE, DataScope.OWN])
def test_a_member_is_there_within_the_scope_and_not_found_outside(member: Member, scope: DataScope) -> None:
    assert profiles.get(member_id=member.pk, actor=staff_of(member, scope)).pk == member.pk
    with pytest.raises(NotFound):
        profiles.get(member_id=member.pk, actor=stranger(scope))


def test_a_scope_without_what_it_needs_sees_nobody(member: Member) -> None:
    for scope in (DataScope.REGION, DataScope.STORE, DataScope.OWN):
        with pytest.raises(NotFound):
            profiles.get(member_id=member.pk, actor=actor_of(make_user(Role.STORE_STAFF, scope=scope)))


@pytest.mark.parametrize("member_id", [0, -1, 2**63, 10**40])
def test_an_id_that_can_be_nobodys_is_not_found(member_id: int) -> None:
    with pytest.raises(NotFound):
        profiles.get(member_id=member_id, actor=SYSTEM)


def test_merged_and_erased_members_are_not_found(member: Member) -> None:
    erased, merged = make_member(status="erased"), make_member(status="merged", merged_into=member)
    for gone in (erased, merged):
        with pytest.raises(NotFound):
            profiles.get(member_id=gone.pk, actor=SYSTEM)


def test_identities_come_masked_or_shortened(member: Member) -> None:
    Identity.objects.create(member=member, kind="device", value="0123456789abcdef0123456789abcdef")
    Identity.objects.create(member=member, kind="number", value="VIP7@shop")
    shown = [(one.kind, one.shown, one.sealed) for one in profiles.known_as(member.pk)]
    assert sorted(shown) == [
        ("device", "0123456789…89abcdef", False),
        ("number", "VIP7@shop", False),
        ("phone", "138****0001", True),
    ]
    assert shown[0][0] == "phone"


def test_orders_that_tie_are_paged_once_each(member: Member) -> None:
    for _ in range(5):
        make_order(member, paid_at=NOW)
    seen, cursor = [], None
    while True:
        page = profiles.orders(member_id=member.pk, cursor=cursor, size=2)
        seen += [row.pk for row in page.rows]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) == 5


# --- behind the mask ----------------------------------------------------------------------------------------------


def test_every_look_is_on_the_audit_log_with_its_reason_and_who(member: Member) -> None:
    actor = actor_of(make_user(Role.OPERATOR))
    for reason in ("退货联系", " 退货联系 "):
        with acting_as(actor):
            value = acts.reveal(actor=actor, member_id=member.pk, identity_id=phone_of(member).pk, reason=reason)
        assert value == "+8613800000001"
    entries = list(AuditEntry.objects.filter(action="reveal"))
    assert [(one.actor, one.object_type, one.object_id) for one in entries] == [
        (actor.ref, "members_member", str(member.pk))
    ] * 2
    assert [one.changes["reason"] for one in entries] == [[None, "退货联系"]] * 2


def test_a_look_that_cannot_be_logged_does_not_happen(member: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> None:
        raise RuntimeError("the log is full")

    monkeypatch.setattr(audit, "record", refuse)
    with pytest.raises(RuntimeError, match="the log is full"):
        acts.reveal(actor=SYSTEM, member_id=member.pk, identity_id=phone_of(member).pk, reason="x")


@pytest.mark.parametrize("reason", ["", "  ", "x" * 201, "a\nb", "a\0b"])
def test_a_look_needs_a_reason_that_can_be_read(member: Member, reason: str) -> None:
    with pytest.raises(Invalid) as caught:
        acts.reveal(actor=SYSTEM, member_id=member.pk, identity_id=phone_of(member).pk, reason=reason)
    assert caught.value.detail["field"] == "reason"
    assert not AuditEntry.objects.filter(action="reveal").exists()


def test_nobody_looks_without_permission_outside_the_scope_or_at_others(member: Member) -> None:
    identity_id = phone_of(member).pk
    with pytest.raises(Forbidden):
        acts.reveal(actor=actor_of(make_user(Role.AUDITOR)), member_id=member.pk, identity_id=identity_id, reason="x")
    with pytest.raises(NotFound):
        acts.reveal(
            actor=stranger(DataScope.STORE, Role.OPERATOR), member_id=member.pk, identity_id=identity_id, reason="x"
        )
    with pytest.raises(NotFound):
        acts.reveal(actor=SYSTEM, member_id=make_member().pk, identity_id=identity_id, reason="x")
    assert not AuditEntry.objects.filter(action="reveal").exists()


# --- changing -----------------------------------------------------------------------------------------------------


def edit(member: Member, *, actor: Actor = SYSTEM, **changes: Any) -> Member:
    return acts.edit(
        actor=actor, member_id=member.pk, changes=changes, seen_at=member.updated_at, now=LATER  # type: ignore[arg-type]
    )  # fmt: skip


def test_only_what_is_given_changes_and_the_audit_log_has_before_and_after(member: Member) -> None:
    changed = edit(member, city=" 苏州 ", birth_on=date(1990, 2, 28))
    assert (changed.name, changed.city, changed.birth_on, changed.updated_at) == (
        "王芳", "苏州", date(1990, 2, 28), LATER,
    )  # fmt: skip
    entry = AuditEntry.objects.get(object_type="members_member", action="update")
    assert (entry.changes["city"], entry.changes["birth_on"]) == (["上海", "苏州"], [None, "1990-02-28"])
    assert "name" not in entry.changes


def test_who_saw_an_older_state_is_told_and_changes_nothing(member: Member) -> None:
    edit(member, city="苏州")
    with pytest.raises(Conflict) as caught:
        edit(member, city="杭州")
    assert (caught.value.code, caught.value.detail["updated_at"]) == ("changed_meanwhile", LATER.isoformat())
    assert Member.objects.get(pk=member.pk).city == "苏州"


def test_nobody_moves_a_member_out_of_their_own_sight(member: Member) -> None:
    other = make_store("S2", region=make_region("north", "华北"))
    with pytest.raises(Forbidden) as caught:
        edit(member, actor=staff_of(member, DataScope.STORE), store_id=other.pk)
    assert caught.value.code == "leaves_scope"
    assert Member.objects.get(pk=member.pk).store_id == member.store_id


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ({"a": float("inf")}, "wrong_type"),
        ({"a": float("nan")}, "wrong_type"),
        ({"a": 2**63}, "wrong_type"),
        ({"a": [1]}, "wrong_type"),
        ({"": 1}, "missing"),
        ({"a" * 41: 1}, "too_long"),
        ({"a": "\x00"}, "forbidden_character"),
        ({str(number): 1 for number in range(51)}, "too_many"),
    ],
)
def test_attributes_are_texts_numbers_and_yes_or_no(member: Member, value: dict[str, Any], code: str) -> None:
    with pytest.raises(Invalid) as caught:
        edit(member, attributes=value)
    assert (caught.value.code, caught.value.detail["field"]) == (code, "attributes")
    kept = {"茶": "绿", "数": 1.5, "大": 2**63 - 1, "会员": True, "无": None}
    assert edit(member, attributes=kept).attributes == kept
