"""Pages of benefits: the editor, the page at the till, the panel of a member, deliveries, settlement."""

from __future__ import annotations

import io
from datetime import timedelta

import openpyxl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from members.models import Benefit, BenefitCode, MemberBenefit
from members.operations import benefit_catalogue, benefits
from members.tasks import run_benefit_codes  # noqa: F401  # registers the handler
from scrm.common import clock, jobs
from scrm.common.access import DataScope, Role
from scrm.common.models import Job
from tests.factories import client_as, make_member, make_staff, make_store
from tests.members.giving import make_benefit

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin() -> Client:
    return client_as(Role.ADMIN)


def form(**values: str) -> dict[str, str]:
    return {
        "key": "parking", "kind": "service", "name": "停车", "icon": "gift", "claimed_first": "on", "return_days": "7",
        "cost": "8.00", "window": "month", "settle_on": "claim", "on_0": "on", "quota_0": "2",
        "period_0": "week", **values,
    }  # fmt: skip


def claim_for(member, key: str = "parking") -> MemberBenefit:
    return benefits.claim(member_id=member.pk, benefit_key=key, reference="r", now=clock.now()).claim


def test_a_benefit_is_made_changed_put_into_use_and_ended(admin: Client) -> None:
    assert admin.get("/benefits/").status_code == 200
    assert admin.get("/benefits/new/").status_code == 200
    condition = '{"all": [{"field": "city", "op": "eq", "value": "上海"}]}'
    made = admin.post("/benefits/new/", form(condition=condition, valid_until="2027-12-31"))
    benefit = Benefit.objects.get()
    assert made.url == f"/benefits/{benefit.pk}/"
    assert (benefit.cost, benefit.rules.get().quota, benefit.rules.get().period) == (800, 2, "week")
    assert benefit.valid_until == clock.day_end(clock.shop_date(benefit.valid_until) - timedelta(days=1))
    admin.post(f"/benefits/{benefit.pk}/activate/")
    page = admin.get(f"/benefits/{benefit.pk}/").content.decode()
    assert "每周 2 次" in page
    admin.post(f"/benefits/{benefit.pk}/edit/", form(name="停车券", version="2", condition=""))
    stale = admin.post(f"/benefits/{benefit.pk}/edit/", form(name="别的", version="2"))
    assert stale.status_code == 422
    admin.post(f"/benefits/{benefit.pk}/end/")
    benefit.refresh_from_db()
    assert (benefit.name, benefit.state) == ("停车券", "ended")
    assert admin.post(f"/benefits/{benefit.pk}/explode/").status_code == 404
    assert admin.get("/benefits/99999/").status_code == 404


def test_what_is_wrong_is_said_at_its_field(admin: Client) -> None:
    for values, field in (
        ({"key": "Ä"}, "key"), ({"kind": "discount"}, "percent_off"), ({"cost": "-1"}, "cost"),
        ({"kind": "partner_code", "url": "x"}, "url"), ({"valid_from": "2026-02-30"}, "valid_from"),
    ):  # fmt: skip
        answer = admin.post("/benefits/new/", form(**values))
        assert (answer.status_code, field in answer.context["form"].errors) == (422, True), field
    broken = admin.post("/benefits/new/", form(condition='{"all": [{"field": "x", "op": "eq"}]}'))
    assert broken.status_code == 422
    assert admin.post("/benefits/new/", form(condition="[" * 5_000)).status_code == 422


def test_the_sentence_follows_the_form(admin: Client) -> None:
    answer = admin.post("/benefits/sentence/", form(), headers={"Accept-Language": "en"}).content.decode()
    assert "2 ×" in answer
    assert admin.post("/benefits/sentence/", {}).status_code == 200


def test_staff_redeem_at_the_till() -> None:
    mine, other = make_store("S1"), make_store("S2")
    make_benefit()
    here = make_member(store=mine, name="王小明", phone="+8613800001234")
    code, foreign = claim_for(here).code, claim_for(make_member(store=other)).code
    staff = client_as(Role.STORE_STAFF, scope=DataScope.STORE, staff=make_staff(store=mine))
    assert staff.get("/benefits/redeem/").status_code == 200
    page = staff.get("/benefits/redeem/", {"code": code.lower()})
    assert ("王小明" in page.content.decode(), "13800001234" in page.content.decode()) == (True, False)
    asked = {"code": code, "reference": page.context["reference"]}
    for _ in range(2):  # pressed twice
        assert staff.post("/benefits/redeem/", asked).context["done"]
    used = MemberBenefit.objects.get(code=code)
    assert (used.state, used.store_id) == ("redeemed", mine.pk)
    refused = staff.post("/benefits/redeem/", asked | {"reference": "console:other"})
    assert refused.status_code == 422
    assert "shown" not in staff.get("/benefits/redeem/", {"code": foreign}).context
    assert client_as(Role.AUDITOR).get("/benefits/redeem/").status_code == 403


