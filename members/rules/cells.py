"""Values out of text cells, as shops and spreadsheets write them. All raise `ItemRejected`, without a field."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from zoneinfo import ZoneInfo

from members.enums import Rejection
from members.rules.rejections import ItemRejected

# ="0123" is how exports keep a spreadsheet from reading a number; so is a leading apostrophe.
_QUOTED_FOR_EXCEL = re.compile(r'="([^"=]*)"')
_APOSTROPHE = re.compile(r"'(?=[=+\-@\d\t\r])")
_WHOLE_AS_FLOAT = re.compile(r"(\d+)\.0+", re.ASCII)
_SCIENTIFIC = re.compile(r"\d(\.\d+)?[eE]\+?\d+", re.ASCII)
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d{1,24}(\.\d{0,12})?|\.\d{1,12})([eE][+-]?\d{1,2})?", re.ASCII)
_CURRENCY = "¥￥$£€"
_MOMENT = re.compile(
    r"(?P<a>\d{1,4})(?P<sep>[-/.])(?P<b>\d{1,2})(?P=sep)(?P<c>\d{1,4})"
    r"(?:[T ]+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.(?P<fraction>\d{1,9}))?)?)?"
    r"\s*(?P<zone>Z|[+-]\d{2}:?\d{2})?",
    re.ASCII,
)
_COMPACT = re.compile(r"((?:19|20)\d{2})(\d{2})(\d{2})(?:[T ]?(\d{2})(\d{2})(\d{2})?)?", re.ASCII)
_EPOCH = re.compile(r"(\d{10})(\d{3})?(?:\.\d+)?", re.ASCII)
_GENDERS = {
    "": "", "未知": "", "保密": "", "unknown": "", "u": "", "0": "",
    "f": "f", "female": "f", "woman": "f", "女": "f", "女士": "f", "女性": "f", "2": "f",
    "m": "m", "male": "m", "man": "m", "男": "m", "先生": "m", "男性": "m", "1": "m",
}  # fmt: skip
_STATES = {
    "created": "created", "unpaid": "created", "pending": "created", "待付款": "created", "未付款": "created",
    "待支付": "created", "等待买家付款": "created",
    "paid": "paid", "已付款": "paid", "已支付": "paid", "待发货": "paid", "买家已付款": "paid",
    "买家已付款,等待卖家发货": "paid",
    "shipped": "shipped", "已发货": "shipped", "待收货": "shipped", "卖家已发货": "shipped",
    "卖家已发货,等待买家确认": "shipped",
    "completed": "completed", "complete": "completed", "done": "completed", "已完成": "completed",
    "交易成功": "completed", "已签收": "completed", "完成": "completed",
    "closed": "closed", "cancelled": "closed", "canceled": "closed", "已取消": "closed", "已关闭": "closed",
    "交易关闭": "closed", "取消": "closed",
}  # fmt: skip


def unwrapped(cell: str) -> str:
    """The cell without surrounding space and without what was only put there for a spreadsheet."""
    cell = cell.strip()
    if cell[:1] == "=":
        quoted = _QUOTED_FOR_EXCEL.fullmatch(cell)
        if quoted:
            return quoted[1].strip()
    elif cell[:1] == "'":
        return _APOSTROPHE.sub("", cell, count=1)
    return cell


def text(cell: str) -> str:
    """Free text. One that a spreadsheet would calculate is refused (formula)."""
    if cell[0] in "=@+":
        raise ItemRejected(Rejection.FORMULA)
    return cell


def key(cell: str) -> str:
    """A number that is a name: of an order, a member, a product. "17850.0" is 17850; 1.2E+17 has lost its digits."""
    if cell[0] in "=@":
        raise ItemRejected(Rejection.FORMULA)
    whole = _WHOLE_AS_FLOAT.fullmatch(cell)
    if whole:
        return whole[1]
    if _SCIENTIFIC.fullmatch(cell):
        raise ItemRejected(Rejection.INVALID)
    return cell


def sku(cell: str) -> str:
    """A product's number, as it stands."""
    if cell[0] in "=@+":
        raise ItemRejected(Rejection.FORMULA)
    return cell


