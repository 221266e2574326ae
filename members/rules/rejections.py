"""Why an item is refused, and the checks that every text of the outside world goes through."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import msgspec

from members.enums import Rejection
from scrm.common.money import CENT

# Sources of the product's own events; nobody can send under such a name.
INTERNAL_PREFIX = "scrm."
MAX_PROPERTIES_BYTES = 32 * 1024
MAX_PROPERTIES_DEPTH = 8
LONGEST_KEY = 100
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST_AHEAD = timedelta(days=7)
# Larger than any till; sums of it over hundreds of millions of rows still fit a bigint.
LARGEST_AMOUNT = Decimal(10) ** 9
_LARGEST_INTEGER = 2**63 - 1

# Control characters and halves of surrogate pairs: Postgres refuses some, terminals and CSV readers suffer from others.
_FORBIDDEN = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
# In free text and properties line breaks and tabs are ordinary.
_FORBIDDEN_IN_PROSE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_FORBIDDEN_IN_JSON = re.compile("[\x00\ud800-\udfff]")
_SUSPECT_JSON = re.compile(rb"\\u0000|[0-9]{19}")


class ItemRejected(ValueError):
    """One item cannot be taken. `field` is the path of the value that is wrong, such as `lines[0].sku`."""

    def __init__(self, code: Rejection, field: str = "") -> None:
        super().__init__(code.value, field)
        self.code = code
        self.field = field

    def within(self, parent: str) -> ItemRejected:
        """The same, seen from the object that holds the field."""
        if not parent:
            return self
        return ItemRejected(self.code, f"{parent}.{self.field}" if self.field else parent)


def check_text(value: str, field: str) -> None:
    """Refuse control characters and lone surrogates in a key, number or name."""
    if _FORBIDDEN.search(value):
        raise ItemRejected(Rejection.FORBIDDEN_CHARACTER, field)


def check_prose(value: str, field: str) -> None:
    """The same for longer text, in which line breaks and tabs are fine."""
    if _FORBIDDEN_IN_PROSE.search(value):
        raise ItemRejected(Rejection.FORBIDDEN_CHARACTER, field)


def check_instant(value: datetime, field: str, *, latest: datetime) -> None:
    """Refuse an instant without a zone, before 1970 or after `latest` (now and seven days)."""
    if value.tzinfo is None:
        raise ItemRejected(Rejection.INVALID, field)
    if value > latest:
        raise ItemRejected(Rejection.IN_FUTURE, field)
    if value < EARLIEST:
        raise ItemRejected(Rejection.OUT_OF_RANGE, field)


def amount(value: Decimal, field: str) -> int:
    """Minor units of an amount that may be zero. Raises `ItemRejected` (out_of_range) outside 0 … 10^9."""
    if not value.is_finite() or value < 0 or value > LARGEST_AMOUNT:
        raise ItemRejected(Rejection.OUT_OF_RANGE, field)
    return int(value.quantize(CENT, ROUND_HALF_UP).scaleb(2))


def properties_json(value: dict[str, Any], field: str) -> str:
    """Properties as the JSON text that is stored; refuses what jsonb cannot hold, too deep and too large ones."""
    try:
        encoded = msgspec.json.encode(value)
    except RecursionError as error:
        raise ItemRejected(Rejection.OUT_OF_RANGE, field) from error
    except (UnicodeEncodeError, UnicodeDecodeError) as error:
        _walk(value, field, 1)
        raise ItemRejected(Rejection.FORBIDDEN_CHARACTER, field) from error
    if len(encoded) > MAX_PROPERTIES_BYTES:
        raise ItemRejected(Rejection.TOO_LONG, field)
    # A flat object needs no walk; brackets inside texts only cost one that was not needed.
    if encoded.count(b"{") + encoded.count(b"[") > MAX_PROPERTIES_DEPTH or _SUSPECT_JSON.search(encoded):
        _walk(value, field, 1)
    return encoded.decode()


def _walk(value: Any, field: str, depth: int) -> None:
    if depth > MAX_PROPERTIES_DEPTH + 1:
        raise ItemRejected(Rejection.OUT_OF_RANGE, field)
    if isinstance(value, str):
        if _FORBIDDEN_IN_JSON.search(value):
            raise ItemRejected(Rejection.FORBIDDEN_CHARACTER, field)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if _FORBIDDEN_IN_JSON.search(key):
                raise ItemRejected(Rejection.FORBIDDEN_CHARACTER, field)
            _walk(inner, f"{field}.{key[:LONGEST_KEY]}", depth + 1)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _walk(inner, f"{field}[{index}]", depth + 1)
    elif isinstance(value, int) and abs(value) > _LARGEST_INTEGER:
        raise ItemRejected(Rejection.OUT_OF_RANGE, field)


def check_source(key: str) -> None:
    """Refuse the names that the product's own events go by."""
    if key.startswith(INTERNAL_PREFIX):
        raise ItemRejected(Rejection.INVALID, "source")
