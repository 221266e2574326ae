"""The registry of fields. The app that owns a table registers the fields over it, in `<app>/queries/fields.py`.

A field says what it is called, of which type it is, and by `source` where its value is found: one of the shapes
below, all of them over the alias `m` (a row of members_member).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from django.utils.functional import Promise

from scrm.common import clock
from scrm.common.conditions.durations import Window
from scrm.common.conditions.operators import OPERATORS, FieldType
from scrm.common.conditions.sql import Sql

if TYPE_CHECKING:
    from scrm.common.conditions.tree import Leaf

Text = str | Promise


@dataclass(frozen=True, slots=True)
class Choice:
    """One value that an enum or set field can take; `group` gathers choices under a heading.

    `read_as`: the value that took its place. Conditions that name the old one mean that.
    """

    value: str | int
    label: Text
    group: Text = ""
    read_as: str | int | None = None


class ParamKind(StrEnum):
    """What the value of a parameter looks like."""

    CHOICE = "choice"  # a list of values out of `choices`; one value when not `many`
    TEXT = "text"  # a list of texts; one text when not `many`. Choices are suggestions
    NUMBER = "number"  # from `minimum` to `maximum`, at most four decimal places
    DURATION = "duration"  # {"n": 3, "unit": "day"} in one of `units`
    WHERE = "where"  # a list of {"property", "op", "value"}, all of which must hold
    STEP = "step"  # {"type": [keys out of `choices`], "where": [...]}


@dataclass(frozen=True, slots=True)
class Param:
    """What narrows a field down: the type of an event, the stores of orders, the salt of a bucket."""

    key: str
    label: Text
    choices: Callable[[], Sequence[Choice]] | None = None
    required: bool = False
    many: bool = True
    kind: ParamKind = ParamKind.CHOICE
    minimum: float = 0
    maximum: float = 0
    units: tuple[str, ...] = ()
    # Suggestions of what a test of properties may name.
    properties: Callable[[], Sequence[Choice]] | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """A value on the member's own row. `present` is the test that it is set."""

    value: Sql
    present: Sql


@dataclass(frozen=True, slots=True)
class Row:
    """A value on at most one row of another table. `absent` is the value of members without that row."""

    table: str
    join: Sql
    value: Sql
    absent: Any = None


@dataclass(frozen=True, slots=True)
class Aggregate:
    """A value computed from many rows by a correlated subquery.

    `zero`: the value is 0, not unset, where there are no rows. `exists` tells cheaply that there are rows at all.
    """

    value: Sql
    exists: Sql
    zero: bool = True


@dataclass(frozen=True, slots=True)
class Rows:
    """A set of values: one per row of another table."""

    table: str
    join: Sql
    value: Sql


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false, as it stands."""

    test: Sql


@dataclass(frozen=True, slots=True)
class PerValue:
    """A set whose membership is a test of its own for each value (another segment)."""

    test: Callable[[Any], Sql]


Source = Column | Row | Aggregate | Rows | Flag | PerValue


@dataclass(frozen=True, slots=True)
class Context:
    """What a source may depend on besides the member: the instant, the window and the parameters of the leaf."""

    as_of: datetime
    window: Window | None = None
    params: dict[str, Any] = field(default_factory=dict)
    # The segments that are being compiled around this leaf, outermost first: how cycles are seen.
    stack: tuple[Any, ...] = ()
    # Whether a few members are asked, who are found already, instead of everyone.
    few: bool = False

    @property
    def today(self) -> date:
        return clock.shop_date(self.as_of)


@dataclass(frozen=True, slots=True)
class Field:
    key: str
    label: Text
    group: Text
    type: FieldType
    source: Callable[[Context], Source]
    choices: Callable[[], Sequence[Choice]] | None = None
    # Choices are suggestions: other values are taken too.
    open: bool = False
    always_set: bool = False
    windowed: bool = False
    params: tuple[Param, ...] = ()
    # What the answer hangs on, in the words of `conditions.dependencies`.
    topics: frozenset[str] | Callable[[Leaf], frozenset[str]] = frozenset()
    # When the value itself changes by time alone: the next instant after the context's `as_of`, or None for never.
    # What the operator makes of an unchanging date or time (`in the last …`) needs no mention here.
    turns: Callable[[Leaf, Context], Sql | None] | None = None

    @property
    def operators(self) -> tuple[str, ...]:
        known = OPERATORS[self.type]
        if self.always_set:
            return tuple(operator for operator in known if operator not in ("set", "not_set"))
        return known


@dataclass(frozen=True, slots=True)
class Family:
    """Fields that come and go with rows: `prefix` and a key make a field."""

    prefix: str
    resolve: Callable[[str], Field | None]
    every: Callable[[], list[Field]]


_registry: dict[str, Field] = {}
_families: dict[str, Family] = {}


def register(*fields: Field) -> None:
    """Add fields. Their order is that in which the builder offers them; a key registered twice is replaced."""
    for entry in fields:
        _registry[entry.key] = entry


def register_family(prefix: str, resolve: Callable[[str], Field | None], every: Callable[[], list[Field]]) -> None:
    """Add fields that exist as rows do, such as `attribute.<key>`.

    `prefix` ends with a dot; `resolve` gets the whole key of a field and answers None when there is none (any more).
    """
    _families[prefix] = Family(prefix, resolve, every)


def find(key: str) -> Field | None:
    found = _registry.get(key)
    if found is None:
        for prefix, family in _families.items():
            if key.startswith(prefix):
                return family.resolve(key)
    return found


def families() -> list[str]:
    """The prefixes of the families."""
    return list(_families)


def registered() -> list[Field]:
    """The fields that are the same in every installation, in order."""
    return list(_registry.values())


def every() -> list[Field]:
    """All fields, those of families included, in order."""
    return [*registered(), *(entry for family in _families.values() for entry in family.every())]