def test_the_panel_claims_gives_voids_and_takes_back(admin: Client) -> None:
    make_benefit(quota=1)
    member = make_member()
    path = f"/members/{member.pk}/benefits"
    assert "member-benefits" in admin.get(f"/members/{member.pk}/").content.decode()
    admin.post(f"{path}/claim/", {"key": "parking", "reference": "a"})
    refused = admin.post(f"{path}/claim/", {"key": "parking", "reference": "b"})
    assert 'role="alert"' in refused.content.decode()
    admin.post(f"{path}/give/", {"key": "parking", "reference": "c", "reason": "生日补送"})
    first, given = MemberBenefit.objects.order_by("claimed_at", "pk")
    picture = admin.get(f"/members/{member.pk}/claims/{first.pk}/qr.svg")
    assert (picture["Content-Type"], picture.content[:4]) == ("image/svg+xml", b"<svg")
    admin.post(f"{path}/void/", {"claim": str(given.pk), "reason": "重复"})
    admin.post("/benefits/redeem/", {"code": first.code, "reference": "x"})
    admin.post(f"{path}/return/", {"claim": str(first.pk), "reason": "退货"})
    assert list(MemberBenefit.objects.order_by("claimed_at", "pk").values_list("state", "closed_reason")) == [
        ("returned", "退货"), ("voided", "重复"),
    ]  # fmt: skip
    assert admin.post(f"{path}/void/", {"claim": "nonsense"}).status_code == 404
    assert admin.post(f"{path}/dance/", {}).status_code == 404


def sheet(*rows: tuple[str, ...]) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_file_of_codes_is_taken_in_row_by_row(admin: Client, kind: str, settings, tmp_path) -> None:
    settings.MEDIA_ROOT = tmp_path
    benefit = make_benefit("coffee", "partner_code")
    rows = [("券码", "有效期"), ("LATTE-0001", "2099-12-31"), ("LATTE-0002", ""), ("LATTE-0001", ""), ("=1+1", ""),
            ("LATTE-0003", "2020-01-01")]  # fmt: skip
    data = sheet(*rows) if kind == "xlsx" else "\n".join(",".join(row) for row in rows).encode()
    answer = admin.post(f"/benefits/{benefit.pk}/codes/", {"file": SimpleUploadedFile(f"codes.{kind}", data)})
    job = Job.objects.get()
    assert answer.url == f"/jobs/{job.pk}/"
    jobs.run(job_id=job.pk)
    job.refresh_from_db()
    assert (job.state, job.counts) == ("succeeded", {"accepted": 2, "rejected": 3}), job.error
    refused = (tmp_path / job.error_file).read_text("utf-8-sig").splitlines()
    assert [line.split(",")[0] + line.split(",")[2] for line in refused[1:]] == [
        "4code_twice", "5formula", "6in_past",
    ]  # fmt: skip
    assert BenefitCode.objects.count() == 2
    assert admin.get(f"/benefits/{benefit.pk}/").context["stock"].free == 2


def test_a_file_without_a_column_of_codes_is_refused(admin: Client, settings, tmp_path) -> None:
    settings.MEDIA_ROOT = tmp_path
    benefit = make_benefit("coffee", "partner_code")
    for data in (b"LATTE-0001\nLATTE-0002\n", b"", b"%PDF-1.7"):
        answer = admin.post(f"/benefits/{benefit.pk}/codes/", {"file": SimpleUploadedFile("codes.csv", data)})
        assert answer.url == f"/benefits/{benefit.pk}/"
    assert (Job.objects.count(), BenefitCode.objects.count()) == (0, 0)


def test_a_settlement_is_shown_and_downloaded(admin: Client) -> None:
    assert admin.post("/benefits/partners/new/", {"name": "洗车行", "is_active": "on"}).url == "/benefits/partners/"
    partner = benefit_catalogue.Partner.objects.get()
    make_benefit("wash", name="=洗车", cost=3_000, partner_id=partner.pk, claimed_first=False)
    benefits.use(member_id=make_member().pk, benefit_key="wash", reference="u", now=clock.now())
    today = clock.shop_date(clock.now())
    path = f"/benefits/partners/{partner.pk}/settlement/?first={today}&last={today}"
    assert "¥30.00" in admin.get(path).content.decode()
    lines = admin.get(f"{path}&format=csv").content.decode("utf-8-sig").splitlines()
    assert lines[1] == "'=洗车,wash,1,0,1,30.00"
    assert admin.get(f"/benefits/partners/{partner.pk}/settlement/?first=2026-01-01&last=2020-01-01").status_code == 422
    regional = client_as(Role.OPERATOR, scope=DataScope.STORE, staff=make_staff(store=make_store()))
    assert regional.get(path).status_code == 404
