"""Provider accounts."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError
from django.utils.translation import gettext as _

from campaigns.enums import ChannelKind
from campaigns.models import ChannelAccount
from scrm.common import encryption
from scrm.common.errors import Conflict, Invalid, NotFound
from scrm.common.transactions import atomic

SANDBOX_NAME = "沙盒"
SERVER_MAIL_NAME = "SMTP"
SECURITIES = ("", "starttls", "tls")


def ensure_defaults() -> None:
    """The accounts that every installation has: the sandbox, and the mail server that the environment names.

    Existing accounts are left as they are.
    """
    with atomic():
        if not ChannelAccount.objects.filter(channel=ChannelKind.SANDBOX).exists():
            ChannelAccount.objects.create(name=SANDBOX_NAME, channel=ChannelKind.SANDBOX)
        url = getattr(settings, "EMAIL_URL", "")
        if url and not ChannelAccount.objects.filter(channel=ChannelKind.EMAIL).exists():
            given, secrets = _from_url(url)
            ChannelAccount.objects.create(
                name=SERVER_MAIL_NAME, channel=ChannelKind.EMAIL, settings=given, sealed=_seal(secrets)
            )


def save(
    *,
    account_id: int | None,
    name: str,
    channel: str,
    values: dict[str, Any],
    password: str | None,
    is_active: bool,
) -> ChannelAccount:
    """Create or change an account. `password` None keeps the one it has.

    Raises `Invalid` with the field at fault, `Conflict` (`name_taken`), `NotFound`.
    """
    if not name.strip() or len(name) > 60 or "\x00" in name:
        raise Invalid(_("A name of 1 to 60 characters."), field="name")
    if channel not in ChannelKind.values:
        raise Invalid(_("Not a known value."), field="channel")
    checked = _check_mail(values) if channel == ChannelKind.EMAIL else {}
    try:
        with atomic():
            account = ChannelAccount(channel=channel)
            if account_id is not None:
                found = ChannelAccount.objects.select_for_update().filter(pk=account_id).first()
                if found is None:
                    raise NotFound("account")
                account = found
                checked = checked if account.channel == ChannelKind.EMAIL else {}
            account.name, account.settings, account.is_active = name.strip(), checked, is_active
            if password is not None:
                account.sealed = _seal({"password": password}) if password else None
            account.save()
    except IntegrityError as error:
        raise Conflict(_("This name is taken."), code="name_taken", field="name") from error
    return account


def _seal(secrets: dict[str, str]) -> bytes | None:
    return encryption.seal(json.dumps(secrets)) if any(secrets.values()) else None


def _check_mail(values: dict[str, Any]) -> dict[str, Any]:
    host = str(values.get("host", "")).strip()
    if not host or len(host) > 253 or any(c.isspace() or c in "/\x00" for c in host):
        raise Invalid(_("The name of a mail server."), field="host")
    port = values.get("port")
    if not isinstance(port, int) or not 1 <= port <= 65535:
        raise Invalid(_("Between %(low)d and %(high)d.") % {"low": 1, "high": 65535}, field="port")
    if values.get("security", "") not in SECURITIES:
        raise Invalid(_("Not a known value."), field="security")
    try:
        validate_email(values.get("sender_address", ""))
    except ValidationError as error:
        raise Invalid(_("Not an e-mail address."), field="sender_address") from error
    return {
        "host": host,
        "port": port,
        "security": values.get("security", ""),
        "username": str(values.get("username", ""))[:120],
        "sender_address": values["sender_address"],
        "sender_name": " ".join(str(values.get("sender_name", "")).split())[:60],
    }


def _from_url(url: str) -> tuple[dict[str, Any], dict[str, str]]:
    """`smtp://user:password@host:587/?from=a@b.cn` (also smtps:// and smtp+starttls://)."""
    parts = urlsplit(url)
    security = {"smtps": "tls", "smtp+tls": "starttls", "smtp+starttls": "starttls"}.get(parts.scheme, "")
    sender = dict(pair.partition("=")[::2] for pair in parts.query.split("&") if pair).get("from", "")
    username = unquote(parts.username or "")
    return (
        {
            "host": parts.hostname or "localhost",
            "port": parts.port or {"tls": 465, "starttls": 587}.get(security, 25),
            "security": security,
            "username": username,
            "sender_address": unquote(sender) or (username if "@" in username else f"noreply@{parts.hostname}"),
            "sender_name": settings.BRAND_NAME,
        },
        {"password": unquote(parts.password or "")},
    )
