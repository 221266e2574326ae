"""The pages of campaigns, walked as an operator does: write, check, start, watch, read the report."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from campaigns.models import Campaign, ChannelAccount, Message, MessageTemplate, SandboxMessage
from campaigns.operations import campaigns as operations
from campaigns.queries import preflight, reports
from scrm.common.access import SYSTEM, DataScope, Role
from tests import factories
from tests.campaigns import building
from tests.campaigns.building import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator() -> Client:
    return factories.client_as(Role.OPERATOR)


def page(client: Client, name: str, *args: Any, **query: Any) -> str:
    response = client.get(reverse(name, args=args), query)
    assert response.status_code == 200, (name, response.status_code)
    return response.content.decode()


def test_a_campaign_from_the_first_step_to_the_report(operator: Client) -> None:
    members = building.make_audience(3)
    building.allow(members[2:], state="withdrawn", at=NOW + timedelta(seconds=1))
    segment, account = building.make_segment(members), building.sandbox()
    assert segment.name in page(operator, "campaign_new", segment=segment.pk)
    assert ">2<" in page(operator, "campaign_reach", segment_id=segment.pk)

    answer = operator.post(
        reverse("campaign_new"), {"name": "双十一", "segment_id": segment.pk, "account_id": account.pk}
    )
    campaign = Campaign.objects.get()
    assert answer["Location"] == reverse("campaign_edit", args=[campaign.pk, "content"])
    content = {"subject": "上新", "body": "{{ member.name }} 你好", "missing_value": "blank", "version": 1}
    assert operator.post(answer["Location"], content)["Location"].endswith("/schedule/")
    rules = {
        "when": "now", "quiet_action": "hold", "respects_cap": "on", "cap_touches": 5, "cap_days": 7,
        "control_percent": 0, "version": 2,
    }  # fmt: skip
    assert operator.post(reverse("campaign_edit", args=[campaign.pk, "schedule"]), rules)["Location"].endswith(
        "/check/"
    )
    check = page(operator, "campaign_edit", campaign.pk, "check")
    assert f"{members[0].name} 你好" in check
    operator.post(reverse("campaign_act", args=[campaign.pk, "start"]))
    campaign.refresh_from_db()
    assert campaign.state == "scheduled"
    assert 'hx-trigger="every 2s"' in page(operator, "campaign_detail", campaign.pk)

    operations.unschedule(campaign_id=campaign.pk)
    Campaign.objects.filter(pk=campaign.pk).update(scheduled_at=None)
    building.run(campaign)
    report = page(operator, "campaign_detail", campaign.pk)
    assert "every 2s" not in report
    link = re.search(r'href="([^"]+reason=no_consent)"', report)
    assert link is not None
    listed = operator.get(link.group(1).replace("&amp;", "&")).content.decode()
    assert members[2].name in listed
    assert members[0].name not in listed


def test_what_is_wrong_is_said_at_its_field_and_nothing_is_lost(operator: Client) -> None:
    campaign = building.make_campaign(building.make_audience(1))
    url = reverse("campaign_edit", args=[campaign.pk, "content"])
    data = {"subject": "", "body": "a\n{{ member.password }}", "missing_value": "blank", "version": 1}
    answer = operator.post(url, data)
    assert answer.status_code == 422
    assert "member.password" in answer.content.decode()
    stale = operator.post(url, {**data, "body": "ok", "version": 99})
    assert stale.status_code == 422
    campaign.refresh_from_db()
    assert campaign.version == 1
    assert operator.get(reverse("campaign_new"), {"segment": "99999999"}).status_code == 404


def test_the_preview_follows_what_is_typed(operator: Client) -> None:
    (member,) = building.make_audience(1)
    url = reverse("campaign_preview")
    shown = operator.post(url, {"subject": "x", "body": "Hi {{ member.name }}", "after": "0"}).content.decode()
    assert f"Hi {member.name}" in shown
    assert "{{ nonsense }}" not in operator.post(url, {"body": "{{ nonsense }}"}).content.decode()
    assert operator.post(url, {"body": "x", "segment": "9" * 30, "after": "9" * 30}).status_code in {200, 404}


def test_a_test_message_goes_to_the_sandbox_and_counts_nowhere(operator: Client) -> None:
    (member,) = building.make_audience(1)
    campaign = building.make_campaign([member])
    operator.post(reverse("campaign_test", args=[campaign.pk]), {"account": campaign.account_id, "member": member.pk})
    assert SandboxMessage.objects.get().member_id == member.pk
    assert Message.objects.count() == 0
    assert member.name in page(operator, "sandbox_inbox")
    assert member.name in page(operator, "sandbox_inbox", member=member.pk)


def test_the_forecast_is_what_happens() -> None:
    fine, silent, capped, *rest = building.make_audience(30)
    building.allow([silent], state="withdrawn", at=NOW + timedelta(seconds=1))
    building.run(building.make_campaign([capped]))
    campaign = building.make_campaign([fine, silent, capped, *rest], cap_touches=1, control_percent=20)
    forecast = preflight.forecast(campaign, now=NOW)
    building.run(campaign)
    report = reports.report(campaign.pk, actor=SYSTEM)
    assert forecast.sent == report.handed
    assert forecast.control == report.control
    assert forecast.no_consent == report.skipped.get("no_consent", 0)
    assert forecast.capped == report.skipped.get("capped", 0)
    assert sum(report.outcomes.values()) == forecast.audience == 30


def test_orders_within_five_days_belong_to_the_last_message_before_them() -> None:
    members = building.make_audience(3)
    first = building.run(building.make_campaign(members))
    second = building.run(building.make_campaign(members[:1]), NOW + timedelta(days=1))
    factories.make_order(members[0], amount=1000, paid_at=NOW + timedelta(days=2))
    factories.make_order(members[1], amount=2000, paid_at=NOW + timedelta(days=5) - timedelta(seconds=1))
    factories.make_order(members[2], amount=4000, paid_at=NOW + timedelta(days=5))
    factories.make_order(members[2], amount=8000, paid_at=NOW - timedelta(seconds=1))
    assert reports.orders_after(first, actor=SYSTEM) == reports.Orders(1, 1, 2000)
    assert reports.orders_after(second, actor=SYSTEM) == reports.Orders(1, 1, 1000)


def test_templates_are_written_changed_and_kept_while_in_use(operator: Client) -> None:
    data = {"name": "上新", "channel": "sandbox", "subject": "", "body": "{{ member.name }} 你好"}
    assert operator.post(reverse("template_new"), data).status_code == 302
    template = MessageTemplate.objects.get()
    assert operator.post(reverse("template_new"), data).status_code == 422  # the name is taken
    url = reverse("template_edit", args=[template.pk])
    assert operator.post(url, {**data, "body": "新", "version": 1}).status_code == 302
    assert operator.post(url, {**data, "body": "旧", "version": 1}).status_code == 422
    template.refresh_from_db()
    assert (template.body, template.version) == ("新", 2)
    building.make_campaign([], template_id=template.pk)
    operator.post(reverse("template_delete", args=[template.pk]))
    assert MessageTemplate.objects.exists()
    assert "上新" in page(operator, "template_list")


def test_an_account_keeps_its_secret_sealed() -> None:
    admin = factories.client_as(Role.ADMIN)
    data = {
        "name": "企业邮箱", "channel": "email", "host": "smtp.example.com", "port": 465, "security": "tls",
        "username": "u", "password": "s3cret-word", "sender_address": "a@example.com", "sender_name": "店",
        "is_active": "on",
    }  # fmt: skip
    assert admin.post(reverse("account_list"), data).status_code == 302
    account = ChannelAccount.objects.get(name="企业邮箱")
    assert account.sealed
    assert b"s3cret-word" not in bytes(account.sealed)
    assert "s3cret-word" not in page(admin, "account_edit", account.pk)
    sealed = bytes(account.sealed)
    admin.post(reverse("account_edit", args=[account.pk]), {**data, "password": "", "sender_name": "新店"})
    account.refresh_from_db()
    assert (bytes(account.sealed), account.settings["sender_name"]) == (sealed, "新店")
    assert admin.post(reverse("account_list"), {**data, "name": "x", "host": "a b"}).status_code == 422


def test_who_sees_one_store_counts_and_lists_only_its_members() -> None:
    mine, other = building.make_audience(2)
    store = factories.make_store("S9")
    type(mine).objects.filter(pk=mine.pk).update(store=store)
    campaign = building.run(building.make_campaign([mine, other]))
    client = factories.client_as(Role.OPERATOR, scope=DataScope.STORE, staff=factories.make_staff(store=store))
    for name, args in (("campaign_detail", [campaign.pk]), ("campaign_members", [campaign.pk]), ("sandbox_inbox", [])):
        shown = page(client, name, *args)
        assert mine.name in shown
        assert other.name not in shown
    draft = building.make_campaign([mine, other])
    client.post(reverse("campaign_act", args=[draft.pk, "start"]))
    draft.refresh_from_db()
    assert draft.state == "draft"


def test_an_auditor_looks_and_starts_nothing() -> None:
    auditor = factories.client_as(Role.AUDITOR)
    campaign = building.make_campaign(building.make_audience(1))
    assert auditor.post(reverse("campaign_act", args=[campaign.pk, "start"])).status_code == 403
    assert auditor.get(reverse("campaign_new")).status_code == 403
    page(auditor, "campaign_detail", campaign.pk)
    page(auditor, "campaign_list")


def test_the_list_has_the_states_as_tabs(operator: Client) -> None:
    building.make_campaign([], name="草稿甲")
    building.run(building.make_campaign(building.make_audience(1), name="完成乙"))
    everything = page(operator, "campaign_list")
    assert "草稿甲" in everything
    assert "完成乙" in everything
    finished = page(operator, "campaign_list", view="finished")
    assert "完成乙" in finished
    assert "草稿甲" not in finished
    assert "草稿甲" in page(operator, "campaign_list", q="草稿")
