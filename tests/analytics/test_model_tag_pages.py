"""The page and the API of model tags: every number opens exactly its members, and nobody sees more than their own."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.urls import reverse

from analytics.enums import ModelKey
from analytics.models import ModelRun
from analytics.operations import model_tags
from members.models import Member
from scrm.common import clock, conditions
from scrm.common.access import SYSTEM, DataScope, Role
from scrm.common.conditions.fields import find
from tests.analytics.test_model_tags import buy
from tests.factories import NOW, client_as, make_member, make_staff, make_store

pytestmark = pytest.mark.django_db


@pytest.fixture
def shops() -> list[list[Member]]:
    """Two stores: four members of the first use the mini program, two of the second the store; one has no order."""
    crowd = []
    for number, via in enumerate(("mini", "shop")):
        store = make_store(f"S{number}")
        members = [make_member(store=store) for _ in range(4 - 2 * number)]
        for member in members:
            for ago in (1, 2, 3):
                buy(member, ago, ("茶", 1000 * ago), channel=via)
        crowd.append(members)
    make_member(store=make_store("S0"))
    model_tags.run(as_of=clock.shop_date(NOW), actor=SYSTEM, now=NOW)
    return crowd


def behind(client, href: str) -> int:
    body = client.get(unescape(href)).content.decode()
    return len(re.findall(r'name="id" value="\d+"', body))


def links(body: str, model: str) -> dict[str, int]:
    """Link → number, of every value of a model and of the unknown."""
    found = re.findall(rf'href="([^"]*model_{model}=[^"]*)">([\d,]+)</a>', body)
    return {href: int(number.replace(",", "")) for href, number in found}


def test_every_number_opens_exactly_its_members(shops):
    client = client_as(Role.ADMIN)
    body = client.get(reverse("model_tags")).content.decode()
    channel = links(body, "channel")
    assert sorted(channel.values()) == [1, 2, 4]
    for href, number in channel.items():
        assert behind(client, href) == number
    hour = links(body, "hour")
    assert sum(hour.values()) == 7
    for href, number in hour.items():
        assert behind(client, href) == number


def test_store_staff_count_their_own_members_only(shops):
    staff = make_staff(store=make_store("S1"))
    client = client_as(Role.OPERATOR, scope=DataScope.STORE, staff=staff)
    body = client.get(reverse("model_tags")).content.decode()
    assert sorted(links(body, "channel").values()) == [0, 2]


def test_before_the_first_run_the_page_says_so():
    body = client_as(Role.ADMIN).get(reverse("model_tags")).content.decode()
    assert body.count("还没有计算过") == 6


def test_a_run_is_queued_for_one_model_or_all():
    client = client_as(Role.ADMIN)
    assert client.post(reverse("model_tag_run", args=["churn"])).status_code == 302
    assert list(ModelRun.objects.values_list("model", flat=True)) == ["churn"]
    assert client.post(reverse("model_tag_run", args=["nonsense"])).status_code == 404
    client.post(reverse("model_tags_run"))  # one of them is open already
    assert ModelRun.objects.count() == 1
    assert client_as(Role.AUDITOR).post(reverse("model_tags_run")).status_code == 403


def test_the_member_page_says_why(shops):
    body = client_as(Role.ADMIN).get(reverse("member_detail", args=[shops[0][0].pk])).content.decode()
    assert "小程序" in body
    assert "依据 3 条记录" in body
    assert "近两年没有购买" not in body


def test_the_api_tells_values_quality_and_freshness(shops):
    found = {row["model"]: row for row in client_as(Role.ADMIN).get("/api/v1/analytics/model-tags").json()}
    assert set(found) == set(ModelKey.values)
    channel = found["channel"]
    assert (channel["known"], channel["unknown"], channel["as_of"]) == (6, 1, "2026-11-21")
    assert [(row["value"], row["members"]) for row in channel["values"]] == [("mini", 4), ("shop", 2)]
    assert found["churn"]["known"] == 0


def test_conditions_ask_for_values(shops):
    def members(field: str, op: str, value=None) -> int:
        tree = {"field": field, "op": op} | ({} if value is None else {"value": value})
        sql = conditions.compile_condition(conditions.parse(tree), as_of=NOW)
        from django.db import connection  # noqa: PLC0415

        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM members_member m WHERE {sql.text}", sql.params)
            return int(cursor.fetchone()[0])

    assert members("model.channel", "in", ["mini"]) == 4
    assert members("model.channel", "not_in", ["mini"]) == 2
    assert members("model.channel", "not_set") == 1
    assert members("model.category", "any_of", ["茶"]) == 0
    assert members("model.chance", "ge", "0.5") == 0
    assert {choice.value for choice in find("model.channel").choices()} == {"mini", "shop"}


def test_a_value_that_is_none_is_refused(shops):
    response = client_as(Role.ADMIN).get("/api/v1/members?model_churn=nonsense")
    assert (response.status_code, response.json()["code"]) == (422, "bad_filter")
