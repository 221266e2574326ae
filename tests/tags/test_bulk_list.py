"""Tagging the members of a pasted or uploaded list."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

import tags.tasks  # noqa: F401  # registers the handler of the job
from members.models import Identity, Member
from members.queries.scopes import actor_of
from scrm.common import jobs
from scrm.common.access import Actor, DataScope, Role
from scrm.common.errors import Invalid
from scrm.common.models import Job
from scrm.common.models.jobs import JobState
from tags.models import MemberTag, Tag, TagGroup
from tags.operations import bulk, catalogue, lists
from tests.factories import NOW, client_as, make_member, make_source, make_staff, make_store, make_user

pytestmark = pytest.mark.django_db


def make_tag(name: str = "茶") -> Tag:
    group = TagGroup.objects.first() or catalogue.create_group(name="兴趣")
    return catalogue.create_tag(group_id=group.pk, name=name)


def everybody() -> Actor:
    return actor_of(make_user())


def tagged() -> set[int]:
    return set(MemberTag.objects.values_list("member_id", flat=True))


@pytest.fixture
def people() -> dict[str, Member]:
    """One member for each way of being named."""
    found = {
        "phone": make_member(phone="+8613800000001"),
        "email": make_member(email="ann@example.com"),
        "number": make_member(),
        "id": make_member(),
    }
    make_source("crm")
    Identity.objects.create(kind="number", value="A-77@crm", member=found["number"])
    return found


def test_a_pasted_list_finds_members_however_they_are_named(people: dict[str, Member]) -> None:
    text = f"138 0000 0001\nAnn@Example.com, A-77\n{people['id'].pk}；13900000000 不存在\n13800000001"
    found = lists.check(file=lists.keep_text(text), kind="", actor=everybody())
    assert found.member_ids == {member.pk for member in people.values()}
    assert [(row.text, row.reason) for row in found.unresolved] == [
        ("13900000000", "unknown_member"),
        ("不存在", "unknown_member"),
    ]
    assert (found.rows, found.repeated, found.is_whole) == (7, 1, True)


def test_a_short_list_is_tagged_at_once_and_its_file_says_who_was_not_found(people: dict[str, Member]) -> None:
    tag, other = make_tag(), make_tag("旧")
    client = client_as()
    MemberTag.objects.create(member=people["phone"], tag=other)
    given = "手机号\n13800000001\n=13900000000\n".encode()
    answer = client.post(
        "/tags/by-list/",
        {
            "file": SimpleUploadedFile("名单.csv", given),
            "kind": "",
            "add": [tag.pk],
            "remove": [other.pk],
            "reason": "展会",
        },
    )
    assert answer.status_code == 302
    page = client.get(answer["Location"])
    assert (page.context["members"], page.context["found"].rows) == (1, 2)
    assert "13900000000" in page.content.decode()
    file = client.get(answer["Location"], {"unresolved": "1"})
    rows = list(csv.reader(io.StringIO(file.content.decode("utf-8-sig"))))
    assert rows[1:] == [["3", "'=13900000000", rows[1][2]]]  # a spreadsheet does not calculate it
    assert tagged() == {people["phone"].pk}
    done = client.post(answer["Location"])
    assert done.status_code == 302
    assert list(MemberTag.objects.values_list("member_id", "tag_id", "reason")) == [
        (people["phone"].pk, tag.pk, "展会")
    ]


def test_a_workbook_is_read_by_its_header(people: dict[str, Member]) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (["备注", "邮箱"], ["甲", "ann@example.com"], ["乙", "nobody@example.com"]):
        sheet.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    found = lists.check(file=lists.keep_file([buffer.getvalue()]), kind="", actor=everybody())
    assert found.member_ids == {people["email"].pk}
    assert len(found.unresolved) == 1


def test_a_long_list_becomes_a_job_with_a_file_of_who_was_not_found(
    people: dict[str, Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "AT_ONCE", 1)
    monkeypatch.setattr("members.queries.lists.CHUNK", 2)
    tag = make_tag()
    text = f"13800000001\nann@example.com\n{people['id'].pk}\nnobody@example.com\nA-77"
    values: dict[str, Any] = {"kind": "", "add": [tag.pk], "remove": [], "reason": "", "actor": everybody(), "now": NOW}
    file = lists.keep_text(text)
    started = lists.start(file=file, **values)
    assert started.job_id is not None
    assert tagged() == set()
    jobs.run(job_id=started.job_id)
    job = Job.objects.get(pk=started.job_id)
    assert (job.state, job.done, job.counts) == (JobState.SUCCEEDED, 5, {"changed": 4, "unresolved": 1})
    assert tagged() == {member.pk for member in people.values()}
    left = Path(settings.MEDIA_ROOT, job.error_file).read_text(encoding="utf-8-sig")
    assert [row[1] for row in csv.reader(io.StringIO(left))][1:] == ["nobody@example.com"]
    assert not Path(settings.MEDIA_ROOT, file).exists()


def test_a_job_that_was_killed_goes_on_and_writes_no_row_twice(
    people: dict[str, Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "AT_ONCE", 1)
    monkeypatch.setattr("members.queries.lists.CHUNK", 1)
    tag = make_tag()
    started = lists.start(
        file=lists.keep_text("13800000001\n13900000009\nann@example.com"),
        kind="", add=[tag.pk], remove=[], reason="", actor=everybody(), now=NOW,
    )  # fmt: skip
    assert started.job_id is not None
    change, calls = bulk.change, []

    def killed(**given: Any) -> int:
        calls.append(given)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return change(**given)

    monkeypatch.setattr(bulk, "change", killed)
    with pytest.raises(KeyboardInterrupt):
        jobs.run(job_id=started.job_id)
    Job.objects.filter(pk=started.job_id).update(state=JobState.QUEUED)
    jobs.run(job_id=started.job_id)
    job = Job.objects.get(pk=started.job_id)
    assert (job.done, job.counts) == (3, {"changed": 2, "unresolved": 1})
    assert Path(settings.MEDIA_ROOT, job.error_file).read_text(encoding="utf-8-sig").count("13900000009") == 1


def test_nobody_tags_whom_they_do_not_see(people: dict[str, Member]) -> None:
    store = make_store()
    mine = make_member(store=store, phone="+8613811111111")
    clerk = actor_of(make_user(Role.STORE_STAFF, scope=DataScope.STORE, staff=make_staff(store=store)))
    found = lists.check(file=lists.keep_text("13800000001\n13811111111"), kind="phone", actor=clerk)
    assert found.member_ids == {mine.pk}
    assert [row.reason for row in found.unresolved] == ["unknown_member"]  # as if there were nobody


@pytest.mark.parametrize("text", ["", "  \n , ;", "x" * 200_001])
def test_lists_that_say_nothing_are_refused(text: str) -> None:
    with pytest.raises(Invalid):
        lists.keep_text(text)


def test_a_list_that_leads_to_nobody_tags_nobody() -> None:
    tag = make_tag()
    with pytest.raises(Invalid) as caught:
        lists.start(
            file=lists.keep_text("13900000000"), kind="", add=[tag.pk], remove=[], reason="",
            actor=everybody(), now=NOW,
        )  # fmt: skip
    assert caught.value.code == "nothing_selected"


def test_bad_uploads_are_refused_on_the_page() -> None:
    tag, client = make_tag(), client_as()
    both = {"text": "13800000001", "file": SimpleUploadedFile("a.csv", b"1"), "add": [tag.pk]}
    for wrong in (
        {"add": [tag.pk]},
        both,
        {"text": "13800000001"},
        {"text": "13800000001", "add": ["x"]},
        {"text": "13800000001", "add": [tag.pk], "kind": "shoe size"},
        {"file": SimpleUploadedFile("a.csv", b""), "add": [tag.pk]},
        {"file": SimpleUploadedFile("a.pdf", b"%PDF-1.4 nothing"), "add": [tag.pk]},
    ):
        assert client.post("/tags/by-list/", wrong).status_code == 422, wrong
    assert not MemberTag.objects.exists()


def test_a_list_is_its_uploaders_own() -> None:
    tag, client = make_tag(), client_as()
    address = client.post("/tags/by-list/", {"text": "13800000001", "add": [tag.pk]})["Location"]
    assert client.get(address).status_code == 200
    for stranger in (client_as(), Client()):
        assert stranger.get(address).status_code == 302
        assert stranger.post(address).status_code == 302
    assert client.get("/tags/by-list/made-up/").status_code == 302
