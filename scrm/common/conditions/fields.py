"""The registry of fields. The app that owns a table registers the fields over it, in `<app>/queries/fields.py`.

A field says what it is called, of which type it is, and by `source` where its value is found: one of the shapes
below, all of them over the alias `m` (a row of members_member).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.utils.functional import Promise

from scrm.common import clock
from scrm.common.conditions.durations import Window
from scrm.common.conditions.operators import OPERATORS, FieldType
from scrm.common.conditions.sql import Sql

Text = str | Promise


@dataclass(frozen=True, slots=True)
class Choice:
    """One value that an enum or set field can take; `group` gathers choices under a heading."""

    value: str | int
    label: Text
    group: Text = ""


@dataclass(frozen=True, slots=True)
class Param:
    """What narrows a field down: the type of an event, the stores of orders, the salt of a bucket.

    `many`: any of a list of values; otherwise one text. Without choices any text is taken.
    """

    key: str
    label: Text
    choices: Callable[[], Sequence[Choice]] | None = None
    required: bool = False
    many: bool = True


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

    @property
    def operators(self) -> tuple[str, ...]:
        known = OPERATORS[self.type]
        if self.always_set:
            return tuple(operator for operator in known if operator not in ("set", "not_set"))
        return known


_registry: dict[str, Field] = {}


def register(*fields: Field) -> None:
    """Add fields. Their order is that in which the builder offers them; a key registered twice is replaced."""
    for entry in fields:
        _registry[entry.key] = entry


def find(key: str) -> Field | None:
    return _registry.get(key)


def every() -> list[Field]:
    """All registered fields, in order."""
    return list(_registry.values())
