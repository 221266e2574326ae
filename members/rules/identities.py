"""How the ways of recognising a member are written, so that the same person is always the same text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

import phonenumbers

from members.enums import STRONG_KINDS, IdentityKind, Rejection
from members.rules.rejections import ItemRejected, check_text

# Where several identities of one fact lead to different members, the fact goes to the first of these.
PRIORITY: dict[str, int] = {
    kind: rank
    for rank, kind in enumerate(
        (
            IdentityKind.PHONE.value,
            IdentityKind.UNIONID.value,
            IdentityKind.EXTERNAL_USERID.value,
            IdentityKind.EMAIL.value,
            IdentityKind.OPENID.value,
            IdentityKind.APP_USER.value,
            IdentityKind.NUMBER.value,
            IdentityKind.DEVICE.value,
        )
    )
}
STRONG: frozenset[str] = frozenset(kind.value for kind in STRONG_KINDS)
# Shared by families and shop counters: finds a member only when nothing better is named.
WEAK: frozenset[str] = frozenset({IdentityKind.DEVICE.value})
LONGEST = 160

_CN_MOBILE = re.compile(r"(?:\+?86)?(1[3-9]\d{9})", re.ASCII)
_PHONE_TEXT = re.compile(r"[+\d()./ \-\u2010-\u2015\uff0b\uff10-\uff19]{3,32}")
_EMAIL = re.compile(r"([^\s@\"(),:;<>\[\]\\]{1,64})@([^\s@\"(),:;<>\[\]\\]{1,253})")


class Named(NamedTuple):
    """One identity in normalised form."""

    kind: str
    value: str


def normalise(kind: str, value: str, *, source: str, field: str) -> Named:
    """The canonical form of one identity.

    Phones become E.164 (mainland China when no country is given), e-mail addresses lower case with an IDNA domain,
    member numbers `number@source`; all else is only trimmed. Raises `ItemRejected` naming `field`.
    """
    check_text(value, field)
    value = value.strip()
    if not value:
        raise ItemRejected(Rejection.MISSING, field)
    if kind == "phone":
        return Named(kind, phone(value, field=field))
    if kind == "email":
        return Named(kind, email(value, field=field))
    if kind == "number" and "@" not in value:
        value = f"{value}@{source}"
    elif kind == "openid" and "@" not in value or kind not in PRIORITY:
        raise ItemRejected(Rejection.INVALID, field)
    if len(value) > LONGEST:
        raise ItemRejected(Rejection.TOO_LONG, field)
    return Named(kind, value)


def phone(value: str, *, field: str = "phone") -> str:
    """E.164 of a phone number; numbers without a country code are read as mainland Chinese."""
    mobile = _CN_MOBILE.fullmatch(value)
    if mobile:
        return f"+86{mobile[1]}"
    if len(value) > 32:
        raise ItemRejected(Rejection.TOO_LONG, field)
    try:
        if not _PHONE_TEXT.fullmatch(value):
            raise ItemRejected(Rejection.INVALID, field)
        parsed = phonenumbers.parse(value, "CN")
    except phonenumbers.NumberParseException as error:
        raise ItemRejected(Rejection.INVALID, field) from error
    if not phonenumbers.is_possible_number(parsed):
        raise ItemRejected(Rejection.INVALID, field)
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def email(value: str, *, field: str = "email") -> str:
    """Lower-case address with the domain in its ASCII form."""
    if len(value) > LONGEST:
        raise ItemRejected(Rejection.TOO_LONG, field)
    match = _EMAIL.fullmatch(value)
    if not match:
        raise ItemRejected(Rejection.INVALID, field)
    try:
        domain = match[2].lower().encode("idna").decode("ascii")
    except UnicodeError as error:
        raise ItemRejected(Rejection.INVALID, field) from error
    if "." not in domain or len(domain) > 253:
        raise ItemRejected(Rejection.INVALID, field)
    address = f"{match[1].lower()}@{domain}"
    if len(address) > LONGEST:
        raise ItemRejected(Rejection.TOO_LONG, field)
    return address


def mask_phone(value: str) -> str:
    """What staff see of a phone: "+8613812345678" → "138****5678"."""
    national = value[3:] if value.startswith("+86") else value
    return f"{national[:3]}****{national[-4:]}" if len(national) > 7 else "****"


def mask_email(value: str) -> str:
    """What staff see of an address: "lihua@example.com" → "l***@example.com"."""
    local, _, domain = value.partition("@")
    masked = f"{local[:1]}***@{domain}"
    return masked if len(masked) <= 80 else f"{local[:1]}***@…{domain[-60:]}"


def by_strength(named: Iterable[Named]) -> list[Named]:
    """Strongest first, each once."""
    return sorted(dict.fromkeys(named), key=lambda one: PRIORITY[one.kind])
