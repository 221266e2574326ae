"""The pages about points: what they show, who may do what, and what a form does."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from members import tasks
from members.models import Member, PointsAccount, PointsAdjustment, PointsCurrency
from members.operations import currencies, points, points_export
from members.queries import points_ledger
from scrm.common import clock, jobs
from scrm.common.access import DataScope, Role
from scrm.common.models import AuditEntry, Job, Notification
from tests.factories import client_as, make_member, make_order, make_staff, make_store

pytestmark = pytest.mark.django_db
FORM = {"reference": "console:1", "currency": "points", "direction": "credit", "amount": "50", "reason": "活动补发"}


@pytest.fixture
def member() -> Member:
    currencies.get("points")
    return make_member(name="王芳")


@pytest.fixture
def operator() -> Client:
    return client_as(Role.OPERATOR)


def earn(member: Member, amount: int, reference: str = "e", **values: Any) -> None:
    points.earn(member_id=member.pk, amount=amount, reference=reference, now=clock.now(), **values)


def text(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, answer.status_code
    return str(answer.content.decode())


def test_a_members_page_shows_balances_lots_holds_and_why(operator: Client, member: Member) -> None:
    line = {"rule": "消费积分", "version": 3, "base": 6_000, "rate": "1/1.00", "times": [], "points": 1_120}
    earn(member, 1_120, detail={"lines": [line]})
    points.hold(member_id=member.pk, amount=20, reference="cart-7", now=clock.now())
    page = text(operator, f"/points/members/{member.pk}/")
    assert "1,100" in page
    assert "cart-7" in page
    assert "+1,120 = ¥60.00 × 1 · 规则 消费积分 v3" in page
    assert "已发放 → 可用" in page
    panel = text(operator, f"/members/{member.pk}/")
    assert f"/points/members/{member.pk}/" in panel
    assert "获得 1,120 积分" in panel


def test_the_ledger_calls_an_order_by_its_number(operator: Client, member: Member) -> None:
    order = make_order(member, external_number="D-77")
    earn(member, 10, f"order:{order.pk}:1", source=f"order:{order.pk}")
    earn(member, 20, "till-5", source="till")
    for address in (f"/points/members/{member.pk}/", "/points/"):
        page = text(operator, address)
        assert f'<a href="/earning/orders/{order.pk}/">订单 D-77</a>' in page
        assert "till-5" in page


def test_a_hold_is_released_by_hand(operator: Client, member: Member) -> None:
    earn(member, 100)
    points.hold(member_id=member.pk, amount=20, reference="cart-7", now=clock.now())
    address = f"/points/members/{member.pk}/holds/void/"
    assert client_as(Role.AUDITOR).post(address, {"currency": "points", "reference": "cart-7"}).status_code == 403
    assert operator.post(address, {"currency": "points", "reference": "cart-7"}).status_code == 302
    account = PointsAccount.objects.get(member=member)
    assert (account.available, account.held) == (100, 0)


def test_an_adjustment_above_the_limit_waits_for_somebody_else(operator: Client, member: Member) -> None:
    form = {
        "reference": "console:1",
        "currency": "points",
        "direction": "credit",
        "amount": "5000",
        "reason": "活动补发",
    }
    assert operator.post(f"/points/members/{member.pk}/adjust/", form).status_code == 302
    adjustment = PointsAdjustment.objects.get()
    assert adjustment.state == "proposed"
    own = text(operator, "/points/adjustments/")
    assert "由他人审批" in own
    assert "活动补发" in text(operator, f"/points/members/{member.pk}/")
    operator.post(f"/points/adjustments/{adjustment.pk}/approve/")
    adjustment.refresh_from_db()
    assert adjustment.state == "proposed"
    other = client_as(Role.OPERATOR)
    assert f"/points/adjustments/{adjustment.pk}/approve/" in text(other, "/points/adjustments/")
    assert other.post(f"/points/adjustments/{adjustment.pk}/approve/").status_code == 302
    assert PointsAccount.objects.get(member=member).available == 5_000
    assert Notification.objects.get().message.startswith("Your adjustment")
    assert AuditEntry.objects.filter(object_type="members_pointsadjustment").count() == 2
    assert "没有待审批的调整" in text(other, "/points/adjustments/")


def test_a_rejection_needs_a_reason(operator: Client, member: Member) -> None:
    form = {
        "reference": "console:1",
        "currency": "points",
        "direction": "credit",
        "amount": "5000",
        "reason": "活动补发",
    }
    operator.post(f"/points/members/{member.pk}/adjust/", form)
    adjustment = PointsAdjustment.objects.get()
    other = client_as(Role.OPERATOR)
    other.post(f"/points/adjustments/{adjustment.pk}/reject/", {"answer": ""})
    adjustment.refresh_from_db()
    assert adjustment.state == "proposed"
    other.post(f"/points/adjustments/{adjustment.pk}/reject/", {"answer": "没有凭证"})
    assert "没有凭证" in text(operator, "/points/adjustments/?state=rejected")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"amount": "0"}, "amount"), ({"amount": "1.5"}, "amount"), ({"amount": "9" * 40}, "amount"),
        ({"reason": ""}, "reason"), ({"currency": "gold"}, "currency"), ({"direction": "debit"}, "amount"),
    ],
)  # fmt: skip
def test_what_cannot_be_booked_is_said_beside_its_field(
    operator: Client, member: Member, values: dict[str, str], said: str
) -> None:
    form = {
        "reference": "console:1",
        "currency": "points",
        "direction": "credit",
        "amount": "50",
        "reason": "补",
    } | values
    answer = operator.post(f"/points/members/{member.pk}/adjust/", form)
    assert answer.status_code == 422
    assert said in answer.context["form"].errors
    assert not PointsAdjustment.objects.exists()


def test_the_ledger_of_everybody_is_narrowed_and_exported(
    operator: Client, member: Member, settings: Any, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT = tmp_path
    other = make_member(name="李雷")
    earn(member, 10, "=r1", reason="=1+1")
    earn(other, 20, "r2")
    page = text(operator, "/points/?reference=r2")
    assert "李雷" in page
    assert "王芳" not in page
    started = operator.post("/points/export/", {"query": "amount_max=15"})
    job = Job.objects.get(kind=points_export.KIND)
    assert started["Location"].endswith(f"/jobs/{job.pk}/")
    jobs.run(job_id=job.pk, handler=tasks.run_points_export)
    rows = b"".join(operator.get(f"/points/exports/{job.pk}/").streaming_content).decode("utf-8-sig").splitlines()
    assert len(rows) == 2
    assert ",'=r1," in rows[1]
    assert "'=1+1" in rows[1]
    assert client_as(Role.OPERATOR).get(f"/points/exports/{job.pk}/").status_code == 404
    assert AuditEntry.objects.filter(action="export", object_type="members_pointsentry").count() == 1
    assert client_as(Role.AUDITOR).post("/points/export/", {"query": ""}).status_code == 403


def test_the_ledger_costs_the_same_for_one_row_and_for_many(
    operator: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        earn(make_member(), 10 + number)
    text(operator, "/points/")
    with django_assert_max_num_queries(18):  # of which up to five look at longer and longer spans
        text(operator, "/points/")


def test_pages_keep_to_the_data_scope() -> None:
    store = make_store("S1")
    mine, theirs = make_member(name="自己人", store=store), make_member(name="外人")
    for member in (mine, theirs):
        earn(member, 5)
    staff = client_as(Role.STORE_STAFF, scope=DataScope.STORE, staff=make_staff(store=store))
    page = text(staff, "/points/")
    assert "自己人" in page
    assert "外人" not in page
    assert staff.get(f"/points/members/{theirs.pk}/").status_code == 404
    assert staff.get(f"/points/members/{mine.pk}/adjust/").status_code == 403


def test_kinds_of_points_are_edited_by_administrators(member: Member) -> None:
    admin = client_as(Role.ADMIN)
    page = text(admin, "/points/currencies/")
    assert "1 年后的年末" in page
    form = {
        "name": "积分", "pending_days": "7", "expiry": "months", "expiry_count": "12", "expiry_month": "12",
        "expiry_day": "31", "reversal": "arrears", "grace_days": "7", "hold_minutes": "30", "warn_days": "30，7",
        "cost_per_1000": "12.50", "adjust_limit": "2000",
    }  # fmt: skip
    assert admin.post("/points/currencies/points/", form).status_code == 302
    changed = PointsCurrency.objects.get(key="points")
    assert (changed.pending_days, changed.warn_days, changed.cost_per_1000) == (7, [30, 7], 1_250)
    assert admin.post("/points/currencies/points/", form | {"expiry_count": "0"}).status_code == 422
    assert admin.post("/points/currencies/points/", form | {"warn_days": "soon"}).status_code == 422
    assert admin.post("/points/currencies/new/", form | {"key": "gold", "spendable": "on"}).status_code == 302
    assert client_as(Role.OPERATOR).post("/points/currencies/points/", form).status_code == 403


def test_liability_is_counted_on_request(operator: Client, member: Member) -> None:
    assert "尚未统计" in text(operator, "/points/liability/")
    earn(member, 4_000)
    operator.post("/points/liability/count/")
    job = Job.objects.get(kind="points_liability")
    jobs.run(job_id=job.pk, handler=tasks.run_points_liability)
    page = text(operator, "/points/liability/")
    assert "4,000" in page
    assert "¥40.00" in page


def test_a_search_that_would_read_too_much_is_refused(
    operator: Client, member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    earn(member, 10)
    slow = points_ledger.paginate

    def sleeping(*args: Any, **kwargs: Any) -> Any:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(1)")
        return slow(*args, **kwargs)

    monkeypatch.setattr(points_ledger, "PATIENCE_MS", 20)
    monkeypatch.setattr(points_ledger, "paginate", sleeping)
    assert "请缩短时间范围" in text(operator, "/points/")
    answer = operator.get("/api/v1/points/entries")
    assert (answer.status_code, answer.json()["code"]) == (422, "too_wide")


def test_expiring_points_are_told_by_day(operator: Client, member: Member) -> None:
    earn(member, 50, expires_at=clock.now() + timedelta(days=10))
    assert "50" in text(operator, f"/points/members/{member.pk}/")
