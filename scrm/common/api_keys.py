"""API keys: made, revoked and recognised. Only a digest of the secret is kept."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
from datetime import datetime

from django.utils.translation import gettext as _

from scrm.common.access import Actor, Permission
from scrm.common.errors import Invalid
from scrm.common.models import ApiKey
from scrm.common.transactions import atomic

_PREFIX_CHARACTERS = 10


def create(
    *,
    name: str,
    scopes: list[str],
    allowed_ips: list[str] | None = None,
    expires_at: datetime | None = None,
    actor: Actor,
) -> tuple[ApiKey, str]:
    """A new key and its secret, which is shown this once.

    Raises `Invalid` for an unknown scope (`unknown_scope`) or a malformed address (`bad_address`).
    """
    unknown = set(scopes) - set(Permission.values)
    if unknown or not scopes:
        raise Invalid(
            _("Unknown scope: %s") % ", ".join(sorted(unknown) or ["-"]), code="unknown_scope", field="scopes"
        )
    for address in allowed_ips or []:
        try:
            ipaddress.ip_network(address, strict=False)
        except ValueError as error:
            raise Invalid(_("Not an IP address: %s") % address, code="bad_address", field="allowed_ips") from error
    prefix, secret = secrets.token_hex(_PREFIX_CHARACTERS // 2), secrets.token_urlsafe(32)
    with atomic():
        key = ApiKey.objects.create(
            name=name,
            prefix=prefix,
            digest=_digest(secret),
            scopes=sorted(set(scopes)),
            allowed_ips=allowed_ips or [],
            expires_at=expires_at,
            created_by_id=actor.id if actor.kind == "user" else None,
        )
    return key, f"{prefix}.{secret}"


def revoke(*, key_id: int, now: datetime) -> None:
    """Refuse the key from now on. Revoking twice changes nothing."""
    with atomic():
        ApiKey.objects.filter(pk=key_id, revoked_at=None).update(revoked_at=now)


def verify(*, presented: str, address: str, now: datetime) -> ApiKey | None:
    """The key behind what a caller presents; None when unknown, revoked, expired or from a wrong address."""
    prefix, _separator, secret = presented.partition(".")
    if not prefix.isascii() or not prefix.isalnum() or len(prefix) > 12:
        return None
    # Asked in every request, so in plain SQL.
    found = ApiKey.objects.raw("SELECT * FROM common_apikey WHERE prefix = %s AND revoked_at IS NULL", [prefix])
    key = next(iter(found), None)
    # Compare even without a key, so that the answer's time tells nothing.
    matches = hmac.compare_digest(_digest(secret), key.digest if key else _digest(""))
    if key is None or not matches or (key.expires_at is not None and key.expires_at <= now):
        return None
    if key.allowed_ips:
        caller = ipaddress.ip_address(address)
        if not any(caller in ipaddress.ip_network(network, strict=False) for network in key.allowed_ips):
            return None
    return key


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
