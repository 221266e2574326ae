"""Who calls the API: another system by its key, or a console user by their session."""

from __future__ import annotations

import base64
from datetime import timedelta

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from members.queries import scopes
from scrm.common import api_keys, clock
from scrm.common.access import Actor, Permission
from scrm.common.models import ApiKey

SCHEME = "Api-Key"
# When a key was last used is told to the minute, so that a busy key is not one hot row.
_NOTED_EVERY = timedelta(minutes=1)


def caller_address(request: HttpRequest) -> str:
    """The caller's address: the one that the outermost of our own proxies saw."""
    proxies: int = settings.AXES_IPWARE_PROXY_COUNT or 0
    if proxies:
        hops: list[str] = [hop.strip() for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
        if len(hops) >= proxies and hops[-proxies]:
            return hops[-proxies]
    return str(request.META.get("REMOTE_ADDR") or "0.0.0.0")  # noqa: S104  # a private socket has no address


def actor_of_key(key: ApiKey) -> Actor:
    """The actor that a key is: its scopes are its permissions, and it sees all members."""
    return Actor(
        kind="key",
        id=key.pk,
        name=key.name,
        permissions=frozenset(Permission(scope) for scope in key.scopes if scope in Permission.values),
    )


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Api-Key KEY`. A wrong, revoked or expired key is refused at once, never tried otherwise."""

    def authenticate(self, request: Request) -> tuple[Actor, ApiKey] | None:
        presented = self.presented(request.META.get("HTTP_AUTHORIZATION", ""))
        if presented is None:
            return None
        now = clock.now()
        try:
            key = api_keys.verify(presented=presented, address=caller_address(request), now=now)
        except ValueError:  # an address that is none
            key = None
        if key is None:
            raise AuthenticationFailed(_("This API key is not valid."), code="bad_key")
        if key.last_used_at is None or now - key.last_used_at > _NOTED_EVERY:
            ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)
        actor = actor_of_key(key)
        request._request.actor = actor  # type: ignore[attr-defined]
        return actor, key

    def presented(self, header: str) -> str | None:
        """The key in an Authorization header, or None when it is of another scheme."""
        scheme, _separator, value = header.partition(" ")
        return value.strip() if scheme.lower() == SCHEME.lower() else None

    def authenticate_header(self, request: Request) -> str:
        return SCHEME


class WriteKeyAuthentication(ApiKeyAuthentication):
    """`Authorization: Basic`, the key as the user name and no password: what tracking SDKs call a write key."""

    def presented(self, header: str) -> str | None:
        scheme, _separator, value = header.partition(" ")
        if scheme.lower() != "basic":
            return super().presented(header)
        try:
            name, _colon, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
        except ValueError:
            return ""
        return "" if password else name

    def authenticate_header(self, request: Request) -> str:
        return 'Basic realm="write key"'


class ConsoleSessionAuthentication(SessionAuthentication):
    """The console's own pages call the API with their session; writing needs the CSRF token."""

    def authenticate(self, request: Request) -> tuple[Actor, None] | None:
        user = getattr(request._request, "user", None)
        if user is None or not user.is_authenticated or not user.is_active:
            return None
        self.enforce_csrf(request)
        actor = scopes.actor_of(user)
        request._request.actor = actor  # type: ignore[attr-defined]
        return actor, None
