"""The providers behind each channel."""

from __future__ import annotations

from campaigns.channels.base import Channel
from campaigns.channels.email import EmailChannel
from campaigns.channels.sandbox import SandboxChannel
from campaigns.enums import ChannelKind

_CHANNELS: dict[str, Channel] = {ChannelKind.EMAIL: EmailChannel(), ChannelKind.SANDBOX: SandboxChannel()}


def channel(kind: str) -> Channel:
    """The channel of a kind. Raises `KeyError` for one that cannot send."""
    return _CHANNELS[kind]
