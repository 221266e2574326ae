"""The workbench over the API and its pages: what it answers, refuses, and shows to whom."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from analytics.models import RfmModel
from analytics.operations import lifecycle, rfm, rfm_models, rfm_preview
from scrm.common import clock
from scrm.common.access import SYSTEM, DataScope, Role
from tests.factories import client_as, make_member, make_order, make_staff, make_store

pytestmark = pytest.mark.django_db

MODELS = "/api/v1/analytics/rfm/models"


@pytest.fixture(autouse=True)
def _nothing_kept() -> None:
    rfm_preview.forget()


def send(client: Client, method: str, url: str, body: Any = None) -> Any:
    answer = getattr(client, method)(url, {} if body is None else body, content_type="application/json")
    assert answer.status_code < 500, (url, body)
    return answer


@pytest.fixture
def two_runs() -> RfmModel:
    model = rfm_models.ensure_default()
    today = clock.shop_date(clock.now())
    people = [make_member() for _ in range(4)]
    for n, person in enumerate(people):
        make_order(person, amount=1_000 * (n + 1), paid_at=clock.now() - timedelta(days=3 + 40 * n))
    rfm.run(model_id=model.pk, as_of=today - timedelta(days=1), actor=SYSTEM)
    lifecycle.run(as_of=today - timedelta(days=1), actor=SYSTEM)
    make_order(people[3], amount=90_000, paid_at=clock.now())
    rfm.run(model_id=model.pk, as_of=today, actor=SYSTEM)
    lifecycle.run(as_of=today, actor=SYSTEM)
    return model


def test_a_model_is_made_changed_restored_and_archived() -> None:
    client = client_as()
    made = send(client, "post", MODELS, {"name": "门店模型", "window_days": 90})
    assert made.status_code == 201
    model = made.json()
    assert (model["version"], model["window_days"], len(model["definition"]["layers"])) == (1, 90, 11)
    url = f"{MODELS}/{model['id']}"
    changed = send(client, "put", url, {**model, "window_days": 30, "note": "shorter"})
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    stale = send(client, "put", url, {**model, "window_days": 31})
    assert (stale.status_code, stale.json()["code"]) == (409, "stale_version")
    versions = send(client, "get", f"{url}/versions").json()["items"]
    assert [(v["version"], v["content"]["window_days"], v["note"]) for v in versions] == [
        (2, 30, "shorter"),
        (1, 90, ""),
    ]
    back = send(client, "post", f"{url}/versions", {"version": 2, "from_version": 1}).json()
    assert (back["version"], back["window_days"]) == (3, 90)
    assert send(client, "post", f"{url}/duplicate").status_code == 201
    assert send(client, "post", f"{url}/archive").json()["archived_at"]
    assert send(client, "post", f"{url}/bring-back").json()["archived_at"] is None
    assert send(client, "post", f"{url}/make-default").json()["is_default"] is True
    assert send(client, "post", f"{url}/explode").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": "\x00"},
        {"name": "x", "window_days": 10**30},
        {"name": "x", "currency": "zzz"},
        {"name": "x", "scope": []},
        {"name": "x", "scope": {"stores": [10**40]}},
        {"name": "x", "scope": {"categories": [1]}},
        {"name": "x", "definition": {"cuts": []}},
        {"name": "x", "definition": {"cuts": {"r": 5}}},
        {"name": "x", "definition": {"cuts": {"r": {"mode": "typed", "values": {"a": 1}}}}},
        {"name": "x", "definition": {"middle": {"r": {"mode": "typed", "value": 10**40}}}},
        {"name": "x", "definition": {"layers": {"a": 1}}},
        {"name": "x", "definition": {"layers": [{"key": "a", "name": "b", "r": [1, 4]}]}},
        {"name": "x", "definition": {"classes": {"nobody": {}}}},
        [1],
    ],
)
def test_a_model_that_cannot_be_computed_is_refused(body: Any) -> None:
    client = client_as()
    assert 400 <= send(client, "post", MODELS, body).status_code < 500
    model = rfm_models.ensure_default()
    preview = {**body, "name": "p"} if isinstance(body, dict) and len(body) > 1 else body
    if isinstance(preview, dict) and len(preview) > 1:
        assert 400 <= send(client, "post", f"{MODELS}/{model.pk}/preview", preview).status_code < 500


def test_a_preview_and_the_moves_over_the_api(two_runs: RfmModel) -> None:
    client = client_as()
    url = f"{MODELS}/{two_runs.pk}"
    typed = {"definition": {"cuts": {"r": {"mode": "typed", "values": [1, 2, 3, 4]}}}}
    found = send(client, "post", f"{url}/preview", typed).json()
    assert (found["exact"], found["buyers_before"], found["buyers_after"]) == (True, 4, 4)
    assert found["cuts"]["r"] == [1, 2, 3, 4]
    assert sum(row["after"] for row in found["layers"]) == 4
    assert RfmModel.objects.get(pk=two_runs.pk).version == two_runs.version
    moves = send(client, "get", f"{url}/migration").json()
    assert moves["moved"] + moves["stayed"] == 4
    assert sum(flow["members"] for flow in moves["flows"]) == 4
    swapped = f"{url}/migration?earlier={moves['later']}&later={moves['earlier']}"
    assert send(client, "get", swapped).json()["code"] == "runs_out_of_order"
    for query in ("earlier=x", "kind=planet", "later=" + "9" * 40, "earlier=999999"):
        assert 400 <= send(client, "get", f"{url}/migration?{query}").status_code < 500
    stages = send(client, "get", "/api/v1/analytics/lifecycle/moves?kind=aipl").json()
    assert sum(flow["members"] for flow in stages["flows"]) == 4


def test_limits_and_alert_rules_over_the_api(two_runs: RfmModel) -> None:
    client = client_as()
    url = "/api/v1/analytics/lifecycle/limits"
    limits = send(client, "get", url).json()
    preview = send(client, "post", "/api/v1/analytics/lifecycle/preview", {**limits, "sleeping_days": 31}).json()
    assert (preview["exact"], sum(flow["members"] for flow in preview["stages"])) == (True, 4)
    changed = send(client, "put", url, {**limits, "sleeping_days": 31}).json()
    assert (changed["sleeping_days"], changed["version"]) == (31, limits["version"] + 1)
    assert send(client, "put", url, {**changed, "lost_days": 2}).json()["code"] == "limits_out_of_order"

    rules = "/api/v1/analytics/rfm/alert-rules"
    rule = {"part": "layer", "model": two_runs.pk, "direction": "shrinks", "percent": 20}
    made = send(client, "post", rules, rule)
    assert (made.status_code, made.json()["against"]) == (201, "former")
    one = f"{rules}/{made.json()['id']}"
    assert send(client, "put", one, {**rule, "percent": 30}).json()["percent"] == 30
    for bad in ({"part": "x"}, {"percent": 0}, {"model": 10**9}, {"key": "nonsense"}):
        assert 400 <= send(client, "post", rules, {**rule, **bad}).status_code < 500
    assert len(send(client, "get", rules).json()["items"]) == 1
    assert send(client, "delete", one).status_code == 204
    assert send(client, "delete", one).status_code == 404


WRITES = [
    ("post", MODELS, {"name": "x"}),
    ("put", f"{MODELS}/1", {"name": "x", "version": 1}),
    ("post", f"{MODELS}/1/duplicate", None),
    ("post", f"{MODELS}/1/preview", {}),
    ("post", f"{MODELS}/1/versions", {"version": 1, "from_version": 1}),
    ("post", "/api/v1/analytics/rfm/alert-rules", {"part": "stage", "direction": "grows", "percent": 5}),
]


@pytest.mark.parametrize(("method", "url", "body"), WRITES)
def test_who_sees_only_some_members_or_only_looks_is_refused(method: str, url: str, body: Any) -> None:
    narrow = client_as(Role.OPERATOR, scope=DataScope.STORE, staff=make_staff(store=make_store()))
    answer = send(narrow, method, url, body)
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_too_narrow")
    assert send(client_as(Role.AUDITOR), method, url, body).status_code == 403


PAGES = ["rfm", "rfm_models", "rfm_model_new", "alert_rules", "lifecycle", "lifecycle_moves", "lifecycle_limits"]


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_every_page_opens_with_and_without_runs(two_runs: RfmModel, language: str) -> None:
    client = client_as()
    client.cookies["language"] = language
    urls = [reverse(name) for name in PAGES]
    urls += [reverse(name, args=[two_runs.pk]) for name in ("rfm_definition", "rfm_migration", "rfm_versions")]
    empty = rfm_models.create(content=rfm_models.Content("leer"))
    urls += [f"{reverse('rfm')}?model={empty.pk}", reverse("rfm_migration", args=[empty.pk])]
    urls += [reverse("rfm_definition", args=[two_runs.pk]) + "?preset=layers10", reverse("rfm") + "?show=value&m=5"]
    for url in urls:
        assert client.get(url).status_code == 200, url
    assert client.get(reverse("rfm_migration", args=[two_runs.pk]) + "?earlier=999999").status_code == 404
    for moved in ("1.2.3.layer.a", "x", "1.2.3.planet.a.b", "\x00"):
        assert client.get(reverse("member_list"), {"rfm_moved": moved}).status_code < 500
        assert client.get(reverse("member_list"), {"stage_moved": moved}).status_code < 500


def test_the_preview_of_the_page_says_what_is_wrong(two_runs: RfmModel) -> None:
    client = client_as()
    form = {"name": two_runs.name, "window_days": 365, "version": two_runs.version}
    for name in "rfm":
        form |= {f"{name}_cuts": "quantile", f"{name}_middle": "mean"}
    url = reverse("rfm_preview", args=[two_runs.pk])
    assert 'data-after="important_value"' in client.post(url, form).content.decode()
    wrong = client.post(url, form | {"r_cuts": "typed", "r_values": "4,3,2,1"}).content.decode()
    assert "notice-error" in wrong
    assert "data-after" not in wrong
    rows = {"layer_key": ["", ""], "layer_name": ["顶层", "其余"], "layer_tone": ["red", "grey"]}
    rows |= {"layer_place": ["10", "20"], "layer_r": ["4-5", "1-5"], "layer_f": ["1-5", "1-5"]}
    rows |= {"layer_m": ["1-5", "1-5"], "layer_fm": ["1", "1"]}
    body = client.post(url, form | rows).content.decode()
    assert "顶层" in body
    saved = client.post(reverse("rfm_definition", args=[two_runs.pk]), form | rows | {"apply": "1"})
    assert saved.status_code == 302
    model = RfmModel.objects.get(pk=two_runs.pk)
    assert [layer["name"] for layer in model.definition["layers"]] == ["顶层", "其余"]
    assert model.runs.count() == 3  # applying starts a run
