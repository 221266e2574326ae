"""Sealing personal data: AES-256-GCM with a key id, and an HMAC blind index to find it again.

A sealed value is `key id length (1 byte) | key id | nonce (12) | ciphertext + tag`. The first key of `DATA_KEYS`
seals, every listed key opens, so a key is rotated by putting the new one first.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

_NONCE_BYTES = 12


class SealBroken(Exception):
    """The value was sealed with a key this installation does not have, or was altered."""


@lru_cache(maxsize=1)
def _keys() -> dict[str, AESGCM]:
    keys = {}
    for entry in settings.DATA_KEYS:
        key_id, _, encoded = entry.partition(":")
        keys[key_id] = AESGCM(base64.b64decode(encoded))
    return keys


@lru_cache(maxsize=1)
def _index_key() -> bytes:
    return base64.b64decode(settings.INDEX_KEY)


def seal(value: str) -> bytes:
    """Encrypt a text with the current key. Sealing twice gives different bytes."""
    key_id, key = next(iter(_keys().items()))
    nonce = os.urandom(_NONCE_BYTES)
    head = key_id.encode()
    return bytes([len(head)]) + head + nonce + key.encrypt(nonce, value.encode(), head)


def unseal(sealed: bytes) -> str:
    """Decrypt what `seal` made. Raises `SealBroken`."""
    data = bytes(sealed)
    head = data[1 : 1 + data[0]]
    nonce = data[1 + len(head) : 1 + len(head) + _NONCE_BYTES]
    key = _keys().get(head.decode())
    if key is None:
        raise SealBroken(f"no key {head.decode()!r}")
    try:
        return key.decrypt(nonce, data[1 + len(head) + _NONCE_BYTES :], head).decode()
    except InvalidTag as error:
        raise SealBroken("altered") from error


def blind_index(kind: str, value: str) -> str:
    """A keyed digest under which a normalised value can be looked up but not read. 43 characters."""
    digest = hmac.new(_index_key(), f"{kind}:{value}".encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
