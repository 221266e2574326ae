"""Signed tokens in the addresses of a member's own pages: they name the member and the day they end, and cannot be
made by anybody else."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
from datetime import UTC, datetime
from typing import NamedTuple

_LAYOUT = struct.Struct(">QI")
_SIGNATURE_BYTES = 15  # 120 bits
_PURPOSE = b"member pages\0"


class Link(NamedTuple):
    member_id: int
    expires_at: datetime


def sign(key: bytes, link: Link) -> str:
    """The token as 36 characters for an address; `expires_at` is kept to the second."""
    payload = _LAYOUT.pack(link.member_id, int(link.expires_at.timestamp()))
    return base64.urlsafe_b64encode(payload + _signature(key, payload)).decode()


def read(key: bytes, text: str) -> Link | None:
    """The link that `sign` made with the same key, also one that has ended; None for anything else."""
    try:
        data = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError, ValueError):
        return None
    payload, signature = data[: _LAYOUT.size], data[_LAYOUT.size :]
    if len(data) != _LAYOUT.size + _SIGNATURE_BYTES or not hmac.compare_digest(signature, _signature(key, payload)):
        return None
    member_id, ends = _LAYOUT.unpack(payload)
    return Link(member_id, datetime.fromtimestamp(ends, UTC))


def _signature(key: bytes, payload: bytes) -> bytes:
    return hmac.digest(key, _PURPOSE + payload, hashlib.sha256)[:_SIGNATURE_BYTES]
