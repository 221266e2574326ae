"""Reading the signed links of messages without leaving a trace."""

from __future__ import annotations

from campaigns.models import Message, ShortLink
from campaigns.queries import contents
from campaigns.rules import tokens


def destination(*, token: str) -> str | None:
    """Where a click token leads: one of its campaign's own links, or None."""
    read = tokens.read(contents.signing_key(), tokens.CLICK, token)
    message = None if read is None else _message(read)
    return None if read is None or message is None else link(message.campaign_id, read.position)


def link(campaign_id: int, position: int) -> str | None:
    """A link of a campaign's content by its position."""
    return ShortLink.objects.filter(campaign_id=campaign_id, position=position).values_list("url", flat=True).first()


def channel_of(*, token: str) -> str | None:
    """The channel that an unsubscribe token is about, or None for a forged one."""
    read = tokens.read(contents.signing_key(), tokens.UNSUBSCRIBE, token)
    message = None if read is None else _message(read)
    return None if message is None else message.channel


def _message(token: tokens.Token) -> Message | None:
    return Message.objects.filter(pk=token.message_id, member_id=token.member_id).first()
