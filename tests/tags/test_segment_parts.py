"""What is made from a segment: snapshots, random samples, splits; its sizes by day; deleting it."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from members.models import Member
from scrm.common import conditions, jobs
from scrm.common.access import SYSTEM, Role
from scrm.common.errors import Conflict, Invalid, NotFound
from scrm.common.models import Job
from tags.models import Segment, SegmentMember, SegmentSize
from tags.operations import segment_lists, segment_samples, segment_sizes
from tags.operations import segments as operations
from tags.queries import comparisons, segments
from tags.queries import segment_sizes as sizes
from tags.queries import templates as gallery
from tags.rules import segments as rules
from tests.factories import NOW, client_as, make_member, make_order, make_store

pytestmark = pytest.mark.django_db

EVERYONE = {"field": "joined_at", "op": "at_least_ago", "value": {"n": 1, "unit": "day"}}
SHANGHAI = {"all": [{"field": "city", "op": "eq", "value": "上海"}]}


def make_people(count: int, **values: Any) -> list[int]:
    """Active members, many at once."""
    people = Member.objects.bulk_create(
        Member(name=f"会员{number}", joined_at=NOW - timedelta(days=100), **values) for number in range(count)
    )
    return sorted(person.pk for person in people)


def audience(segment: Segment) -> list[int]:
    sql, params = segments.audience_sql(segment, as_of=NOW)
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return sorted(row[0] for row in cursor.fetchall())


def frozen(segment: Segment, **values: Any) -> Segment:
    return segment_samples.freeze(segment_id=segment.pk, actor=SYSTEM, now=NOW, **values).segment


def test_a_sample_is_exact_repeatable_and_grows_with_its_size() -> None:
    people = make_people(500)
    segment = operations.create(name="全部", condition=EVERYONE, now=NOW)
    fifty = frozen(segment, size=50, salt="九月")
    again = frozen(segment, size=50, salt="九月")
    tenth = frozen(segment, percent=Decimal("10"), salt="九月")
    larger = frozen(segment, size=120, salt="九月")
    other = frozen(segment, size=50, salt="十月")
    assert len(audience(fifty)) == fifty.member_count == 50
    assert audience(fifty) == audience(again) == audience(tenth)
    assert set(audience(fifty)) < set(audience(larger)) < set(people)
    assert audience(fifty) != audience(other)
    assert (fifty.kind, fifty.origin_id, fifty.name) == ("snapshot", segment.pk, "全部 · 50 位会员")
    assert frozen(segment, percent=Decimal("0.5")).member_count == 3  # of 2.5
    assert frozen(segment, size=9_999).member_count == 500
    assert frozen(segment, percent=Decimal("100")).member_count == 500


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"percent": Decimal("0")}, "bad_percent"),
        ({"percent": Decimal("100.1")}, "bad_percent"),
        ({"percent": Decimal("NaN")}, "bad_percent"),
        ({"size": 0}, "bad_size"),
        ({"size": 10**12}, "bad_size"),
        ({"size": 1, "percent": Decimal("1")}, "contradiction"),
        ({"size": 1, "salt": "x" * 61}, "bad_salt"),
        ({"size": 1, "salt": "\x00"}, "bad_salt"),
        ({"size": 1, "name": "全部"}, "name_taken"),
    ],
)
def test_what_cannot_be_drawn_is_refused(values: dict[str, Any], code: str) -> None:
    segment = operations.create(name="全部", condition=EVERYONE, now=NOW)
    with pytest.raises(Invalid) as caught:
        frozen(segment, **values)
    assert caught.value.code == code
    assert Segment.objects.count() == 1


def test_a_large_segment_is_frozen_by_a_job_as_it_was_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    people = make_people(20)
    segment = operations.create(name="全部", condition=EVERYONE, now=NOW)
    monkeypatch.setattr(segment_samples, "AT_ONCE", 10)
    made = segment_samples.freeze(segment_id=segment.pk, size=5, actor=SYSTEM, now=NOW)
    assert made.job is not None
    assert audience(made.segment) == []
    make_people(5)  # after the instant that was asked for: they joined long ago, but are not of that audience's size
    for _ in range(2):  # a job may run twice
        segment_samples.write(actor=SYSTEM, params=made.job.params)
    made.segment.refresh_from_db()
    assert made.segment.member_count == len(audience(made.segment)) == 5
    assert people
    Segment.objects.filter(pk=segment.pk).delete()
    with pytest.raises(NotFound):
        segment_samples.write(actor=SYSTEM, params=made.job.params)


@settings(max_examples=9, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(count=st.integers(rules.FEWEST_PARTS, rules.MOST_PARTS), salt=st.sampled_from(["", "甲", "b"]))
def test_the_parts_of_a_split_are_disjoint_and_together_the_whole(count: int, salt: str) -> None:
    if not Segment.objects.filter(name="上海").exists():
        make_people(300, city="上海")
        make_people(20, city="杭州")
        operations.create(name="上海", condition=SHANGHAI, now=NOW)
    whole = Segment.objects.get(name="上海")
    parts = segment_samples.split(segment_id=whole.pk, parts=count, salt=salt, now=NOW)
    members = [audience(part) for part in parts]
    assert sorted(member for part in members for member in part) == audience(whole)
    assert [part.member_count for part in parts] == [len(part) for part in members]
    assert min(len(part) for part in members) > 300 / count / 3
    assert {part.origin_id for part in parts} == {whole.pk}


def test_a_split_follows_its_segment_and_everyone_stays_in_their_part() -> None:
    make_people(40, city="上海")
    whole = operations.create(name="上海", condition=SHANGHAI, now=NOW)
    parts = segment_samples.split(segment_id=whole.pk, parts=3, now=NOW)
    assert [part.name for part in parts] == ["上海 · 1/3", "上海 · 2/3", "上海 · 3/3"]
    before = [set(audience(part)) for part in parts]
    make_people(40, city="上海")
    after = [set(audience(part)) for part in parts]
    assert all(old <= new for old, new in zip(before, after, strict=True))
    assert sum(len(part) for part in after) == 80
    for count in (1, 11):
        with pytest.raises(Invalid) as caught:
            segment_samples.split(segment_id=whole.pk, parts=count, now=NOW)
        assert caught.value.code == "bad_parts"
    with pytest.raises(Conflict) as used:
        operations.delete(segment_id=whole.pk, name="上海")
    assert used.value.code == "in_use"


# Deleting ------------------------------------------------------------------------------------------------------


def test_only_what_nothing_uses_is_deleted_and_only_by_its_name() -> None:
    ann = make_member(city="上海")
    listed = segment_lists.create(name="名单", now=NOW)
    segment_lists.add(segment_id=listed.pk, member_ids=[ann.pk], now=NOW)
    user = operations.create(name="用它的", condition=rules.in_segments([listed.pk]), now=NOW)
    with pytest.raises(Invalid):
        operations.delete(segment_id=listed.pk, name="名")
    for archived in (False, True):  # an archived segment works on, so it would break too
        if archived:
            operations.archive(segment_id=user.pk, now=NOW)
        with pytest.raises(Conflict) as caught:
            operations.delete(segment_id=listed.pk, name="名单")
        assert (caught.value.code, len(caught.value.detail["dependents"])) == ("in_use", 1)
    operations.delete(segment_id=user.pk, name="用它的")
    operations.follow(segment_id=listed.pk, now=NOW)
    operations.delete(segment_id=listed.pk, name=" 名单 ")
    assert not Segment.objects.exists()
    assert not SegmentMember.objects.exists()
    assert not SegmentSize.objects.exists()
    assert Member.objects.get() == ann
    with pytest.raises(NotFound):
        operations.delete(segment_id=listed.pk, name="名单")


# Sizes ---------------------------------------------------------------------------------------------------------


def test_each_night_every_segment_is_counted_and_the_days_are_kept() -> None:
    make_people(3, city="上海")
    segment = operations.create(name="上海", condition=SHANGHAI, now=NOW - timedelta(days=2))
    broken = operations.create(name="坏", condition=SHANGHAI, now=NOW - timedelta(days=2))
    Segment.objects.filter(pk=broken.pk).update(condition={"field": "gone", "op": "set"})
    archived = operations.create(name="旧", condition=SHANGHAI, now=NOW - timedelta(days=2))
    operations.archive(segment_id=archived.pk, now=NOW)
    SegmentSize.objects.create(segment=segment, counted_on=(NOW - timedelta(days=2_000)).date(), members=9)
    make_people(2, city="上海")
    operations.recount(segment_id=segment.pk, now=NOW - timedelta(days=1))
    operations.recount(segment_id=segment.pk, now=NOW - timedelta(hours=23))
    job = segment_sizes.start_nightly(now=NOW, actor=SYSTEM)
    segment_sizes.count_all(actor=SYSTEM, progress=jobs.Progress(job))
    job.refresh_from_db()
    assert (job.total, job.counts) == (2, {"counted": 1, "broken": 1})
    history = sizes.history(segment.pk, days=10_010, now=NOW + timedelta(days=10_000))
    assert [members for _, members in history][:2] == [3, 5]
    assert SegmentSize.objects.filter(members=9).count() == 0
    assert sizes.trends([segment.pk, broken.pk], days=3, now=NOW)[segment.pk] == [3, 5]
    assert sizes.history(segment.pk, days=1, now=NOW - timedelta(days=2)) == [
        ((NOW - timedelta(days=2)).date(), 3),
    ]


# Overlaps ------------------------------------------------------------------------------------------------------


def make_three() -> list[Segment]:
    """甲 = 1–6, 乙 = 4–9, 丙 = 6–7 and 10."""
    people = make_people(10)
    sets = {"甲": people[:6], "乙": people[3:9], "丙": [people[5], people[6], people[9]]}
    made = []
    for name, members in sets.items():
        made.append(segment_lists.create(name=name, now=NOW))
        segment_lists.add(segment_id=made[-1].pk, member_ids=members, now=NOW)
    return made


def test_overlaps_are_counted_pair_by_pair_and_region_by_region() -> None:
    made = make_three()
    found = comparisons.compare(segment_ids=[row.pk for row in made], actor=SYSTEM, as_of=NOW)
    assert [(row.size, list(row.common)) for row in found.compared] == [
        (6, [6, 3, 1]), (6, [3, 6, 2]), (3, [1, 2, 3]),
    ]  # fmt: skip
    assert {region.inside: region.members for region in found.regions} == {
        (True, False, False): 3, (False, True, False): 2, (False, False, True): 1,
        (True, True, False): 2, (True, False, True): 0, (False, True, True): 1, (True, True, True): 1,
    }  # fmt: skip
    # Every region opens as a segment of exactly so many members.
    for region in found.regions:
        assert segments.preview(
            node=conditions.parse(region.condition), actor=SYSTEM, as_of=NOW
        ).total == region.members  # fmt: skip
    two = comparisons.compare(
        segment_ids=[row.pk for row in made], in_diagram=[made[0].pk, made[2].pk], actor=SYSTEM, as_of=NOW
    )
    assert {region.inside: region.members for region in two.regions} == {
        (True, False): 5, (False, True): 2, (True, True): 1,
    }  # fmt: skip


def test_a_broken_segment_is_named_and_left_out_of_the_comparison() -> None:
    made = make_three()
    broken = operations.create(name="坏", condition=SHANGHAI, now=NOW)
    Segment.objects.filter(pk=broken.pk).update(condition={"field": "gone", "op": "set"})
    found = comparisons.compare(segment_ids=[broken.pk, made[0].pk, made[1].pk], actor=SYSTEM, as_of=NOW)
    assert "坏" in found.compared[0].fault
    assert [list(row.common) for row in found.compared[1:]] == [[6, 3], [3, 6]]
    page = client_as().get("/segments/overlap/", {"id": [broken.pk, made[0].pk, made[1].pk]})
    assert page.status_code == 200


def test_comparisons_that_make_no_sense_are_refused() -> None:
    with pytest.raises(NotFound):
        comparisons.compare(segment_ids=[999], actor=SYSTEM, as_of=NOW)
    with pytest.raises(Invalid) as caught:
        comparisons.compare(segment_ids=range(1, 12), actor=SYSTEM, as_of=NOW)
    assert caught.value.code == "too_many"
    client = client_as()
    assert client.get("/segments/overlap/", {"id": "999"}).status_code == 404
    assert client.get("/segments/overlap/", {"id": ["x", "-1", "", "9" * 30]}).status_code == 200
    assert client.get("/segments/overlap/", {"id": list(range(1, 14))}).status_code == 200


def test_the_comparison_page_links_regions_to_the_builder() -> None:
    made = make_three()
    ids = [row.pk for row in made]
    page = client_as().get("/segments/overlap/", {"id": ids}).content.decode()
    assert page.count('<circle class="venn-') == 3
    assert "属于 甲 + 乙，不属于 丙" in page
    assert "/segments/new/?condition=" in page
    assert 'style="' not in page
    auditor = client_as(Role.AUDITOR).get("/segments/overlap/", {"id": ids}).content.decode()
    assert "/segments/new/" not in auditor.split("<main")[1]


# Ready-made segments -------------------------------------------------------------------------------------------


def test_every_ready_segment_that_is_offered_can_be_counted() -> None:
    make_order(make_member(store=make_store()))
    offers = [offer for group in gallery.gallery() for offer in group.offers]
    usable = [offer for offer in offers if not offer.refusal]
    assert len(offers) >= 18
    assert len(usable) >= 12
    for offer in usable:
        node = conditions.parse(offer.condition)
        assert segments.preview(node=node, actor=SYSTEM, as_of=NOW).total >= 0
        assert conditions.describe(node)
    refused = {offer.key: offer.refusal for offer in offers if offer.refusal}
    assert "points_expiring" in {offer.key for offer in usable}
    assert refused["wanted_not_bought"] == "尚未收到相关事件：加入购物车、收藏商品"
    page = client_as().get("/segments/templates/").content.decode()
    assert page.count("gallery-card") == len(offers)
    assert "首购未复购" in page


# The API -------------------------------------------------------------------------------------------------------


def test_what_is_made_from_a_segment_is_made_by_api_too() -> None:
    make_people(10, city="上海")
    segment = operations.create(name="上海", condition=SHANGHAI, now=NOW)
    client = client_as()

    def post(path: str, body: Any) -> Any:
        return client.post(f"/api/v1/segments/{segment.pk}{path}", json.dumps(body), content_type="application/json")

    made = post("/snapshot", {"percent": "50", "name": "一半"})
    assert (made.status_code, made.json()["segment"]["kind"], made.json()["job_id"]) == (201, "snapshot", None)
    half = client.get(f"/api/v1/segments/{made.json()['segment']['id']}/members").json()["items"]
    assert len(half) == 5
    parts = post("/split", {"parts": 2}).json()["items"]
    overlap = client.get("/api/v1/segments/overlap", {"id": [part["id"] for part in parts]}).json()
    assert [region["members"] for region in overlap["regions"]][-1] == 0
    assert sum(row["size"] for row in overlap["segments"]) == 10
    assert post("/snapshot", {"percent": "0"}).json()["code"] == "bad_percent"
    assert post("/split", {"parts": 1}).json()["code"] == "bad_parts"
    one = client.get(f"/api/v1/segments/{segment.pk}").json()
    assert one["version"] == 1

    def patch(body: Any) -> Any:
        return client.patch(f"/api/v1/segments/{segment.pk}", json.dumps(body), content_type="application/json")

    changed = patch({"version": 1, "name": "沪", "excluded_ids": [made.json()["segment"]["id"]]})
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    assert changed.json()["condition"] == rules.with_exclusions(SHANGHAI, [made.json()["segment"]["id"]])
    assert len(client.get(f"/api/v1/segments/{segment.pk}/members").json()["items"]) == 5
    assert patch({"version": 1, "name": "旧"}).json()["code"] == "stale"
    assert patch({"version": 2, "condition": {"field": "?"}}).status_code == 422
    used_by = client.get(f"/api/v1/segments/{segment.pk}/dependents").json()["items"]
    assert {item["kind"] for item in used_by} == {"segment"}
    refused = client.delete(f"/api/v1/segments/{segment.pk}?name=沪")
    assert (refused.status_code, refused.json()["code"]) == (409, "in_use")
    assert client.get(f"/api/v1/segments/{segment.pk}/sizes").json()["items"][-1]["members"] == 5
    assert client.get(f"/api/v1/segments/{segment.pk}/sizes", {"days": "0"}).status_code == 422
    gone = made.json()["segment"]["id"]
    assert patch({"version": 2, "excluded_ids": []}).status_code == 200
    assert client.delete(f"/api/v1/segments/{gone}?name=一半").status_code == 204
    assert client.get(f"/api/v1/segments/{gone}").status_code == 404
    assert client.post(f"/api/v1/segments/{segment.pk}/archive").json()["archived_at"]
    assert client.post(f"/api/v1/segments/{segment.pk}/restore").json()["archived_at"] is None
    auditor = client_as(Role.AUDITOR)
    assert auditor.delete(f"/api/v1/segments/{segment.pk}?name=沪").status_code == 403
    for act in ("snapshot", "split", "follow", "archive"):
        address = f"/api/v1/segments/{segment.pk}/{act}"
        assert auditor.post(address, "{}", content_type="application/json").status_code == 403


# Pages ---------------------------------------------------------------------------------------------------------


def test_a_segment_is_drawn_from_split_exported_and_deleted_on_its_page() -> None:
    make_people(10, city="上海")
    segment, client = operations.create(name="上海", condition=SHANGHAI, now=NOW), client_as()
    path = f"/segments/{segment.pk}"
    assert client.post(f"{path}/sample/", {"sample-percent": "20"}).status_code == 302
    sample = Segment.objects.get(origin=segment, kind="snapshot")
    assert (sample.member_count, sample.name) == (2, "上海 · 20%")
    for bad in ({}, {"sample-percent": "5", "sample-size": "5"}, {"sample-percent": "200"}, {"sample-size": "x"}):
        assert client.post(f"{path}/sample/", bad).status_code == 422
    assert client.post(f"{path}/split/", {"split-parts": "2"}).status_code == 302
    assert client.post(f"{path}/split/", {"split-parts": "50"}).status_code == 422
    page = client.get(f"{path}/").content.decode()
    assert "上海 · 2/2" in page
    assert "data-confirm-word" not in page  # used by its parts: nothing to delete it with
    assert client.post(f"{path}/export/", {}).status_code == 302
    job = Job.objects.get(kind="member_export")
    assert (job.params["query"], job.label) == ({"segment": [str(segment.pk)]}, "导出“上海”")
    renamed = {"rename-name": "两成", "rename-description": "", "rename-version": 1}
    assert client.post(f"/segments/{sample.pk}/rename/", renamed).status_code == 302
    assert client.post(f"/segments/{sample.pk}/rename/", renamed).status_code == 422
    assert 'data-confirm-word="两成"' in client.get(f"/segments/{sample.pk}/").content.decode()
    assert client.post(f"/segments/{sample.pk}/delete/", {"confirm": "x"}).status_code == 302
    assert client.post(f"/segments/{sample.pk}/delete/", {"confirm": "两成"})["Location"] == "/segments/"
    assert not Segment.objects.filter(pk=sample.pk).exists()
    assert client_as(Role.AUDITOR).post(f"{path}/export/").status_code == 403
