"""Periods of quotas, birthdays, and the parameters of each kind of benefit. Pure: days are the shop's."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlsplit

GIVEN = "given"  # the period of claims outside of quotas
OWED = "owed"  # of rewards that wait for a partner's code
EVER = "ever"


@dataclass(frozen=True, slots=True)
class Span:
    """A quota's period: its key, and its days from `first` to before `after` (None: it never ends)."""

    key: str
    first: date | None = None
    after: date | None = None


def span(period: str, today: date, cycle: tuple[str, date | None] | None = None) -> Span:
    """The period that a day falls into. `cycle`: name and end of the member's tier cycle, for `tier_cycle`."""
    match period:
        case "day":
            return Span(f"{today:%Y-%m-%d}", today, today + timedelta(days=1))
        case "week":
            first = today - timedelta(days=today.weekday())
            year, week, _ = today.isocalendar()
            return Span(f"{year}-W{week:02d}", first, first + timedelta(days=7))
        case "month":
            return Span(f"{today:%Y-%m}", today.replace(day=1), _month_after(today.year, today.month))
        case "quarter":
            quarter = (today.month - 1) // 3
            return Span(
                f"{today.year}-Q{quarter + 1}",
                date(today.year, 3 * quarter + 1, 1),
                _month_after(today.year, 3 * quarter + 3),
            )
        case "year":
            return Span(f"{today.year}", date(today.year, 1, 1), date(today.year + 1, 1, 1))
        case "tier_cycle":
            if cycle is None:
                raise ValueError("a tier cycle needs a tier")
            return Span(f"cycle:{cycle[0]}", None, cycle[1])
    return Span(EVER)


def _month_after(year: int, month: int) -> date:
    return date(year + month // 12, month % 12 + 1, 1)


def birthday_in(born: date, year: int) -> date:
    """The birthday in a year. Who was born on 29 February has it on the 28th where there is none."""
    return date(year, born.month, min(born.day, calendar.monthrange(year, born.month)[1]))


def birthday_span(window: str, born: date, today: date) -> Span | None:
    """The window (month, week or day) of the birthday that today falls into; its key names the birthday's year.

    A week can begin in the year before its birthday, and end in the year after.
    """
    for year in (today.year - 1, today.year, today.year + 1):
        on = birthday_in(born, year)
        around = span(window, on)
        if around.first is not None and around.after is not None and around.first <= today < around.after:
            return Span(f"birthday:{year}", around.first, around.after)
    return None


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a kind: a whole number from `low` to `high`, one of `choices`, or a text up to `high`."""

    type: str  # "int", "choice", "text", "url"
    required: bool = False
    low: int = 0
    high: int = 0
    choices: tuple[str, ...] = ()
    default: Any = None


_MONEY = 10**10
PARAMETERS: dict[str, dict[str, Parameter]] = {
    "discount": {
        "percent_off": Parameter("int", low=1, high=100),
        "amount_off": Parameter("int", low=1, high=_MONEY),  # minor units
        "min_spend": Parameter("int", low=1, high=_MONEY),
        "max_off": Parameter("int", low=1, high=_MONEY),
    },
    "free_shipping": {"min_spend": Parameter("int", low=1, high=_MONEY)},
    "birthday_gift": {
        "window": Parameter("choice", required=True, choices=("month", "week", "day"), default="month"),
        "gift": Parameter("text", required=True, high=100),
    },
    "service": {"what": Parameter("text", high=100)},
    "points_multiplier": {
        "percent": Parameter("int", required=True, low=101, high=1_000, default=200),  # 200: twice the points
        "currency": Parameter("text", required=True, high=32, default="points"),
    },
    "partner_code": {
        # What the partner is paid for: each code that was given out, or each that was used.
        "settle_on": Parameter("choice", required=True, choices=("claim", "redeem"), default="claim"),
        "url": Parameter("url", high=300),
    },
    "other": {"what": Parameter("text", high=100)},
}


class BadParameter(ValueError):
    """`name` is the parameter; `code` says what is wrong: missing, unknown, wrong_type, out_of_range, either."""

    def __init__(self, name: str, code: str) -> None:
        super().__init__(f"{name}: {code}")
        self.name, self.code = name, code


def read_parameters(kind: str, given: Any) -> dict[str, Any]:
    """The parameters of a kind, checked; those with a default are filled in. Raises `BadParameter`."""
    declared = PARAMETERS[kind]
    if not isinstance(given, dict):
        raise BadParameter("parameters", "wrong_type")
    for name in given:
        if name not in declared:
            raise BadParameter(str(name)[:40], "unknown")
    read = {}
    for name, parameter in declared.items():
        value = given.get(name)
        if value in (None, ""):
            value = parameter.default
        if value is None:
            if parameter.required:
                raise BadParameter(name, "missing")
            continue
        read[name] = _checked(name, parameter, value)
    if kind == "discount" and ("percent_off" in read) == ("amount_off" in read):
        raise BadParameter("percent_off", "either")
    return read


def _checked(name: str, parameter: Parameter, value: Any) -> Any:
    if parameter.type == "int":
        if not isinstance(value, int) or isinstance(value, bool):
            raise BadParameter(name, "wrong_type")
        if not parameter.low <= value <= parameter.high:
            raise BadParameter(name, "out_of_range")
        return value
    if not isinstance(value, str):
        raise BadParameter(name, "wrong_type")
    text = value.strip()
    if parameter.type == "choice":
        if text not in parameter.choices:
            raise BadParameter(name, "out_of_range")
        return text
    if not 1 <= len(text) <= parameter.high or not text.isprintable():
        raise BadParameter(name, "out_of_range")
    if parameter.type == "url" and not _is_web_address(text):
        raise BadParameter(name, "wrong_type")
    return text


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)
