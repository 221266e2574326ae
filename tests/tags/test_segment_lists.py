"""Lists: made, filled from the member list and from files, changed one by one; told to what hangs on them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile

from members.models import Member
from members.queries import lists as given
from members.queries.scopes import actor_of
from scrm.common import jobs
from scrm.common.access import SYSTEM, Actor, DataScope, Role
from scrm.common.errors import Conflict, Invalid, NotFound
from scrm.common.models import Job
from tags.models import Segment, SegmentMember, SegmentSize
from tags.operations import lists as files
from tags.operations import segment_lists as operations
from tags.operations import segments as segment_operations
from tags.queries import segment_lists as queries
from tags.queries import segments
from tags.tasks import run_segment_fill
from tests.factories import NOW, client_as, make_member, make_staff, make_store, make_user

pytestmark = pytest.mark.django_db


def make_list(*members: Member, name: str = "名单", kind: str = "static") -> Segment:
    segment = operations.create(name=name, kind=kind, now=NOW)
    if members:
        operations.add(segment_id=segment.pk, member_ids=[member.pk for member in members], now=NOW)
        segment.refresh_from_db()
    return segment


def on_list(segment: Segment) -> list[int]:
    return sorted(SegmentMember.objects.filter(segment=segment).values_list("member_id", flat=True))


def operator(**values: Any) -> Actor:
    return actor_of(make_user(**values))


def test_members_are_put_on_and_taken_off_and_twice_changes_nothing() -> None:
    ann, ben, cat = make_member(), make_member(), make_member()
    segment = make_list(ann, ben)
    assert (segment.kind, segment.member_count, on_list(segment)) == ("static", 2, [ann.pk, ben.pk])
    assert operations.add(segment_id=segment.pk, member_ids=[ben.pk, cat.pk], now=NOW) == 1
    assert operations.add(segment_id=segment.pk, member_ids=[ben.pk, cat.pk], now=NOW) == 0
    assert operations.remove(segment_id=segment.pk, member_ids=[ann.pk], now=NOW) == 1
    assert operations.remove(segment_id=segment.pk, member_ids=[ann.pk], now=NOW) == 0
    segment.refresh_from_db()
    assert (segment.member_count, on_list(segment)) == (2, [ben.pk, cat.pk])
    assert segments.count(segment, as_of=NOW) == 2
    assert list(SegmentSize.objects.values_list("members", flat=True)) == [2]  # the last count of the day


def test_whoever_is_gone_does_not_come_onto_a_list() -> None:
    erased = make_member()
    Member.objects.filter(pk=erased.pk).update(status="erased")
    segment = make_list()
    assert operations.add(segment_id=segment.pk, member_ids=[erased.pk, 2**40], now=NOW) == 0
    assert on_list(segment) == []


def test_only_lists_take_members() -> None:
    ann = make_member(city="上海")
    dynamic = segment_operations.create(name="沪", condition={"field": "city", "op": "set"}, now=NOW)
    frozen = segment_operations.snapshot(segment_id=dynamic.pk, now=NOW)
    for segment in (dynamic, frozen):
        with pytest.raises(Conflict) as caught:
            operations.add(segment_id=segment.pk, member_ids=[ann.pk], now=NOW)
        assert caught.value.code == "not_a_list"
    with pytest.raises(NotFound):
        operations.remove(segment_id=999, member_ids=[ann.pk], now=NOW)
    with pytest.raises(Invalid):
        operations.create(name="x", kind="snapshot", now=NOW)


def test_a_selection_of_the_member_list_goes_onto_a_list_as_far_as_one_sees_it() -> None:
    store = make_store()
    mine, _other = make_member(city="上海", store=store), make_member(city="上海")
    make_member(city="杭州", store=store)
    segment = make_list()
    actor = operator(scope=DataScope.STORE, staff=make_staff(store=store))
    started = operations.start_fill(actor=actor, segment_id=segment.pk, member_ids=[], query="city=上海", now=NOW)
    assert (started.changed, started.job, started.segment.member_count) == (1, None, 1)
    assert on_list(segment) == [mine.pk]
    with pytest.raises(Invalid) as caught:
        operations.start_fill(actor=actor, segment_id=segment.pk, member_ids=[_other.pk], query=None, now=NOW)
    assert caught.value.code == "nothing_selected"


def test_a_large_selection_is_added_by_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    people = [make_member(city="上海") for _ in range(5)]
    monkeypatch.setattr(operations, "AT_ONCE", 2)
    actor = operator()
    started = operations.fill_new(name="上海", actor=actor, member_ids=[], query="city=上海", now=NOW)
    assert started.job is not None
    assert on_list(started.segment) == []
    jobs.run(job_id=started.job.pk, handler=run_segment_fill)
    assert on_list(started.segment) == sorted(person.pk for person in people)
    job = Job.objects.get(pk=started.job.pk)
    assert (job.state, job.counts, job.result_url) == ("succeeded", {"added": 5}, f"/segments/{started.segment.pk}/")


def test_a_new_list_with_a_taken_name_is_not_made() -> None:
    ann = make_member()
    make_list(name="甲")
    with pytest.raises(Invalid):
        operations.fill_new(name="甲", actor=SYSTEM, member_ids=[ann.pk], query=None, now=NOW)
    with pytest.raises(Invalid):
        operations.fill_new(name="乙", actor=SYSTEM, member_ids=[], query="city=无人", now=NOW)
    assert list(Segment.objects.values_list("name", flat=True)) == ["甲"]


def test_an_imported_list_tells_what_became_of_each_row() -> None:
    ann, ben = make_member(phone="+8613800000001"), make_member(email="ben@example.com")
    rows = "13800000001\nBEN@example.com\n138-0000-0001\n13999999999\n=cmd\n"
    actor = operator()
    started = operations.import_new(name="导入", actor=actor, file=files.keep_text(rows), now=NOW)
    job = started.job
    assert job is not None
    assert (started.segment.kind, job.state) == ("imported", "succeeded")
    assert on_list(started.segment) == [ann.pk, ben.pk]
    assert job.counts == {"rows": 5, "added": 2, "known": 1, "unresolved": 2}
    with (Path(settings.MEDIA_ROOT) / job.error_file).open(encoding="utf-8-sig", newline="") as file:
        assert [row[1:] for row in csv.reader(file)] == [
            ["内容", "原因"], ["13999999999", "会员不存在"], ["'=cmd", "以表格公式字符开头"],
        ]  # fmt: skip
    filling = queries.last_filling(started.segment.pk, actor=actor)
    assert filling is not None
    assert (filling.job.pk, filling.may_open) == (job.pk, True)
    other = queries.last_filling(started.segment.pk, actor=operator())
    assert other is not None
    assert not other.may_open


def test_an_import_goes_on_after_a_crash_and_counts_each_row_once(monkeypatch: pytest.MonkeyPatch) -> None:
    people = [make_member() for _ in range(6)]
    monkeypatch.setattr(given, "CHUNK", 2)
    segment, actor = make_list(kind="imported"), operator()
    file = files.keep_text("\n".join([*(str(person.pk) for person in people), "99999999"]))
    params = {"segment_id": segment.pk, "file": file, "kind": "member_id", "language": "zh-hans"}
    job = jobs.create(kind=operations.IMPORT_KIND, label="导入", params=params, actor=actor, announced=False)

    class Crash(Exception):
        pass

    class Dying(jobs.Progress):
        def report(self, **values: Any) -> None:
            super().report(**values)
            if values["done"] == 4:
                raise Crash

    with pytest.raises(Crash):
        operations.run_import(actor=actor, params=params, progress=Dying(job))
    assert len(on_list(segment)) == 4
    job.refresh_from_db()
    operations.run_import(actor=actor, params=params, progress=jobs.Progress(job))
    job.refresh_from_db()
    assert on_list(segment) == [person.pk for person in people]
    assert job.counts == {"rows": 7, "added": 6, "known": 0, "unresolved": 1}
    assert not (Path(settings.MEDIA_ROOT) / file).exists()


def test_a_file_that_cannot_be_read_makes_no_list() -> None:
    with pytest.raises(Invalid) as caught:
        operations.import_new(name="坏", actor=SYSTEM, file=files.keep_file([b"phone\n"]), now=NOW)
    assert caught.value.code == "nothing_given"
    with pytest.raises(NotFound):
        operations.import_new(name="坏", actor=SYSTEM, file="imports/none", now=NOW)
    assert not Segment.objects.exists()


def test_a_list_inside_a_condition_follows_its_members() -> None:
    ann, ben = make_member(city="上海"), make_member(city="上海")
    segment = make_list(ann)
    outside = segment_operations.create(
        name="名单外",
        condition={
            "all": [{"field": "city", "op": "set"}, {"field": "segment", "op": "none_of", "value": [segment.pk]}]
        },
        now=NOW,
    )
    assert outside.member_count == 1
    operations.add(segment_id=segment.pk, member_ids=[ben.pk], now=NOW)
    assert segments.count(outside, as_of=NOW) == 0


# Pages ---------------------------------------------------------------------------------------------------------


def test_a_list_is_made_on_its_page_from_a_paste_or_a_file() -> None:
    ann, ben = make_member(phone="+8613800000001"), make_member(phone="+8613800000002")
    client = client_as()
    assert client.get("/segments/lists/new/").status_code == 200
    answer = client.post("/segments/lists/new/", {"name": "粘贴", "text": "13800000001，13800000009"})
    segment = Segment.objects.get(name="粘贴")
    assert (answer.status_code, answer["Location"]) == (302, f"/segments/{segment.pk}/")
    assert on_list(segment) == [ann.pk]
    assert "13800000009" not in client.get(f"/segments/{segment.pk}/").content.decode()
    upload = SimpleUploadedFile("名单.csv", "手机\n13800000002\n".encode())
    assert client.post("/segments/lists/new/", {"name": "文件", "file": upload}).status_code == 302
    assert on_list(Segment.objects.get(name="文件")) == [ben.pk]
    empty = client.post("/segments/lists/new/", {"name": "空"})
    assert empty["Location"] == f"/segments/{Segment.objects.get(name='空').pk}/members/"
    for bad in ({"name": "空"}, {"name": ""}, {"name": "坏", "file": SimpleUploadedFile("x.csv", b"\x89PNG")}):
        assert client.post("/segments/lists/new/", bad).status_code == 422
    assert not Segment.objects.filter(name="坏").exists()


def test_members_are_added_to_a_list_and_taken_off_on_its_page() -> None:
    ann, ben = make_member(phone="+8613800000001"), make_member()
    segment, client = make_list(ben), client_as()
    path = f"/segments/{segment.pk}/members/"
    assert f"/members/{ben.pk}/" in client.get(path).content.decode()
    assert client.post(path, {"text": "13800000001 13700000000"}).status_code == 302
    assert on_list(segment) == [ann.pk, ben.pk]
    assert client.post(path, {"remove": ben.pk}).status_code == 302
    assert on_list(segment) == [ann.pk]
    assert client.post(path, {"text": "   "}).status_code == 422
    assert client.post(f"/segments/{segment.pk}/import/", {"text": str(ben.pk), "kind": "member_id"}).status_code == 302
    assert on_list(segment) == [ann.pk, ben.pk]
    assert client.post(f"/segments/{segment.pk}/import/", {"text": ""}).status_code == 422
    auditor = client_as(Role.AUDITOR)
    assert auditor.get(path).status_code == 200
    assert auditor.post(path, {"remove": ann.pk}).status_code == 403
    assert client.get("/segments/999/members/").status_code == 404


def test_a_selection_is_picked_from_the_member_list() -> None:
    ann, ben = make_member(city="上海"), make_member(city="杭州")
    segment, client = make_list(), client_as()
    asked = client.post("/segments/lists/pick/", {"id": [ann.pk, ben.pk]}).content.decode()
    assert f'name="id" value="{ann.pk}"' in asked
    assert segment.name in asked
    chosen = {"id": [ann.pk, ben.pk], "segment": segment.pk, "name": ""}
    assert client.post("/segments/lists/pick/", chosen)["Location"] == f"/segments/{segment.pk}/"
    assert on_list(segment) == [ann.pk, ben.pk]
    matching = {"all_matching": "1", "query": "city=杭州", "segment": "", "name": "杭州会员"}
    assert client.post("/segments/lists/pick/", matching).status_code == 302
    assert on_list(Segment.objects.get(name="杭州会员")) == [ben.pk]
    for bad in ({"segment": "", "name": ""}, {"segment": segment.pk, "name": "两个"}, {"segment": "999", "name": ""}):
        assert client.post("/segments/lists/pick/", {"id": ann.pk, **bad}).status_code == 422
    assert client.get("/segments/lists/pick/").status_code == 302


def test_the_api_adds_and_removes_members_idempotently() -> None:
    ann, ben = make_member(phone="+8613800000001"), make_member()
    client = client_as()

    def post(path: str, body: Any) -> Any:
        return client.post(f"/api/v1/segments{path}", json.dumps(body), content_type="application/json")

    made = post("", {"name": "接口名单", "kind": "static"})
    assert (made.status_code, made.json()["kind"], made.json()["condition"]) == (201, "static", None)
    path = f"/{made.json()['id']}/members"
    body = {
        "member_ids": [ben.pk],
        "identities": [{"kind": "phone", "value": "13800000001"}, {"kind": "email", "value": "x@y.cn"}],
    }
    assert post(path, body).json() == {"added": 2, "removed": 0, "unknown_identities": [1]}
    assert post(path, body).json() == {"added": 0, "removed": 0, "unknown_identities": [1]}
    assert client.get(f"/api/v1/segments{path}").json()["items"] == [ann.pk, ben.pk]
    assert post(path, {"member_ids": [ben.pk], "remove": True}).json()["removed"] == 1
    assert post(path, {"member_ids": [ben.pk], "remove": True}).json()["removed"] == 0
    dynamic = segment_operations.create(name="沪", condition={"field": "city", "op": "set"}, now=NOW)
    refused = post(f"/{dynamic.pk}/members", {"member_ids": [ben.pk]})
    assert (refused.status_code, refused.json()["code"]) == (409, "not_a_list")
    assert refused["Content-Type"] == "application/problem+json"
    for bad in (
        {"name": "x", "kind": "static", "condition": {"field": "city", "op": "set"}},
        {"name": "x"},
        {"name": "x", "kind": "imported"},
    ):
        assert 400 <= post("", bad).status_code < 500
    auditor = client_as(Role.AUDITOR)
    answer = auditor.post(f"/api/v1/segments{path}", json.dumps(body), content_type="application/json")
    assert answer.status_code == 403
