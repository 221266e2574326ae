"""The audit log sees every change, by whoever and however, and cannot be rewritten."""

from __future__ import annotations

import pytest
from django.db import ProgrammingError, connection, transaction

from members.models import Region
from scrm.common import audit
from scrm.common.access import Actor, Permission
from scrm.common.models import AuditEntry, User
from scrm.common.transactions import acting_as, atomic

pytestmark = pytest.mark.django_db

ANNE = Actor(kind="user", id=7, name="Anne", permissions=frozenset(Permission))


def entries(table: str) -> list[tuple[str, str, dict[str, list[object]]]]:
    rows = AuditEntry.objects.filter(object_type=table).order_by("id")
    return [(row.actor, row.action, row.changes) for row in rows]


def test_a_change_is_recorded_with_before_and_after() -> None:
    with acting_as(ANNE), atomic():
        region = Region.objects.create(code="east", name="华东")
        region.name = "华东区"
        region.save()
    assert entries("members_region") == [
        ("user:7", "insert", {"id": [None, region.pk], "code": [None, "east"], "name": [None, "华东"]}),
        ("user:7", "update", {"name": ["华东", "华东区"]}),
    ]


def test_a_bulk_update_in_plain_sql_is_seen_row_by_row() -> None:
    Region.objects.bulk_create([Region(code="a", name="A"), Region(code="b", name="B")])
    with acting_as(ANNE), atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE members_region SET name = lower(name)")
    assert entries("members_region")[2:] == [
        ("user:7", "update", {"name": ["A", "a"]}),
        ("user:7", "update", {"name": ["B", "b"]}),
    ]


def test_an_update_that_changes_nothing_leaves_no_entry() -> None:
    region = Region.objects.create(code="a", name="A")
    region.save()
    assert len(entries("members_region")) == 1


def test_a_password_never_reaches_the_log() -> None:
    user = User.objects.create_user("clerk", password="something long and secret")
    user.set_password("another long secret")
    user.save()
    assert all("password" not in changes for _, _, changes in entries("common_user"))


def test_a_look_is_recorded_as_well() -> None:
    with acting_as(ANNE), atomic():
        audit.record(action="reveal", object_type="members_member", object_id=5, detail={"reason": "回访"})
    assert entries("members_member") == [("user:7", "reveal", {"reason": [None, "回访"]})]


@pytest.mark.parametrize("statement", ["UPDATE common_auditentry SET actor = 'x'", "DELETE FROM common_auditentry"])
def test_the_log_cannot_be_rewritten(statement: str) -> None:
    Region.objects.create(code="a", name="A")
    with (
        pytest.raises(ProgrammingError, match="append_only|Cannot update or delete"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
    assert len(entries("members_region")) == 1