@lru_cache(maxsize=20_000)
def number(cell: str) -> Decimal:
    """A decimal number: "1,234.50", "￥12", "12元". Raises wrong_type, or formula for "=1+1"."""
    if cell[0] == "=":
        raise ItemRejected(Rejection.FORMULA)
    if not cell.isascii():
        cell = unicodedata.normalize("NFKC", cell)
    bare = cell.strip(_CURRENCY + " ").removesuffix("元")
    if _THOUSANDS.fullmatch(bare):
        bare = bare.replace(",", "")
    if not _NUMBER.fullmatch(bare):
        raise ItemRejected(Rejection.WRONG_TYPE)
    try:
        return Decimal(bare)
    except InvalidOperation as error:
        raise ItemRejected(Rejection.WRONG_TYPE) from error


@lru_cache(maxsize=20_000)
def integer(cell: str) -> int:
    """A whole number, also written "6.0"."""
    value = number(cell)
    if value != value.to_integral_value():
        raise ItemRejected(Rejection.WRONG_TYPE)
    if abs(value) > 10**12:
        raise ItemRejected(Rejection.OUT_OF_RANGE)
    return int(value)


@lru_cache(maxsize=20_000)
def instant(cell: str, zone: ZoneInfo, day_first: bool) -> datetime:
    """A moment, in UTC; without an offset it is in `zone`.

    Year first (2026-11-22 8:30, 2026/11/22, 2026年11月22日8时30分, 20261122) or year last (11/22/2026, or 22/11/2026
    when `day_first`), or Unix seconds or milliseconds. A date alone is the day's first moment.
    """
    if cell[0] == "=":
        raise ItemRejected(Rejection.FORMULA)
    try:
        epoch = _EPOCH.fullmatch(cell)
        if epoch:
            return datetime.fromtimestamp(int(epoch[1]) + int(epoch[2] or 0) / 1000, UTC)
        return _moment(cell, zone, day_first).astimezone(UTC)
    except ItemRejected:
        raise
    except (ValueError, OverflowError) as error:
        raise ItemRejected(Rejection.INVALID) from error


@lru_cache(maxsize=20_000)
def day(cell: str, day_first: bool) -> date:
    """A calendar day, written in any of the ways of `instant`."""
    if cell[0] == "=":
        raise ItemRejected(Rejection.FORMULA)
    try:
        moment = _moment(cell, None, day_first)
    except ItemRejected:
        raise
    except (ValueError, OverflowError) as error:
        raise ItemRejected(Rejection.INVALID) from error
    return moment.date()


def _moment(cell: str, zone: ZoneInfo | None, day_first: bool) -> datetime:
    if not cell.isascii():
        cell = unicodedata.normalize("NFKC", cell)
        for old, new in (("年", "-"), ("月", "-"), ("日", " "), ("时", ":"), ("分", ":"), ("秒", "")):
            cell = cell.replace(old, new)
        cell = cell.strip().rstrip(":")
    compact = _COMPACT.fullmatch(cell)
    if compact:
        return datetime(*(int(part) for part in compact.groups(default="0")), tzinfo=zone or UTC)  # type: ignore[arg-type,misc]
    match = _MOMENT.fullmatch(cell)
    if match is None:
        # The only complaint that is about the kind of value and not about a value of the right kind.
        raise ItemRejected(Rejection.WRONG_TYPE)
    first, second, third = match["a"], match["b"], match["c"]
    if len(first) == 4 and len(third) <= 2:
        year, month, in_month = int(first), int(second), int(third)
    elif len(third) == 4 and len(first) <= 2:
        year = int(third)
        month, in_month = (int(second), int(first)) if day_first else (int(first), int(second))
    else:
        raise ValueError("no year")
    offset = match["zone"]
    moment = datetime(
        year, month, in_month, int(match["hour"] or 0), int(match["minute"] or 0), int(match["second"] or 0),
        int((match["fraction"] or "0")[:6].ljust(6, "0")), tzinfo=zone or UTC,
    )  # fmt: skip
    if offset:
        sign = "+00:00" if offset == "Z" else offset
        moment = moment.replace(tzinfo=datetime.fromisoformat(f"2000-01-01T00:00{sign}").tzinfo)
    return moment


def gender(cell: str) -> str:
    """f, m or "" for unknown."""
    try:
        return _GENDERS[cell.lower()]
    except KeyError as error:
        raise ItemRejected(Rejection.INVALID) from error


def state(cell: str) -> str:
    """An order's state in the words of the common shops."""
    try:
        return _STATES[unicodedata.normalize("NFKC", cell).lower()]
    except KeyError as error:
        raise ItemRejected(Rejection.INVALID) from error
