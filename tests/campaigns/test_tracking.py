"""Links in messages: signed, leading only where the campaign's author wanted, and telling the timeline."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.models import Campaign, Message, SandboxMessage
from campaigns.operations import tracking
from campaigns.queries import contents
from campaigns.rules import tokens
from members.models import Event, Member
from members.queries import consents
from tests.campaigns import building
from tests.campaigns.building import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent() -> tuple[Campaign, Member, str]:
    """A finished campaign, its only member, and what the member got."""
    (member,) = building.make_audience(1)
    body = "[看看](https://shop.example/new)\n\n[退订]({{ unsubscribe_url }})"
    campaign = building.run(building.make_campaign([member], body=body))
    return campaign, member, SandboxMessage.objects.get(member=member).body


def path(body: str, kind: str) -> str:
    found = re.search(rf"/t/{kind}/[\w-]+", body)
    assert found is not None
    return found.group()


def pixel(campaign: Campaign, member: Member) -> str:
    message = Message.objects.get(campaign=campaign, member=member)
    return contents.addresses(message.pk, member.pk, 0).open_url.removeprefix("http://127.0.0.1:8000")


def test_the_pixel_marks_the_message_opened_once(sent: tuple[Campaign, Member, str]) -> None:
    campaign, member, _ = sent
    client = Client()
    assert client.head(pixel(campaign, member)).status_code == 200
    assert building.states(campaign) == {"handed": 1}
    response = client.get(pixel(campaign, member))
    assert (response.status_code, response["Content-Type"]) == (200, "image/gif")
    first = Message.objects.get(campaign=campaign).opened_at
    assert first is not None
    client.get(pixel(campaign, member))
    assert Message.objects.get(campaign=campaign).opened_at == first
    assert building.states(campaign) == {"opened": 1}
    assert Event.objects.filter(type__key="message.opened").count() in {1, 2}  # one per minute at most


def test_a_click_leads_to_the_link_and_counts_as_opening_too(sent: tuple[Campaign, Member, str]) -> None:
    campaign, _, body = sent
    response = Client().get(path(body, "c"))
    assert (response.status_code, response["Location"]) == (302, "https://shop.example/new")
    message = Message.objects.get(campaign=campaign)
    assert message.state == "clicked"
    assert message.clicked_at == message.opened_at
    assert Event.objects.get(type__key="message.clicked").properties["url"] == "https://shop.example/new"
    Client().get(pixel(campaign, Member.objects.get()))
    assert building.states(campaign) == {"clicked": 1}


def test_a_scanners_head_is_no_click(sent: tuple[Campaign, Member, str]) -> None:
    campaign, _, body = sent
    assert Client().head(path(body, "c"))["Location"] == "https://shop.example/new"
    assert building.states(campaign) == {"handed": 1}


def test_there_is_no_way_to_send_a_reader_elsewhere(sent: tuple[Campaign, Member, str]) -> None:
    campaign, member, body = sent
    link = path(body, "c")
    assert (
        Client().get(link + "?url=https://evil.example&next=//evil.example")["Location"] == "https://shop.example/new"
    )
    message = Message.objects.get(campaign=campaign)
    beyond = tokens.sign(contents.signing_key(), tokens.CLICK, tokens.Token(message.pk, member.pk, 1))
    assert Client().get(f"/t/c/{beyond}").status_code == 404


def test_a_token_of_one_kind_is_nothing_as_another(sent: tuple[Campaign, Member, str]) -> None:
    campaign, member, body = sent
    click = path(body, "c").removeprefix("/t/c/")
    assert Client().post(f"/t/u/{click}").status_code == 404
    assert Client().get(f"/t/o/{click}.gif").status_code == 200
    assert building.states(campaign) == {"handed": 1}
    assert consents.allowed(member_ids=[member.pk], channel="sandbox") == {member.pk}


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 51), st.characters(codec="utf-8"))
def test_a_forged_token_is_refused(position: int, character: str) -> None:
    key = b"k" * 32
    token = tokens.Token(contents.SAMPLE_MESSAGE, 7, 1)
    good = tokens.sign(key, tokens.CLICK, token)
    assert tokens.read(key, tokens.CLICK, good) == token
    forged = good[:position] + character + good[position + 1 :]
    assert forged == good or tokens.read(key, tokens.CLICK, forged) is None
    assert tokens.read(b"x" * 32, tokens.CLICK, good) is None


def test_forged_addresses_do_nothing(sent: tuple[Campaign, Member, str]) -> None:
    client = Client()
    assert client.get("/t/c/AAAA").status_code == 404
    assert client.get("/t/u/AAAA").status_code == 404
    assert client.post("/t/u/%00%ff").status_code == 404
    assert client.get("/t/o/AAAA.gif").status_code == 200


def test_unsubscribing_asks_first_then_wins_over_the_next_campaign(sent: tuple[Campaign, Member, str]) -> None:
    _, member, body = sent
    way_out = path(body, "u")
    assert Client().get(way_out).status_code == 200
    assert consents.allowed(member_ids=[member.pk], channel="sandbox") == {member.pk}
    # As a mail program does it: no cookie, no CSRF token.
    response = Client(enforce_csrf_checks=True).post(way_out, {"List-Unsubscribe": "One-Click"})
    assert response.status_code == 200
    assert Client().post(way_out).status_code == 200
    assert consents.allowed(member_ids=[member.pk], channel="sandbox") == set()
    assert Event.objects.filter(type__key="message.unsubscribed").count() == 1
    after = building.run(building.make_campaign([member]))
    assert building.states(after) == {"skipped:no_consent": 1}


def test_an_opening_proves_that_an_unknown_message_arrived(sent: tuple[Campaign, Member, str]) -> None:
    campaign, member, _ = sent
    Message.objects.filter(campaign=campaign).update(state="unknown", reason="lost")
    token = pixel(campaign, member).removeprefix("/t/o/").removesuffix(".gif")
    assert tracking.open_message(token=token, now=NOW) is True
    assert building.states(campaign) == {"opened": 1}
