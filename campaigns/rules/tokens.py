"""Signed tokens in the links of a message: 52 characters that name the message and cannot be made by anybody else."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
from dataclasses import dataclass
from uuid import UUID

_LAYOUT = struct.Struct(">16sQB")
_SIGNATURE_BYTES = 14  # 112 bits

OPEN, CLICK, UNSUBSCRIBE = "open", "click", "unsubscribe"


@dataclass(frozen=True, slots=True)
class Token:
    message_id: UUID
    member_id: int
    position: int = 0  # of the link, in a click token


def sign(key: bytes, kind: str, token: Token) -> str:
    """The token as text for an address. A token of one kind is worth nothing as another."""
    payload = _LAYOUT.pack(token.message_id.bytes, token.member_id, token.position)
    return base64.urlsafe_b64encode(payload + _signature(key, kind, payload)).decode()


def read(key: bytes, kind: str, text: str) -> Token | None:
    """The token that `sign` made with the same key and kind, or None."""
    try:
        data = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError, ValueError):
        return None
    payload, signature = data[: _LAYOUT.size], data[_LAYOUT.size :]
    if len(data) != _LAYOUT.size + _SIGNATURE_BYTES:
        return None
    if not hmac.compare_digest(signature, _signature(key, kind, payload)):
        return None
    message_id, member_id, position = _LAYOUT.unpack(payload)
    return Token(UUID(bytes=message_id), member_id, position)


def _signature(key: bytes, kind: str, payload: bytes) -> bytes:
    return hmac.digest(key, kind.encode() + b"\0" + payload, hashlib.sha256)[:_SIGNATURE_BYTES]
