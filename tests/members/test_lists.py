"""Lists of members that people paste and upload: who each row means, and why a row means nobody."""

from __future__ import annotations

import io
from typing import Any

import openpyxl
import pytest

from members.models import Identity, Member
from members.operations import imports
from members.operations import lists as operations
from members.queries import lists
from members.queries.scopes import actor_of
from scrm.common.access import SYSTEM, DataScope
from scrm.common.errors import Invalid, NotFound
from tests.factories import make_member, make_source, make_staff, make_store, make_user

pytestmark = pytest.mark.django_db


def number(member: Member, value: str) -> None:
    Identity.objects.create(kind="number", value=value, member=member)


def resolve(text: str, *, kind: str = "", actor: Any = SYSTEM) -> lists.Resolved:
    return lists.resolve(lists.pasted(text, kind=kind), actor=actor)


def reasons(found: lists.Resolved) -> list[tuple[int, str, str]]:
    return [(row.line, row.text, row.reason) for row in found.unresolved]


@pytest.fixture
def people() -> tuple[Member, Member, Member]:
    make_source("shop")
    ann = make_member(phone="+8613800000001", email="ann@example.com")
    ben = make_member(phone="+8613800000002")
    cat = make_member()
    number(cat, "K-77@shop")
    return ann, ben, cat


def test_what_a_text_is_is_found_out(people: tuple[Member, Member, Member]) -> None:
    ann, ben, cat = people
    found = resolve("138 0000 0001，+86 138-0000-0002\nANN@Example.com K-77; 13999999999")
    assert found.member_ids == [ann.pk, ben.pk, cat.pk]
    assert found.repeated == 1  # Ann was there by her phone and by her address
    assert reasons(found) == [(2, "13999999999", "unknown_member")]


def test_spaces_part_ids_but_not_the_digits_of_a_phone() -> None:
    rows = lists.pasted("1081 1083\n138 0000 0001  86-138-0000-0002\n+1 415 555 0100\n13800000001 13800000002")
    assert [row.text for row in rows] == [
        "1081", "1083", "138 0000 0001", "86-138-0000-0002", "+1 415 555 0100", "13800000001", "13800000002",
    ]  # fmt: skip


def test_ids_and_numbers_that_mean_different_people_are_not_guessed(people: tuple[Member, Member, Member]) -> None:
    ann, ben, _cat = people
    number(ben, f"{ann.pk}@shop")
    assert reasons(resolve(str(ann.pk))) == [(1, str(ann.pk), "ambiguous_member")]
    assert resolve(str(ann.pk), kind="member_id").member_ids == [ann.pk]
    assert resolve(str(ann.pk), kind="number").member_ids == [ben.pk]


def test_texts_that_cannot_be_what_was_said_are_named(people: tuple[Member, Member, Member]) -> None:
    found = resolve("hello\n138****0001\n=1+1\n12", kind="phone")
    assert found.member_ids == []
    assert [reason for _line, _text, reason in reasons(found)] == ["invalid", "invalid", "formula", "invalid"]
    assert resolve("x", kind="member_id").unresolved[0].label == "不是有效值"


def test_merged_members_stand_for_the_survivor_and_erased_ones_for_nobody() -> None:
    stays, goes, erased = make_member(), make_member(), make_member()
    Member.objects.filter(pk=goes.pk).update(status="merged", merged_into=stays)
    Member.objects.filter(pk=erased.pk).update(status="erased")
    found = resolve(f"{goes.pk} {erased.pk}", kind="member_id")
    assert found.member_ids == [stays.pk]
    assert reasons(found) == [(1, str(erased.pk), "unknown_member")]


def test_nobody_outside_the_scope_is_found() -> None:
    store = make_store()
    mine, other = make_member(store=store), make_member()
    actor = actor_of(make_user(scope=DataScope.STORE, staff=make_staff(store=store)))
    found = resolve(f"{mine.pk},{other.pk}", kind="member_id", actor=actor)
    assert found.member_ids == [mine.pk]
    assert reasons(found) == [(1, str(other.pk), "unknown_member")]


def test_an_empty_or_endless_paste_is_refused() -> None:
    for text, code in ((" ,;\n", "nothing_given"), ("1" * 200_001, "too_long")):
        with pytest.raises(Invalid) as caught:
            lists.pasted(text)
        assert caught.value.code == code
    with pytest.raises(Invalid):
        lists.pasted("1", kind="device")


def read(content: bytes, *, kind: str = "") -> lists.Resolved:
    return lists.resolve(list(operations.entries_of(imports.keep(chunks=[content]), kind=kind)), actor=SYSTEM)


def test_a_file_is_read_by_the_columns_it_names(people: tuple[Member, Member, Member]) -> None:
    ann, ben, cat = people
    rows = "姓名,手机号,会员号\n安,13800000001,\n本,138****0002,\n猫,,K-77\n谁,13900000000,K-77\n两,13800000002,K-77\n"
    found = read(rows.encode("gb18030"))
    assert found.member_ids == [ann.pk, cat.pk]
    assert reasons(found) == [(6, "13800000002 | K-77", "ambiguous_member")]
    assert found.repeated == 1
    assert ben.pk not in found.member_ids


def test_a_file_without_a_header_is_read_by_its_first_column(people: tuple[Member, Member, Member]) -> None:
    ann, ben, _cat = people
    assert read(b"13800000001\n13800000002\n").member_ids == [ann.pk, ben.pk]
    assert read(b'"=""13800000001"""\n13800000002.0\n').member_ids == [ann.pk, ben.pk]
    assert read(f"编号\n{ann.pk}\n".encode(), kind="member_id").member_ids == [ann.pk]


def test_a_workbook_is_read_too(people: tuple[Member, Member, Member]) -> None:
    ann, ben, _cat = people
    book = openpyxl.Workbook()
    for row in (["手机"], [13800000001], ["+86 138 0000 0002"], ["x"]):
        book.active.append(row)  # type: ignore[union-attr]  # a new workbook has a sheet
    stream = io.BytesIO()
    book.save(stream)
    found = read(stream.getvalue())
    assert found.member_ids == [ann.pk, ben.pk]
    assert reasons(found) == [(4, "x", "invalid")]


def test_a_file_that_is_gone_or_damaged_says_so() -> None:
    with pytest.raises(NotFound):
        list(operations.entries_of("imports/none"))
    with pytest.raises(Invalid) as caught:
        read(b"PK\x03\x04broken")
    assert caught.value.code == "damaged_file"
    file = imports.keep(chunks=[b"1\n"])
    operations.discard(file)
    operations.discard(file)
