"""What readers do with a message: open it, click in it, ask to be left alone."""

from __future__ import annotations

from datetime import datetime

from django.db import connection

from campaigns.models import Campaign, Message
from campaigns.operations.outcomes import EVENT_SOURCE, follow
from campaigns.queries import contents
from campaigns.queries import tracking as links
from campaigns.rules import tokens
from members.enums import ConsentState, Purpose
from members.operations import consents, timeline
from scrm.common.transactions import atomic


def open_message(*, token: str, now: datetime) -> bool:
    """Note that a message was opened; the first time counts, every minute goes on the timeline at most once.

    A forged token does nothing and returns False.
    """
    read = tokens.read(contents.signing_key(), tokens.OPEN, token)
    if read is None:
        return False
    with atomic():
        message = _see(read, now, clicked=False)
        if message is not None:
            _tell(message, "message.opened", f"opened:{message.pk}:{now:%Y%m%d%H%M}", now, {})
    return message is not None


def click(*, token: str, now: datetime) -> str | None:
    """Note a click and say where it leads: one of the campaign's own links, or None. A click is an opening, too."""
    read = tokens.read(contents.signing_key(), tokens.CLICK, token)
    if read is None:
        return None
    with atomic():
        message = _see(read, now, clicked=True)
        if message is None:
            return None
        url = links.link(message.campaign_id, read.position)
        if url is None:
            return None
        _tell(
            message,
            "message.clicked",
            f"clicked:{message.pk}:{read.position}:{now:%Y%m%d%H%M}",
            now,
            {"url": url, "position": read.position},
        )
        return url


def unsubscribe(*, token: str, now: datetime) -> str | None:
    """Withdraw the member's consent to marketing on the message's channel; that channel, or None for a forged token.

    Asking again changes nothing.
    """
    read = tokens.read(contents.signing_key(), tokens.UNSUBSCRIBE, token)
    if read is None:
        return None
    message = Message.objects.filter(pk=read.message_id, member_id=read.member_id).first()
    if message is None:
        return None
    with atomic():
        consents.record(
            entries=[
                consents.Entry(
                    member_id=message.member_id,
                    channel=message.channel,
                    purpose=Purpose.MARKETING,
                    state=ConsentState.WITHDRAWN,
                    at=now,
                    source="unsubscribe",
                    evidence=f"message {message.pk}",
                )
            ],
            now=now,
        )
        _tell(message, "message.unsubscribed", f"unsubscribed:{message.pk}", now, {})
    return message.channel


def _see(token: tokens.Token, now: datetime, *, clicked: bool) -> Message | None:
    """Mark the message as seen; its state only ever goes forward (handed → opened → clicked).

    A message that is still being handed over, or of which that is unknown, has evidently arrived.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE campaigns_message SET
                opened_at = COALESCE(opened_at, %(now)s),
                clicked_at = CASE WHEN %(clicked)s THEN COALESCE(clicked_at, %(now)s) ELSE clicked_at END,
                reason = CASE WHEN state = 'unknown' THEN '' ELSE reason END,
                state = CASE
                    WHEN state IN ('handed', 'delivered', 'unknown', 'opened') AND %(clicked)s THEN 'clicked'
                    WHEN state IN ('handed', 'delivered', 'unknown') THEN 'opened'
                    ELSE state END
            WHERE id = %(id)s AND member_id = %(member)s
            """,
            {"now": now, "clicked": clicked, "id": token.message_id, "member": token.member_id},
        )
    return Message.objects.filter(pk=token.message_id, member_id=token.member_id).first()


def _tell(message: Message, kind: str, message_id: str, now: datetime, properties: dict[str, object]) -> None:
    name = Campaign.objects.values_list("name", flat=True).get(pk=message.campaign_id)
    # The channel is what the preference for one is learnt from.
    told = {"campaign": name, "campaign_id": message.campaign_id, "channel": message.channel, **properties}
    timeline.append(
        source=EVENT_SOURCE,
        type=kind,
        rows=[(message.member_id, message_id, now, told)],
        now=now,
    )
    follow(kind, [message.member_id], now)
