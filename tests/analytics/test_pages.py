"""The RFM and lifecycle pages: every number opens exactly its members, and nobody sees more than their own."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
from django.urls import reverse

from analytics.enums import RfmLayer, Stage
from analytics.models import LifecycleModel, LifecycleRun, RfmModel, RfmRun
from analytics.operations import lifecycle, rfm, rfm_models
from analytics.queries import rfm as queries
from analytics.web import rfm_presentation
from members.queries import scopes
from scrm.common import clock
from scrm.common.access import SYSTEM, DataScope, Role
from tests.factories import client_as, make_member, make_order, make_source, make_staff, make_store, make_user

pytestmark = pytest.mark.django_db


def paid(days_ago: int) -> datetime:
    return datetime.now(UTC) - timedelta(days=days_ago)


@pytest.fixture
def crowd():
    """Twelve buyers of two stores and three prospects, scored and staged as of today."""
    stores = [make_store("S1"), make_store("S2")]
    for number in range(12):
        member = make_member(store=stores[number % 2])
        for order in range(1 + number % 4):
            make_order(member, amount=1_000 * (1 + number), paid_at=paid(1 + number * 25 + order))
    for _ in range(3):
        make_member(store=stores[0])
    today = clock.shop_date(clock.now())
    rfm.run(model_id=rfm_models.ensure_default().pk, as_of=today, actor=SYSTEM)
    lifecycle.run(as_of=today, actor=SYSTEM)
    return stores


def members_behind(client, href: str) -> int:
    """How many members the list shows behind a link, page by page."""
    url, count = unescape(href), 0
    while True:
        response = client.get(url)
        assert response.status_code == 200
        body = response.content.decode()
        count += len(re.findall(r'<tr[^>]*\bid="member-\d+|name="id" value="\d+"', body))
        following = re.search(r'hx-get="([^"]*cursor=[^"]*)"', body)
        if following is None:
            return count
        url = unescape(following.group(1))


def numbers(client, url: str, pattern: str) -> dict[str, int]:
    body = client.get(url).content.decode()
    return {href: int(n.replace(",", "")) for href, n in re.findall(pattern, body)}


@pytest.mark.parametrize("scope", [DataScope.ALL, DataScope.STORE])
def test_every_cell_opens_exactly_its_members(crowd, scope):
    staff = make_staff(store=crowd[0])
    client = client_as(Role.OPERATOR, scope=scope, staff=staff)
    cells = numbers(client, reverse("rfm"), r'<td class="q\d"><a href="([^"]+)"[^>]*>([\d,]+)<small>')
    assert len(cells) == 25
    assert sum(cells.values()) == (12 if scope == DataScope.ALL else 6)
    for href, count in cells.items():
        assert members_behind(client, href) == count


@pytest.mark.parametrize("scope", [DataScope.ALL, DataScope.STORE])
def test_every_class_layer_and_stage_opens_exactly_its_members(crowd, scope):
    staff = make_staff(store=crowd[0])
    user = make_user(scope=scope, staff=staff)
    client = client_as(Role.OPERATOR, scope=scope, staff=make_staff(store=crowd[0]))
    actor = scopes.actor_of(user)
    board = queries.board(actor=actor, model=rfm_models.ensure_default())
    shown = rfm_presentation.board(board, rfm_models.ensure_default(), "members", None, may_save=True)
    entries = [(card["href"], card["part"].members) for card in shown["class_cards"] + shown["layer_rows"]]
    everybody = 15 if scope == DataScope.ALL else 9
    assert sum(count for _, count in entries) == (12 if scope == DataScope.ALL else 6) + everybody
    assert board.layers[RfmLayer.PROSPECT].members == 3
    stages = numbers(client, reverse("lifecycle"), r'<td class="num"[^>]*><a href="([^"]+stage=[^"]+)">([\d,]+)</a>')
    assert len(stages) == len(Stage)
    assert sum(stages.values()) == everybody
    for href, count in [*entries, *stages.items()]:
        assert members_behind(client, href) == count


def test_a_class_can_be_saved_as_a_segment(crowd):
    body = client_as().get(reverse("rfm")).content.decode()
    href = unescape(re.search(r'href="([^"]+)" data-segment="important_win_back"', body).group(1))
    address = urlsplit(href)
    assert address.path == reverse("segment_new")
    assert json.loads(parse_qs(address.query)["condition"][0]) == {
        "all": [{"field": "rfm.class", "op": "in", "value": ["important_win_back"]}]
    }


def test_the_model_of_a_source_opens_its_own_members(crowd):
    source = make_source("online-retail")
    old = make_member()
    make_order(old, source=source, paid_at=datetime(2011, 12, 9, 4, tzinfo=UTC))
    model = rfm_models.ensure_for_source(source_id=source.pk, name="Online Retail")
    rfm.run(model_id=model.pk, as_of=date(2011, 12, 10), actor=SYSTEM)
    client = client_as()
    cells = numbers(client, f"{reverse('rfm')}?model={model.pk}", r'<td class="q\d"><a href="([^"]+)"[^>]*>([\d,]+)<')
    (href,) = [href for href, count in cells.items() if count]
    assert f"rfm_model={model.pk}" in href
    assert members_behind(client, href) == 1


def test_amounts_are_shown_on_demand(crowd):
    body = client_as().get(reverse("rfm") + "?show=net").content.decode()
    assert re.search(r'<td class="q\d"><a [^>]*>¥', body)


@pytest.mark.parametrize("query", ["?model=999999", "?model=x", "?model=%00", "?model=" + "9" * 40])
def test_a_model_that_is_not_there_is_not_found(query):
    assert client_as().get(reverse("rfm") + query).status_code == 404


def test_the_pages_open_before_anything_is_computed():
    RfmModel.objects.all().delete()
    for name in ("rfm", "lifecycle"):
        assert client_as().get(reverse(name)).status_code == 200
    rfm_models.ensure_default()
    assert client_as().get(reverse("rfm")).status_code == 200


def test_a_run_is_started_from_the_page_and_only_once():
    client = client_as()
    model = rfm_models.ensure_default()
    for _ in range(2):
        assert client.post(reverse("rfm_run", args=[model.pk])).status_code == 302
        assert client.post(reverse("lifecycle_run")).status_code == 302
    assert RfmRun.objects.count() == LifecycleRun.objects.count() == 1
    assert "disabled" in client.get(reverse("rfm")).content.decode()


def test_an_auditor_looks_but_does_not_touch():
    client = client_as(Role.AUDITOR)
    model = rfm_models.ensure_default()
    assert client.get(reverse("rfm")).status_code == 200
    assert client.post(reverse("rfm_run", args=[model.pk])).status_code == 403
    assert client.get(reverse("rfm_definition", args=[model.pk])).status_code == 403
    assert client.post(reverse("lifecycle_run")).status_code == 403
    assert client.get(reverse("lifecycle_limits")).status_code == 403


def definition(model, **changes):
    values = {"version": model.version, "name": model.name, "window_days": 180, "nightly": "on"}
    for name in "rfm":
        values |= {f"{name}_cuts": "quantile", f"{name}_middle": "mean"}
    return values | changes


def test_a_definition_is_saved_as_the_next_version():
    client, model = client_as(), rfm_models.ensure_default()
    url = reverse("rfm_definition", args=[model.pk])
    typed = definition(
        model, r_cuts="typed", r_values="30, 60，90,180", m_cuts="typed", m_values="100,500.5,1000,5000",
        f_middle="typed", f_value="3",
    )  # fmt: skip
    assert client.post(url, typed).status_code == 302
    saved = rfm_models.ensure_default()
    assert (saved.version, saved.window_days) == (model.version + 1, 180)
    assert saved.definition["cuts"]["r"]["values"] == [30, 60, 90, 180]
    assert saved.definition["cuts"]["m"]["values"] == [10_000, 50_050, 100_000, 500_000]
    assert saved.definition["middle"]["f"] == {"mode": "typed", "value": 3}
    body = client.get(url).content.decode()
    assert "100, 500.50, 1000, 5000" in body
    assert client.post(url, typed).status_code == 422  # made for the former version


@pytest.mark.parametrize(
    "changes",
    [
        {"window_days": "0"},
        {"window_days": "99999999999999999999"},
        {"r_cuts": "typed", "r_values": "1,2,3"},
        {"r_cuts": "typed", "r_values": "4,3,2,1"},
        {"r_cuts": "typed", "r_values": "a,b,c,\x00"},
        {"m_cuts": "typed", "m_values": "1,2,3,1e400"},
        {"f_cuts": "typed", "f_values": "NaN,Infinity,1,2"},
        {"f_middle": "typed", "f_value": ""},
        {"f_middle": "ntile"},
        {"version": "x"},
    ],
)
def test_a_definition_that_makes_no_sense_is_refused_beside_its_field(changes):
    model = rfm_models.ensure_default()
    url = reverse("rfm_definition", args=[model.pk])
    assert client_as().post(url, definition(model, **changes)).status_code == 422
    assert rfm_models.ensure_default().version == model.version


def test_limits_are_saved_and_wrong_ones_refused():
    client, url = client_as(), reverse("lifecycle_limits")
    LifecycleModel.objects.all().delete()
    values = {
        "version": 1, "new_days": 20, "sleeping_days": 60, "lost_days": 200, "returned_days": 30,
        "loyal_orders": 4, "interest_days": 14,
    }  # fmt: skip
    assert client.post(url, values).status_code == 302
    assert LifecycleModel.objects.get().lost_days == 200
    assert client.post(url, values).status_code == 422
    assert client.post(url, values | {"version": 2, "lost_days": 10}).status_code == 422


def test_a_preview_of_limits_says_which_field_is_wrong():
    values = {
        "version": 1, "new_days": 20, "sleeping_days": 9999, "lost_days": 200, "returned_days": 30,
        "loyal_orders": 4, "interest_days": 14,
    }  # fmt: skip
    answer = client_as().post(reverse("lifecycle_preview"), values).content.decode()
    assert "沉睡：未下单天数达到：" in answer


def test_a_members_page_says_why(crowd):
    member_scores = client_as().get(reverse("member_detail", args=[make_buyer().pk])).content.decode()
    assert "R=" in member_scores
    assert "F=1" in member_scores


def make_buyer():
    member = make_member()
    make_order(member, amount=100, paid_at=paid(300))
    rfm.run(model_id=rfm_models.ensure_default().pk, as_of=clock.shop_date(clock.now()), actor=SYSTEM)
    return member
