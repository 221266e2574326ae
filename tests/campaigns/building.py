"""Campaigns, audiences and a recording mail server for tests."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from email import message_from_bytes
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from campaigns.models import Campaign, CampaignChunk, ChannelAccount, Message
from campaigns.operations import campaigns, preparing, sending
from members.models import Member
from members.operations import consents
from tags.models import Segment, SegmentMember
from tests import factories

NOW = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)  # Monday noon in Shanghai
_numbers = itertools.count(1)


def tick() -> datetime:
    return NOW


def make_segment(members: Sequence[Member]) -> Segment:
    segment = Segment.objects.create(name=f"人群{next(_numbers)}", kind="static")
    SegmentMember.objects.bulk_create(SegmentMember(segment=segment, member=member) for member in members)
    return segment


def make_audience(count: int, *, channel: str = "sandbox", consent: bool = True) -> list[Member]:
    members = [factories.make_member(email=f"m{next(_numbers)}@example.com") for _ in range(count)]
    if consent:
        allow(members, channel)
    return members


def allow(members: Sequence[Member], channel: str = "sandbox", state: str = "granted", at: datetime = NOW) -> None:
    consents.record(
        entries=[consents.Entry(m.pk, channel, "marketing", state, at, "test") for m in members],
        now=max(at, NOW),
    )


def sandbox() -> ChannelAccount:
    return ChannelAccount.objects.get_or_create(channel="sandbox", defaults={"name": "沙盒"})[0]


def mail_account(port: int, **settings: Any) -> ChannelAccount:
    given = {"host": "127.0.0.1", "port": port, "sender_address": "shop@example.com", "sender_name": "小店", **settings}
    return ChannelAccount.objects.create(name=f"邮件{next(_numbers)}", channel="email", settings=given)


def make_campaign(members: Sequence[Member], *, account: ChannelAccount | None = None, **values: Any) -> Campaign:
    account = account or sandbox()
    plan = {
        "name": f"活动{next(_numbers)}",
        "segment_id": make_segment(members).pk,
        "account_id": account.pk,
        "subject": "你好",
        "body": '{{ member.name | default("朋友") }}，[看看](https://shop.example/new)',
        **values,
    }
    return campaigns.create(plan=campaigns.Plan(**plan), user_id=None)


def start(campaign: Campaign, now: datetime = NOW) -> Campaign:
    campaigns.schedule(campaign_id=campaign.pk, at=None, now=now)
    preparing.prepare(campaign_id=campaign.pk, now=now)
    campaign.refresh_from_db()
    return campaign


def send_all(campaign: Campaign, now: datetime = NOW) -> Campaign:
    for number in CampaignChunk.objects.filter(campaign=campaign).order_by("number").values_list("number", flat=True):
        sending.send_chunk(campaign_id=campaign.pk, number=number, tick=lambda: now)
    campaign.refresh_from_db()
    return campaign


def run(campaign: Campaign, now: datetime = NOW) -> Campaign:
    start(campaign, now)
    return send_all(campaign, now)


def states(campaign: Campaign) -> dict[str, int]:
    """Counts by "state" or "state:reason"."""
    counts: dict[str, int] = {}
    for state, reason in Message.objects.filter(campaign=campaign).values_list("state", "reason"):
        key = f"{state}:{reason}" if reason else state
        counts[key] = counts.get(key, 0) + 1
    return counts


def state_of(campaign: Campaign, member: Member) -> str:
    message = Message.objects.get(campaign=campaign, member=member)
    return f"{message.state}:{message.reason}" if message.reason else message.state


class Sink:
    """A mail server that keeps what it takes. `answers` overrides the answer for a recipient, at RCPT or DATA."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, Any]] = []
        self.rcpt_answers: dict[str, str] = {}
        self.data_answers: dict[str, str] = {}
        self.drop_after: set[str] = set()  # the connection ends after the message was taken, before the answer
        self.lock = threading.Lock()

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.rcpt_answers:
            return self.rcpt_answers[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        address = envelope.rcpt_tos[0]
        if address in self.data_answers:
            return self.data_answers[address]
        assert isinstance(envelope.content, bytes)
        with self.lock:
            self.mails.append((address, message_from_bytes(envelope.content)))
        if address in self.drop_after:
            assert server.transport is not None
            server.transport.abort()
        return "250 taken"

    @property
    def addresses(self) -> list[str]:
        return [address for address, _ in self.mails]


class _AnyPort(Controller):
    """A controller on a port that the kernel picks."""

    def _trigger_server(self) -> None:
        assert self.server is not None
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@contextmanager
def mail_server(sink: Sink) -> Iterator[int]:
    """The sink behind a real SMTP server on the loopback; its port."""
    controller = _AnyPort(sink, hostname="127.0.0.1", port=0)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop(no_assert=True)
