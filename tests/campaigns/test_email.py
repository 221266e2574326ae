"""E-mail over real SMTP: what the server answers decides what became of each message."""

from __future__ import annotations

import socket
from datetime import timedelta

import pytest

from campaigns.models import CampaignChunk, Message
from campaigns.operations import claims, outcomes
from members.queries import contacts
from tests.campaigns import building
from tests.campaigns.building import NOW, Sink, mail_server

pytestmark = pytest.mark.django_db


def address_of(member_id: int) -> str:
    return contacts.addresses(member_ids=[member_id], kind="email")[member_id]


def test_a_mail_has_both_sides_its_own_links_and_a_way_out() -> None:
    sink = Sink()
    (member,) = building.make_audience(1, channel="email")
    type(member).objects.filter(pk=member.pk).update(name="<b>林</b>")
    with mail_server(sink) as port:
        campaign = building.run(
            building.make_campaign(
                [member],
                account=building.mail_account(port),
                subject="{{ member.name }}，上新",
                body="{{ member.name }}\n\n[看看](https://shop.example/a?b=1&c=2)\n\n.点",
            )
        )
    assert building.states(campaign) == {"handed": 1}
    ((address, mail),) = sink.mails
    message = Message.objects.get(campaign=campaign)
    assert address == address_of(member.pk)
    assert mail["Message-ID"] == f"<{message.pk}@example.com>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["List-Unsubscribe"].startswith("<http://127.0.0.1:8000/t/u/")
    text, html = (part.get_payload(decode=True).decode() for part in mail.get_payload())
    assert "<b>林</b>" in text
    assert "\r\n.点" in text
    assert "&lt;b&gt;林&lt;" in html
    assert "shop.example" not in html
    assert html.count("/t/c/") == 1
    assert html.count("/t/o/") == 1


def test_refusals_for_good_fail_and_for_now_wait() -> None:
    sink = Sink()
    good, nobody, grey, spam = building.make_audience(4, channel="email")
    sink.rcpt_answers = {address_of(nobody.pk): "550 no such user", address_of(grey.pk): "451 come back later"}
    sink.data_answers = {address_of(spam.pk): "554 spam"}
    with mail_server(sink) as port:
        campaign = building.run(building.make_campaign([good, nobody, grey, spam], account=building.mail_account(port)))
        assert building.state_of(campaign, good) == "handed"
        assert building.state_of(campaign, nobody) == "failed:bad_address"
        assert building.state_of(campaign, spam) == "failed:refused"
        assert building.state_of(campaign, grey) == "pending"
        chunk = CampaignChunk.objects.get(campaign=campaign)
        assert chunk.not_before == NOW + timedelta(seconds=30)
        sink.rcpt_answers = {}
        assert building.send_all(campaign, chunk.not_before).state == "finished"
    assert building.state_of(campaign, grey) == "handed"
    assert sorted(sink.addresses) == sorted([address_of(good.pk), address_of(grey.pk)])


def test_a_connection_that_ends_after_the_message_leaves_it_unknown_and_the_others_go_on() -> None:
    sink = Sink()
    members = building.make_audience(3, channel="email")
    sink.drop_after = {address_of(members[1].pk)}
    with mail_server(sink) as port:
        campaign = building.run(building.make_campaign(members, account=building.mail_account(port)))
    assert [building.state_of(campaign, member) for member in members] == ["handed", "unknown:lost", "handed"]
    assert campaign.state == "finished"
    assert len(sink.mails) == 3


def test_a_server_that_is_down_costs_nobody_the_message() -> None:
    members = building.make_audience(2, channel="email")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        campaign = building.run(building.make_campaign(members, account=building.mail_account(closed.getsockname()[1])))
    assert building.states(campaign) == {"pending": 2}
    sink = Sink()
    with mail_server(sink) as port:
        campaign.account.settings["port"] = port
        campaign.account.save()
        building.send_all(campaign, NOW + timedelta(seconds=30))
    assert building.states(campaign) == {"handed": 2}


def test_a_message_that_is_put_off_for_ever_fails_in_the_end() -> None:
    members = building.make_audience(1, channel="email")
    campaign = building.start(building.make_campaign(members, account=building.mail_account(9)))
    Message.objects.filter(campaign=campaign).update(attempts=15)
    building.send_all(campaign)
    assert building.states(campaign) == {"failed:exhausted": 1}
    assert campaign.state == "finished"


def test_of_a_claim_whose_worker_was_lost_only_what_was_under_way_is_in_doubt() -> None:
    sink = Sink()
    members = building.make_audience(3, channel="email")
    with mail_server(sink) as port:
        campaign = building.start(building.make_campaign(members, account=building.mail_account(port)))
        claimed = claims.claim(campaign_id=campaign.pk, number=0, now=NOW)
        assert claimed is not None
        under_way = claimed.messages[0]
        assert outcomes.begin(
            campaign_id=campaign.pk, number=0, lease=claimed.lease, message_ids=[under_way[0]], now=NOW
        )
        later = NOW + claims.LEASE + timedelta(seconds=1)
        building.send_all(campaign, later)
        # Nobody may hand over on a lease that was taken over.
        assert not outcomes.begin(
            campaign_id=campaign.pk, number=0, lease=claimed.lease, message_ids=[under_way[0]], now=later
        )
    assert building.states(campaign) == {"unknown:lost": 1, "handed": 2}
    assert campaign.state == "finished"
    assert sorted(sink.addresses) == sorted(address_of(r.member_id) for _, r in claimed.messages[1:])
