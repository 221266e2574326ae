"""Provider accounts."""

from __future__ import annotations

import json

from campaigns.channels import base
from campaigns.models import ChannelAccount
from scrm.common import encryption
from scrm.common.errors import NotFound


def list_all() -> list[ChannelAccount]:
    """Every account, the active ones first."""
    return list(ChannelAccount.objects.order_by("-is_active", "channel", "name"))


def active() -> list[ChannelAccount]:
    """The accounts that a campaign can send with."""
    return list(ChannelAccount.objects.filter(is_active=True).order_by("channel", "name"))


def get(account_id: int) -> ChannelAccount:
    """Raises `NotFound`."""
    account = ChannelAccount.objects.filter(pk=account_id).first()
    if account is None:
        raise NotFound("account")
    return account


def opened(account: ChannelAccount) -> base.Account:
    """The account as a channel needs it, with its secrets unsealed."""
    secrets = json.loads(encryption.unseal(bytes(account.sealed))) if account.sealed else {}
    return base.Account(name=account.name, settings=account.settings, secrets=secrets)
