"""Reading operands: from what JSON can say to what the compiler binds. Every refusal is a `ValueError` with words."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from scrm.common import money
from scrm.common.conditions import patterns
from scrm.common.conditions.durations import LONGEST, Duration, Window
from scrm.common.conditions.fields import Field
from scrm.common.conditions.operators import OPERANDS, FieldType, Operand

MAX_TEXT = 200
MAX_LIST = 1_000
# The first and last day a condition can name; a century of room on both sides keeps arithmetic in range.
FIRST_DAY, LAST_DAY = date(1800, 1, 1), date(2200, 12, 31)
_LARGEST = 2**53
# The closed choices of a field, each with the value that it is read as: itself, or what took its place.
Allowed = Callable[[], Mapping[str | int, str | int]] | None


def read(field: Field, operator: str, raw: Any, allowed: Allowed) -> Any:
    """The operand of a leaf. `allowed` gives the closed choices of the field, when there are any."""
    operand = OPERANDS[operator]
    match operand:
        case Operand.NONE:
            if raw is not None:
                raise ValueError(_("This operator takes no value."))
            return None
        case Operand.VALUE:
            return _one(field.type, raw, allowed)
        case Operand.PAIR:
            if not isinstance(raw, list) or len(raw) != 2:
                raise ValueError(_("Two values are needed."))
            low, high = (_one(field.type, item, None) for item in raw)
            if low > high:
                raise ValueError(_("The first value is larger than the second."))
            return low, high
        case Operand.LIST:
            # Two values of which one took the other's place are one.
            return list(dict.fromkeys(_one(field.type, item, allowed) for item in _list(raw)))
        case Operand.PATTERN:
            return _pattern(raw)
        case Operand.DURATION:
            return read_duration(raw, hours=field.type == FieldType.DATETIME)
        case Operand.DAYS:
            return _whole(raw, 1, 366)
        case Operand.MONTHS:
            return [_whole(item, 1, 12) for item in _list(raw)]
        case Operand.MONTH_DAYS:
            return [_whole(item, 1, 31) for item in _list(raw)]


def read_duration(raw: Any, *, hours: bool = True) -> Duration:
    if isinstance(raw, int) and not isinstance(raw, bool):
        raw = {"n": raw, "unit": "day"}
    if not isinstance(raw, dict) or set(raw) != {"n", "unit"}:
        raise ValueError(_("A number and a unit of time are needed."))
    unit = raw["unit"]
    if not isinstance(unit, str) or unit not in LONGEST or (unit == "hour" and not hours):
        raise ValueError(_("Not a unit of time."))
    return Duration(_whole(raw["n"], 1, LONGEST[unit]), unit)


def read_window(raw: Any) -> Window:
    """{"last": {"n": 30, "unit": "day"}} or {"from": "2026-01-01", "to": "2026-03-31"} (either may be left out)."""
    if not isinstance(raw, dict) or not raw or not (set(raw) == {"last"} or set(raw) <= {"from", "to"}):
        raise ValueError(_("Not a time window."))
    if "last" in raw:
        return Window(last=read_duration(raw["last"]))
    start = _day(raw["from"]) if "from" in raw else None
    end = _day(raw["to"]) if "to" in raw else None
    if start and end and start > end:
        raise ValueError(_("The window ends before it begins."))
    return Window(start=start, end=end)


def read_text(raw: Any) -> str:
    if not isinstance(raw, str) or not raw.strip():
        raise ValueError(_("Enter a value."))
    if len(raw) > MAX_TEXT:
        raise ValueError(_("At most %(count)s characters.") % {"count": MAX_TEXT})
    if "\x00" in raw or any("\ud800" <= character <= "\udfff" for character in raw):
        raise ValueError(_("The text contains a forbidden character."))
    return raw


def _one(kind: FieldType, raw: Any, allowed: Allowed) -> Any:
    if raw is None or raw == "":
        raise ValueError(_("Enter a value."))
    match kind:
        case FieldType.TEXT:
            return read_text(raw)
        case FieldType.INTEGER:
            return _whole(raw, -_LARGEST, _LARGEST)
        case FieldType.MONEY:
            return _money(raw)
        case FieldType.DECIMAL:
            return read_decimal(raw)
        case FieldType.DATE | FieldType.DATETIME:
            return _day(raw)
    return read_choice(raw, allowed)


def read_choice(raw: Any, allowed: Allowed) -> str | int:
    """One of the choices, when there are any, or what took its place; else any text or whole number."""
    if isinstance(raw, bool) or not isinstance(raw, int | str):
        raise ValueError(_("Not one of the choices."))
    value = read_text(raw) if isinstance(raw, str) else _whole(raw, -_LARGEST, _LARGEST)
    if allowed is None:
        return value
    known = allowed()
    if value not in known:
        raise ValueError(_("Not one of the choices."))
    return known[value]


def _list(raw: Any) -> list[Any]:
    if not isinstance(raw, list) or not raw:
        raise ValueError(_("Choose at least one value."))
    if len(raw) > MAX_LIST:
        raise ValueError(_("At most %(count)s values.") % {"count": MAX_LIST})
    return raw


def _whole(raw: Any, low: int, high: int) -> int:
    if isinstance(raw, str) and re.fullmatch(r"-?[0-9]{1,16}", raw):
        raw = int(raw)
    if isinstance(raw, bool) or not isinstance(raw, int):
        raise ValueError(_("A whole number is needed."))
    if not low <= raw <= high:
        raise ValueError(_("The number must be from %(low)s to %(high)s.") % {"low": low, "high": high})
    return raw


def _money(raw: Any) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        raise ValueError(_("An amount is needed."))
    text = str(raw)
    if not re.fullmatch(r"-?[0-9]{1,13}(\.[0-9]{1,2})?", text):
        raise ValueError(_("An amount is needed."))
    return money.to_minor(Decimal(text))


def read_decimal(raw: Any, low: float = -1e12, high: float = 1e12) -> Decimal:
    """A number with at most four decimal places, as a number or as text."""
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        raise ValueError(_("A number is needed."))
    text = str(raw)
    if not re.fullmatch(r"-?[0-9]{1,13}(\.[0-9]{1,4})?", text):
        raise ValueError(_("A number is needed."))
    number = Decimal(text)
    if not Decimal(str(low)) <= number <= Decimal(str(high)):
        raise ValueError(_("The number must be from %(low)s to %(high)s.") % {"low": f"{low:g}", "high": f"{high:g}"})
    return number


def _day(raw: Any) -> date:
    try:
        if not isinstance(raw, str) or len(raw) != 10:
            raise ValueError
        day = date.fromisoformat(raw)
    except ValueError:
        raise ValueError(_("A date is needed.")) from None
    if not FIRST_DAY <= day <= LAST_DAY:
        raise ValueError(_("The date is out of range."))
    return day


def _pattern(raw: Any) -> str:
    return patterns.check(read_text(raw))


def days_before(day: date, days: int) -> date:
    return day - timedelta(days=days)
