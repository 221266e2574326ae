"""The summary and the dashboard: exact totals, whose members they are, and what a source changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.core.cache import cache
from django.urls import reverse

from analytics.operations import lifecycle, rfm, rfm_models
from analytics.queries import dashboard, summary
from members.models import Refund
from members.queries import scopes
from scrm.common import clock
from scrm.common.access import SYSTEM, DataScope, Role
from scrm.common.errors import NotFound
from tests.factories import NOW, client_as, make_member, make_order, make_source, make_staff, make_store, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_kept():
    cache.clear()


@pytest.fixture
def shops():
    """Two sources; a repeat buyer, a buyer with an unlinked refund, and orders that do not count."""
    shop, other = make_source("shop"), make_source("other")
    repeat, once, none = make_member(store=make_store("S1")), make_member(), make_member()
    make_order(repeat, amount=10_000, paid_at=NOW - timedelta(days=2), source=shop)
    make_order(repeat, amount=5_000, paid_at=NOW - timedelta(days=3), source=shop)
    make_order(once, amount=2_550, paid_at=NOW - timedelta(days=40), source=shop)
    make_order(once, amount=777, paid_at=NOW - timedelta(days=5), source=other)
    make_order(none, amount=9_999, state="closed", source=shop)
    make_order(none, amount=8_888, refunded_amount=8_888, source=shop)
    Refund.objects.create(member=once, source=shop, amount=1_000, external_number="C1", refunded_at=NOW)
    return repeat, once, none


def test_the_summary_counts_what_counts_and_does_not_subtract_refunds(shops):
    found = summary.summary(actor=SYSTEM, now=NOW, source="shop")
    assert (found.buyers, found.orders, found.revenue) == (2, 3, 17_550)
    assert (found.refunds, found.refund_count) == (1_000, 1)
    every = summary.summary(actor=SYSTEM, now=NOW)
    assert (every.buyers, every.orders, every.revenue) == (2, 4, 18_327)
    unpaid = summary.summary(actor=SYSTEM, now=NOW, source="shop", paid_only=False)
    assert (unpaid.buyers, unpaid.orders) == (3, 5)
    with pytest.raises(NotFound):
        summary.summary(actor=SYSTEM, now=NOW, source="nowhere\x00")


def test_the_summary_over_the_api(shops):
    client = client_as()
    answer = client.get("/api/v1/analytics/summary?source=shop&paid_only=true").json()
    assert (answer["buyers"], answer["orders"], answer["revenue"]) == (2, 3, "175.50")
    assert (answer["source"], answer["currency"], answer["refunds"]) == ("shop", "CNY", "10.00")
    assert client.get("/api/v1/analytics/summary?source=nowhere").json()["code"] == "no_such_source"
    for query in ("paid_only=perhaps", "source=" + "x" * 300):
        assert client.get(f"/api/v1/analytics/summary?{query}").status_code in (400, 422)


def test_only_members_in_scope_are_summed(shops):
    repeat, _, _ = shops
    actor = scopes.actor_of(make_user(scope=DataScope.STORE, staff=make_staff(store=repeat.store)))
    found = summary.summary(actor=actor, now=NOW)
    assert (found.buyers, found.orders, found.revenue) == (1, 2, 15_000)
    figures = dashboard.overview(actor=actor, source=None, now=NOW)
    assert figures["totals"] == {"buyers": 1, "orders": 2, "revenue": 15_000}
    assert {kpi["key"]: kpi["raw"] for kpi in figures["kpis"]}["members"] == 1


def test_the_dashboard_compares_thirty_days_with_the_thirty_before(shops):
    figures = dashboard.overview(actor=SYSTEM, source=None, now=NOW)
    kpis = {kpi["key"]: kpi for kpi in figures["kpis"]}
    assert {key: kpi["raw"] for key, kpi in kpis.items()} == {
        "members": 3,
        "buyers": 2,
        "orders": 4,
        "revenue": 18_327,
        "gmv_30d": 15_777,
        "orders_30d": 3,
        "aov": 5_259,
        "repurchase": 0.5,
    }
    assert kpis["gmv_30d"]["value"] == "¥157.77"
    assert kpis["gmv_30d"]["delta"] == (15_777 - 2_550) / 2_550
    assert kpis["orders_30d"]["delta"] == 2.0
    assert all(kpi["definition"] for kpi in kpis.values())
    assert len(figures["trend"]["labels"]) == 90
    assert figures["trend"]["labels"][-1] == "2026-11-21"
    assert sum(figures["trend"]["series"][0]["data"]) == 18_327
    assert sum(figures["trend_orders"]["series"][0]["data"]) == 4
    assert figures["is_past"] is False


def test_a_source_whose_orders_end_long_ago_is_shown_at_its_end():
    source = make_source("online-retail")
    source.currency = "GBP"
    source.save()
    member = make_member(source=source)
    make_order(member, amount=1_234, source=source, paid_at=datetime(2011, 12, 9, 4, tzinfo=UTC))
    figures = dashboard.overview(actor=SYSTEM, source="online-retail", now=NOW)
    assert (figures["is_past"], figures["until"].isoformat()) == (True, "2011-12-09")
    assert figures["totals"] == {"buyers": 1, "orders": 1, "revenue": 1_234}
    kpis = {kpi["key"]: kpi["value"] for kpi in figures["kpis"]}
    assert (kpis["revenue"], kpis["gmv_30d"]) == ("£12.34", "£12.34")
    assert figures["trend"]["labels"][-1] == "2011-12-09"


def test_slow_figures_are_kept_say_so_and_are_renewed(shops, monkeypatch):
    monkeypatch.setattr(dashboard, "SLOW_SECONDS", 0.0)
    first = dashboard.overview(actor=SYSTEM, source=None, now=NOW)
    make_order(make_member(), amount=1)
    kept = dashboard.overview(actor=SYSTEM, source=None, now=NOW + timedelta(minutes=1))
    assert (kept["totals"], kept["updated_at"]) == (first["totals"], NOW)
    dashboard.refresh(now=NOW + timedelta(minutes=2))
    renewed = dashboard.overview(actor=SYSTEM, source=None, now=NOW + timedelta(minutes=3))
    assert renewed["totals"]["orders"] == first["totals"]["orders"] + 1
    assert renewed["updated_at"] == NOW + timedelta(minutes=2)
    make_order(make_member(), amount=1)
    late = dashboard.overview(actor=SYSTEM, source=None, now=NOW + timedelta(minutes=20))
    assert late["totals"]["orders"] == first["totals"]["orders"] + 2


def test_the_dashboard_page_shows_the_figures(shops):
    body = client_as().get(reverse("dashboard") + "?source=shop").content.decode()
    assert "¥175.50" in body


def test_distributions_over_the_api(shops):
    client = client_as()
    assert client.get("/api/v1/analytics/rfm").json()["code"] == "not_computed"
    today = clock.shop_date(clock.now())
    rfm.run(model_id=rfm_models.ensure_default().pk, as_of=today, actor=SYSTEM)
    lifecycle.run(as_of=today, actor=SYSTEM)
    answer = client.get("/api/v1/analytics/rfm").json()
    assert (answer["buyers"], answer["members"], answer["net"]) == (2, 3, "173.27")
    assert len(answer["cells"]) == 25
    assert sum(part["members"] for part in answer["classes"].values()) == 2
    assert answer["layers"]["prospect"]["members"] == 1
    stages = client.get("/api/v1/analytics/lifecycle").json()
    assert (stages["members"], sum(stages["stages"].values()), sum(stages["aipl"].values())) == (3, 3, 3)


def test_runs_are_started_and_listed_over_the_api():
    client = client_as()
    rfm_models.ensure_default()
    url = "/api/v1/analytics/rfm/runs"
    started = client.post(url, {}, content_type="application/json")
    assert (started.status_code, started.json()["state"]) == (202, "aggregating")
    again = client.post(url, {}, content_type="application/json")
    assert (again.status_code, again.json()["code"]) == (409, "run_in_progress")
    assert [item["id"] for item in client.get(url).json()["items"]] == [started.json()["id"]]
    for body in ({"as_of": "2999-01-01"}, {"as_of": "x"}, {"model": -1}, {"model": 10**30}, {"model": 10**9}, [1]):
        assert 400 <= client.post(url, body, content_type="application/json").status_code < 500
    for query in ("state=x", "model=x", "model=" + "9" * 30, "as_of_from=0", "size=0", "cursor=x"):
        assert 400 <= client.get(f"{url}?{query}").status_code < 500
    assert client_as(Role.AUDITOR).post(url, {}, content_type="application/json").status_code == 403
