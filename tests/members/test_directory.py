"""The member list: who is in it for whom, in what order, and what narrows it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import BooleanField
from django.db.models.expressions import RawSQL
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext

from members.models import Member
from members.queries import directory
from members.queries.scopes import actor_of
from scrm.common.access import SYSTEM, Actor, DataScope, Role
from scrm.common.errors import Invalid
from tests.factories import (
    NOW,
    client_as,
    make_member,
    make_order,
    make_region,
    make_source,
    make_staff,
    make_store,
    make_user,
)

pytestmark = pytest.mark.django_db


def names(params: str = "", actor: Actor = SYSTEM) -> list[str]:
    query = QueryDict(params)
    queryset = directory.matching(actor=actor, params=query, as_of=NOW)
    return [row.name for row in directory.page(queryset, sort=directory.sort_of(query)).rows]


@pytest.fixture
def people() -> dict[str, Member]:
    """Three members of two regions, one of whom has an owner."""
    east, north = make_region("east", "华东"), make_region("north", "华北")
    shanghai = make_store("S1", region=east, city="上海")
    beijing = make_store("S2", region=north, city="北京")
    staff = make_staff(store=shanghai)
    return {
        "a": make_member(name="王芳", phone="+8613800000001", city="上海", store=shanghai, owner=staff, gender="f",
                         joined_at=NOW - timedelta(days=3)),
        "b": make_member(name="王强", email="qiang@example.com", city="上海", store=shanghai, gender="m",
                         joined_at=NOW - timedelta(days=2)),
        "c": make_member(name="李娜", city="北京", store=beijing, gender="f", joined_at=NOW - timedelta(days=1)),
    }  # fmt: skip


def test_the_newest_member_comes_first(people: Any) -> None:
    assert names() == ["李娜", "王强", "王芳"]


def test_merged_and_erased_members_are_not_listed(people: Any) -> None:
    Member.objects.filter(pk=people["b"].pk).update(status="erased")
    Member.objects.filter(pk=people["c"].pk).update(status="merged", merged_into=people["a"])
    assert names() == ["王芳"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("王", ["王强", "王芳"]),
        ("芳", []),
        ("138 0000 0001", ["王芳"]),
        ("+86 13800000001", ["王芳"]),
        ("13800000002", []),
        ("QIANG@example.com", ["王强"]),
        ("qiang", []),
        ("   ", ["李娜", "王强", "王芳"]),
        ("%", []),
        ("9" * 30, []),
    ],
)
def test_search_takes_a_name_beginning_a_whole_phone_or_a_whole_address(
    people: Any, text: str, found: list[str]
) -> None:
    query = QueryDict(mutable=True)
    query["q"] = text
    assert names(query.urlencode()) == found


def test_search_takes_an_id_and_a_member_number(people: Any) -> None:
    make_source("shop")
    people["c"].identities.create(kind="number", value="VIP7@shop")
    assert names(f"q={people['a'].pk}") == ["王芳"]
    assert names("q=VIP7") == ["李娜"]
    assert names("q=VIP7@shop") == ["李娜"]


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ("city=上海", ["王强", "王芳"]),
        ("city=上海&city=北京", ["李娜", "王强", "王芳"]),
        ("gender=f", ["李娜", "王芳"]),
        ("owner=none", ["李娜", "王强"]),
        ("joined_after=2026-11-19&joined_before=2026-11-19", ["王强"]),
        ("city=上海&gender=f", ["王芳"]),
        ("unknown=1", ["李娜", "王强", "王芳"]),
        ("city=", ["李娜", "王强", "王芳"]),
    ],
)
def test_filters_narrow_the_list(people: Any, params: str, found: list[str]) -> None:
    assert names(params) == found


def test_filters_over_stores_regions_and_owners(people: Any) -> None:
    a = people["a"]
    assert names(f"store={a.store_id}") == ["王强", "王芳"]
    assert names(f"region={a.store.region_id}") == ["王强", "王芳"]
    assert names(f"owner={a.owner_id}") == ["王芳"]


def test_filters_and_sorts_over_purchases(people: Any) -> None:
    make_order(people["a"], amount=5_000, paid_at=NOW - timedelta(days=9))
    make_order(people["b"], amount=2_000, paid_at=NOW - timedelta(days=8))
    make_order(people["b"], amount=2_000, paid_at=NOW - timedelta(days=1))
    assert names("orders_min=1") == ["王强", "王芳"]
    assert names("orders_min=2") == ["王强"]
    assert names("net_min=40.01") == ["王芳"]
    assert names("last_order_before=2026-11-12") == ["王芳"]
    assert names("last_order_after=2026-11-20") == ["王强"]
    assert names("sort=-net") == ["王芳", "王强", "李娜"]
    assert names("sort=net") == ["李娜", "王强", "王芳"]
    assert names("sort=-orders") == ["王强", "王芳", "李娜"]
    assert names("sort=-last_order") == ["王强", "王芳", "李娜"]
    assert names("sort=last_order") == ["王芳", "王强", "李娜"]


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ("joined_after=yesterday", "joined_after"),
        ("joined_after=9999-12-31", "joined_after"),
        ("orders_min=-1", "orders_min"),
        ("orders_min=99999999999999999999", "orders_min"),
        ("net_min=NaN", "net_min"),
        ("net_min=1e400", "net_min"),
        ("store=x", "store"),
        ("store=²", "store"),
        ("region=1;DROP", "region"),
        ("gender=x", "gender"),
        ("stage=x", "stage"),
        ("rfm_class=x", "rfm_class"),
        ("rfm_r=9", "rfm_r"),
        ("rfm_model=x", "rfm_model"),
        ("tag=x", "tag"),
        ("segment=99999", "segment"),
        ("q=%00", "q"),
        ("city=" + "x" * 300, "city"),
    ],
)
def test_a_value_that_a_filter_does_not_take_is_refused_by_name(params: str, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        names(params)
    assert caught.value.detail["field"] == field


@pytest.mark.parametrize(
    ("scope", "found"),
    [
        (DataScope.ALL, ["李娜", "王强", "王芳"]),
        (DataScope.REGION, ["王强", "王芳"]),
        (DataScope.STORE, ["王强", "王芳"]),
        (DataScope.OWN, ["王芳"]),
    ],
)
def test_the_scope_limits_list_count_and_search(people: Any, scope: DataScope, found: list[str]) -> None:
    staff = people["a"].owner
    actor = actor_of(make_user(Role.STORE_STAFF, scope=scope, staff=staff))
    assert names(actor=actor) == found
    assert directory.count(directory.matching(actor=actor, params={})) == directory.Count(len(found), exact=True)
    assert names("q=李", actor=actor) == (["李娜"] if scope is DataScope.ALL else [])
    assert names(f"q={people['c'].pk}", actor=actor) == (["李娜"] if scope is DataScope.ALL else [])
    assert names("city=北京", actor=actor) == (["李娜"] if scope is DataScope.ALL else [])


def test_a_filter_of_an_app_that_the_actor_may_not_use_is_not_there(people: Any) -> None:
    staff = actor_of(make_user(Role.STORE_STAFF))
    assert "segment" not in {item.key for item in directory.filters_for(staff)}


def test_a_count_above_the_limit_is_an_estimate_until_asked(people: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory, "EXACT_UP_TO", 2)
    monkeypatch.setattr(directory, "DEAR", float("inf"))
    queryset = directory.matching(actor=SYSTEM, params={})
    assert directory.count(queryset).exact is False
    assert directory.count(queryset, exact=True) == directory.Count(3, exact=True)


@pytest.mark.parametrize("most_named", [0, 100])
def test_a_page_whose_walk_takes_too_long_is_found_the_other_way(
    people: Any, monkeypatch: pytest.MonkeyPatch, most_named: int
) -> None:
    monkeypatch.setattr(directory, "PATIENCE_MS", 1)
    monkeypatch.setattr(directory, "MOST_NAMED", most_named)
    dear = RawSQL(
        "(SELECT count(*) FROM generate_series(1, 200000)) > members_member.id - members_member.id", (), BooleanField()
    )
    queryset = directory.matching(actor=SYSTEM, params={}).filter(dear)
    first = directory.page(queryset, sort="-net", size=2)
    rest = directory.page(queryset, sort="-net", size=2, cursor=first.next_cursor)
    whole = directory.page(directory.matching(actor=SYSTEM, params={}), sort="-net")
    assert [row.pk for row in (*first.rows, *rest.rows)] == [row.pk for row in whole.rows]


@pytest.mark.parametrize("sort", directory.SORTS)
def test_the_ids_of_a_list_are_in_its_order(people: Any, sort: str) -> None:
    make_member(name="无单")
    queryset = directory.matching(actor=SYSTEM, params={})
    assert directory.ids(queryset, sort=sort).tolist() == [row.pk for row in directory.page(queryset, sort=sort).rows]
    assert directory.ids(queryset.filter(pk__in=[]), sort=sort).tolist() == []


def test_rows_of_members_are_those_that_the_actor_may_see_in_the_order_asked_for(people: Any) -> None:
    ids = [row.pk for row in directory.page(directory.matching(actor=SYSTEM, params={})).rows]
    gone = make_member(status="erased").pk
    assert [row.pk for row in directory.rows_of([*reversed(ids), gone], actor=SYSTEM)] == ids[::-1]


def test_the_number_of_queries_does_not_grow_with_the_rows() -> None:
    client = client_as(Role.ADMIN)
    client.get("/members/")

    def measured(total: int) -> int:
        while Member.objects.count() < total:
            make_order(make_member(store=make_store(), owner=make_staff()))
        with CaptureQueriesContext(connection) as captured:
            page = client.get("/members/")
        assert page.content.count(b'name="id"') == total
        return len(captured)

    assert measured(10) == measured(50)
