"""What the builder asks while somebody edits: counts of its rows, why a member is in, and what another editor saved."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from members.queries.scopes import actor_of
from scrm.common import conditions
from scrm.common.access import DataScope, Role
from tags.operations import segments as operations
from tags.queries import row_counts
from tests.factories import NOW, client_as, make_member, make_order, make_staff, make_store, make_user

pytestmark = pytest.mark.django_db

SHANGHAI = {"field": "city", "op": "eq", "value": "上海"}
BUYERS = {"field": "order.count", "op": "ge", "value": 1}
UNFINISHED = {"field": "city", "op": "in", "value": []}


def ask(client: Client, name: str, body: Any) -> Any:
    answer = client.post(f"/segments/{name}/", json.dumps(body), content_type="application/json")
    return answer.json()


def test_each_row_is_counted_by_itself() -> None:
    ann = make_member(city="上海")
    make_member(city="上海")
    make_order(ann)
    rows = [SHANGHAI, BUYERS, {"all": [SHANGHAI, BUYERS]}, {"none": [BUYERS]}, UNFINISHED, "?"]
    assert ask(client_as(), "counts", {"conditions": rows}) == {"counts": [2, 1, 1, 1, None, None]}


def test_rows_count_only_whom_one_sees() -> None:
    store = make_store()
    make_member(city="上海", store=store)
    make_member(city="上海")
    client = client_as(Role.OPERATOR, scope=DataScope.STORE, staff=make_staff(store=store))
    assert ask(client, "counts", {"conditions": [SHANGHAI]}) == {"counts": [1]}


def test_what_cannot_be_counted_in_time_is_left_to_be_asked_for() -> None:
    make_member(city="上海")
    node = conditions.parse(SHANGHAI)
    user = make_user()
    slow = row_counts.counts([node, None], actor=actor_of(user), as_of=NOW, patience_ms=0)
    assert slow == [row_counts.SLOW, None]
    assert ask(client_as(), "counts", {"conditions": [SHANGHAI], "patient": True}) == {"counts": [1]}


@pytest.mark.parametrize("body", ["{", "[]", '{"conditions": 3}', '{"conditions": ' + json.dumps([1] * 401) + "}"])
def test_counts_of_nonsense_are_refused(body: str) -> None:
    answer = client_as().post("/segments/counts/", body, content_type="application/json")
    assert answer.status_code == 422
    assert answer.json()["counts"] == []


def test_a_member_is_explained_node_by_node() -> None:
    ann = make_member(city="上海", name="安然")
    condition = {"all": [SHANGHAI, {"any": [BUYERS, {"field": "order.sum", "op": "lt", "value": "5"}]}]}
    answer = ask(client_as(), "explain", {"condition": condition, "member": ann.pk})
    assert (answer["name"], answer["holds"], answer["url"]) == ("安然", True, f"/members/{ann.pk}/")
    assert answer["nodes"] == {
        "": {"holds": True, "found": ""},
        "/all/0": {"holds": True, "found": "上海"},
        "/all/1": {"holds": True, "found": ""},
        "/all/1/any/0": {"holds": False, "found": "0"},
        "/all/1/any/1": {"holds": True, "found": "¥0.00"},
    }


def test_nobody_is_explained_to_who_may_not_see_them() -> None:
    ann = make_member(city="上海", name="安然")
    client = client_as(Role.OPERATOR, scope=DataScope.STORE, staff=make_staff(store=make_store()))
    assert "nodes" not in ask(client, "explain", {"condition": SHANGHAI, "member": ann.pk})
    assert ask(client, "members", {"query": "安"}) == {"members": []}
    found = ask(client_as(), "members", {"query": "安"})["members"]
    assert [(entry["value"], entry["label"]) for entry in found] == [(ann.pk, "安然")]


@pytest.mark.parametrize("member", [None, True, "1", -1, 2**70, [1]])
def test_a_member_that_is_none_is_no_failure(member: Any) -> None:
    answer = ask(client_as(), "explain", {"condition": SHANGHAI, "member": member})
    assert answer["faults"][0]["code"] == "not_found"


def test_an_unfinished_condition_is_not_explained_but_its_faults_are_said() -> None:
    answer = ask(client_as(), "explain", {"condition": {"all": [UNFINISHED]}, "member": make_member().pk})
    assert [fault["path"] for fault in answer["faults"]] == ["/all/0"]


def test_a_segment_that_would_contain_itself_is_noticed_while_it_is_edited() -> None:
    segment = operations.create(name="上海会员", condition={"all": [SHANGHAI]}, now=NOW)
    client = client_as()
    url = client.get(f"/segments/{segment.pk}/edit/").context["builder"]["preview_url"]
    looped = {"all": [SHANGHAI, {"field": "segment", "op": "any_of", "value": [segment.pk]}]}
    answer = client.post(url, json.dumps(looped), content_type="application/json").json()
    assert (answer["html"], [fault["path"] for fault in answer["faults"]]) == (None, ["/all/1"])
    fresh = ask(client, "preview", looped)
    assert fresh["total"] == 0


def test_a_link_with_an_unfinished_condition_opens_it_to_be_finished() -> None:
    page = client_as().get("/segments/new/", {"condition": json.dumps({"all": [UNFINISHED]}), "name": "草稿"})
    builder = page.context["builder"]
    assert json.loads(builder["condition"]) == {"all": [UNFINISHED]}
    assert [fault["path"] for fault in builder["faults"]] == ["/all/0"]


def test_two_editors_the_second_sees_what_the_first_saved_and_may_replace_it() -> None:
    segment = operations.create(name="上海会员", condition={"all": [SHANGHAI]}, now=NOW)
    client, path = client_as(), f"/segments/{segment.pk}/edit/"

    def save(value: int, **more: str) -> Any:
        condition = json.dumps({"all": [{**BUYERS, "value": value}]})
        return client.post(path, {"name": "上海会员", "condition": condition, "version": "1", **more})

    assert save(2).status_code == 302
    refused = save(3)
    assert refused.status_code == 422
    clash = refused.context["clash"]
    assert (clash.theirs.version, clash.sentence) == (2, "订单数 ≥ 2")
    assert json.loads(refused.context["builder"]["condition"])["all"][0]["value"] == 3
    assert refused.context["builder"]["unsaved"] is True
    assert save(3, overwrite=str(clash.theirs.version)).status_code == 302
    segment.refresh_from_db()
    assert segment.condition["all"][0]["value"] == 3  # type: ignore[index]  # a dynamic one has one
