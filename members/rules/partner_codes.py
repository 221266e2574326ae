"""Deliveries of partners' codes: which columns of a file they stand in, and whether a code is one. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from members.enums import Rejection
from members.rules import cells
from members.rules.rejections import ItemRejected

LONGEST = 120
# What a spreadsheet makes of a long number.
_DIGITS_LOST = re.compile(r"[0-9](\.[0-9]+)?E\+[0-9]+", re.IGNORECASE)
_FORMULA_STARTS = ("=", "+", "-", "@")
_CODE = frozenset({"code", "codes", "券码", "兑换码", "卡密", "卡号", "激活码", "优惠码", "码"})
_EXPIRY = frozenset({"expires_on", "expires", "expiry", "valid_until", "有效期", "有效期至", "过期日期", "到期日"})


class Columns(NamedTuple):
    """Places in the header; `expiry` None: the codes do not expire."""

    code: int
    expiry: int | None


def columns(header: Sequence[str]) -> Columns | None:
    """Where the code and its last day stand, by the names of the columns; None when none is called a code."""
    names = [name.strip().casefold() for name in header]
    code = next((place for place, name in enumerate(names) if name in _CODE), None)
    if code is None:
        return None
    return Columns(code, next((place for place, name in enumerate(names) if name in _EXPIRY), None))


def read_code(text: str) -> str:
    """The code as it is handed out.

    Raises `ItemRejected` (missing, too_long, formula, invalid, forbidden_character).
    """
    code = cells.unwrapped(text).strip()
    if not code:
        raise ItemRejected(Rejection.MISSING, "code")
    if code.startswith(_FORMULA_STARTS):
        raise ItemRejected(Rejection.FORMULA, "code")
    if len(code) > LONGEST:
        raise ItemRejected(Rejection.TOO_LONG, "code")
    if _DIGITS_LOST.fullmatch(code):
        raise ItemRejected(Rejection.INVALID, "code")
    if not code.isprintable():
        raise ItemRejected(Rejection.FORBIDDEN_CHARACTER, "code")
    return code


def read_expiry(text: str, *, today: date) -> date | None:
    """The last day of a code. Raises `ItemRejected` (invalid, in_past)."""
    if not text.strip():
        return None
    day = cells.day(cells.unwrapped(text), day_first=False)
    if day < today:
        raise ItemRejected(Rejection.IN_PAST, "expires_on")
    return day
