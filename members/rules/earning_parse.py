"""Reading what a rule says from untrusted JSON. Names are looked up, and conditions read, by the caller."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from members.rules.earning import SCALE, Definition, Multiplier
from members.rules.earning_windows import Window

TRIGGERS = ("order", "event")
KINDS = ("tier", "tag", "product", "category", "store", "channel", "time")
STACKINGS = ("add", "best", "stop")
LIMITS = ("order", "day", "month", "ever", "budget")
LARGEST = {"order": 10**9, "day": 10**9, "month": 10**9, "ever": 10**10, "budget": 10**12}
MOST_MULTIPLIERS = 20
MOST_NAMES = 200
LONGEST_NAME = 64
LARGEST_FACTOR = 100
_SCOPE = ("sources", "stores", "channels", "categories", "products")
_KEYS = {"condition", "scope", "event", "base", "combine", "multipliers", "stacking", "caps", "position"}
_WINDOW = {"from", "until", "weekdays", "hours", "days", "birthday"}
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
Value = TypeVar("Value")


class BadRule(Exception):
    """`code` says what is wrong with `field`: "multipliers[1].factor"."""

    def __init__(self, code: str, field: str) -> None:
        super().__init__(f"{field}: {code}")
        self.code = code
        self.field = field


def parse(raw: Any, *, trigger: str) -> Definition:
    """The checked definition. Raises `BadRule`."""
    given = _object(raw, "", _KEYS)
    scope = _object(given.get("scope", {}), "scope", {*_SCOPE, "minimum"})
    event = _object(given.get("event", {}), "event", {"type", "where"})
    if trigger == "event":
        if not event.get("type"):
            raise BadRule("missing", "event.type")
        if scope:
            raise BadRule("not_of_events", "scope")
    elif event:
        raise BadRule("not_of_orders", "event")
    names = {name: frozenset(_names(scope.get(name, []), f"scope.{name}")) for name in _SCOPE}
    base = _object(given.get("base", {}), "base", {"kind", "points", "per", "rounding"})
    kind = _one_of(base.get("kind", "per_amount"), ("per_amount", "fixed"), "base.kind")
    if kind == "fixed" and "per" in base:
        raise BadRule("unknown_field", "base.per")
    stacking = _object(given.get("stacking", {}), "stacking", {"kind", "group"})
    how = _one_of(stacking.get("kind", "add"), STACKINGS, "stacking.kind")
    group = _text(stacking.get("group", ""), "stacking.group", 40)
    if (how == "best") != bool(group):
        raise BadRule("missing" if how == "best" else "unknown_field", "stacking.group")
    multipliers = _list(given.get("multipliers", []), "multipliers", MOST_MULTIPLIERS)
    return Definition(
        trigger=trigger,
        position=_whole(given.get("position", 100), "position", 1, 999),
        condition=given.get("condition") or None,
        sources=names["sources"],
        stores=names["stores"],
        channels=names["channels"],
        categories=names["categories"],
        products=names["products"],
        minimum=_whole(scope.get("minimum", 0), "scope.minimum", 0, 10**13),
        event_type=_text(event.get("type", ""), "event.type", 60),
        where=tuple(_list(event.get("where", []), "event.where", 10)),
        per=None if kind == "fixed" else _whole(base.get("per", 100), "base.per", 1, 10**9),
        points=_whole(base.get("points"), "base.points", 1, 10**6),
        half_up=_one_of(base.get("rounding", "down"), ("down", "half_up"), "base.rounding") == "half_up",
        highest=_one_of(given.get("combine", "multiply"), ("multiply", "highest"), "combine") == "highest",
        multipliers=tuple(
            _multiplier(one, f"multipliers[{place}]", trigger) for place, one in enumerate(multipliers)
        ),
        stacking=how,
        group=group,
        caps=_caps(given.get("caps", {})),
    )  # fmt: skip


def _caps(raw: Any) -> dict[str, int]:
    given = _object(raw, "caps", set(LIMITS))
    caps = {
        name: _whole(given[name], f"caps.{name}", 1, LARGEST[name])
        for name in LIMITS
        if given.get(name) is not None
    }  # fmt: skip
    last = 0
    for name in ("order", "day", "month", "ever"):
        if name in caps:
            if caps[name] < last:
                raise BadRule("below_shorter", f"caps.{name}")
            last = caps[name]
    return caps


def _multiplier(raw: Any, field: str, trigger: str) -> Multiplier:
    given = _object(raw, field, {"kind", "value", "factor", "name", *_WINDOW})
    kind = _one_of(given.get("kind"), KINDS, f"{field}.kind")
    if trigger == "event" and kind in ("product", "category", "store", "channel"):
        raise BadRule("not_of_events", f"{field}.kind")
    name = _text(given.get("name", ""), f"{field}.name", 40)
    factor = _factor(given.get("factor"), f"{field}.factor")
    if kind == "time":
        if "value" in given:
            raise BadRule("unknown_field", f"{field}.value")
        return Multiplier(kind, "", factor, name, _window(given, field))
    if extra := sorted(_WINDOW & given.keys()):
        raise BadRule("unknown_field", f"{field}.{extra[0]}")
    value = given.get("value")
    if kind == "tag":
        return Multiplier(kind, str(_whole(value, f"{field}.value", 1, 2**63 - 1)), factor, name)
    text = _text(value, f"{field}.value", LONGEST_NAME)
    if not text:
        raise BadRule("missing", f"{field}.value")
    return Multiplier(kind, text, factor, name)


def _window(given: Mapping[str, Any], field: str) -> Window:
    start, until = _day(given.get("from"), f"{field}.from"), _day(given.get("until"), f"{field}.until")
    if start and until and until < start:
        raise BadRule("ends_early", f"{field}.until")
    hours = given.get("hours")
    if hours is not None:
        first, last = _pair(hours, f"{field}.hours")
        first, last = _whole(first, f"{field}.hours", 0, 23), _whole(last, f"{field}.hours", 1, 24)
        if last <= first:
            raise BadRule("ends_early", f"{field}.hours")
        hours = (first, last)
    window = Window(
        start,
        until,
        _numbers(given.get("weekdays", []), f"{field}.weekdays", 1, 7),
        hours,
        _numbers(given.get("days", []), f"{field}.days", 1, 31),
        _one_of(given.get("birthday", ""), ("", "month", "day"), f"{field}.birthday"),
    )
    if window == Window():
        raise BadRule("always", field)
    return window


def _factor(raw: Any, field: str) -> int:
    """Millionths of an exact decimal."""
    if isinstance(raw, bool) or not isinstance(raw, str | int | float | Decimal):
        raise BadRule("missing" if raw is None else "not_a_number", field)
    try:
        # The shortest decimal that stands for a JSON number is what was written.
        value = Decimal(str(raw).strip())
    except InvalidOperation as error:
        raise BadRule("not_a_number", field) from error
    if not value.is_finite():
        raise BadRule("not_a_number", field)
    if not 0 < value <= LARGEST_FACTOR:
        raise BadRule("out_of_range", field)
    if value.normalize().as_tuple().exponent < -6:  # type: ignore[operator]  # it is finite
        raise BadRule("too_exact", field)
    return int(value * SCALE)


def _object(raw: Any, field: str, keys: set[str]) -> Mapping[str, Any]:
    if not isinstance(raw, Mapping):
        raise BadRule("not_an_object", field)
    for key in raw:
        if key not in keys:
            shown = str(key)[:40].encode("ascii", "backslashreplace").decode()
            raise BadRule("unknown_field", f"{field}.{shown}" if field else shown)
    return raw


def _list(raw: Any, field: str, most: int) -> Sequence[Any]:
    if not isinstance(raw, list):
        raise BadRule("not_a_list", field)
    if len(raw) > most:
        raise BadRule("too_many", field)
    return raw


def _names(raw: Any, field: str) -> list[str]:
    found = [_text(one, f"{field}[{place}]", LONGEST_NAME) for place, one in enumerate(_list(raw, field, MOST_NAMES))]
    if "" in found:
        raise BadRule("missing", f"{field}[{found.index('')}]")
    return found


def _numbers(raw: Any, field: str, low: int, high: int) -> frozenset[int]:
    return frozenset(_whole(one, field, low, high) for one in _list(raw, field, 31))


def _pair(raw: Any, field: str) -> Sequence[Any]:
    if not isinstance(raw, list) or len(raw) != 2:
        raise BadRule("not_a_pair", field)
    return raw


def _text(raw: Any, field: str, longest: int) -> str:
    if not isinstance(raw, str):
        raise BadRule("missing" if raw is None else "not_a_text", field)
    text = raw.strip()
    if len(text) > longest or (text and not text.isprintable()):
        raise BadRule("bad_text", field)
    return text


def _whole(raw: Any, field: str, low: int, high: int) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int):
        raise BadRule("missing" if raw is None else "not_whole", field)
    if not low <= raw <= high:
        raise BadRule("out_of_range", field)
    return raw


def _one_of(raw: Any, allowed: Sequence[str], field: str) -> str:
    if not isinstance(raw, str) or raw not in allowed:
        raise BadRule("missing" if raw is None else "unknown_choice", field)
    return raw


def _day(raw: Any, field: str) -> date | None:
    if raw in (None, ""):
        return None
    if not isinstance(raw, str) or not _DAY.fullmatch(raw):
        raise BadRule("not_a_day", field)
    return _read(lambda: date.fromisoformat(raw), "not_a_day", field)


def _read(read: Callable[[], Value], code: str, field: str) -> Value:
    try:
        return read()
    except ValueError as error:
        raise BadRule(code, field) from error
