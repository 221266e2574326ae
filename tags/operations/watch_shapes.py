"""Conditions as SQL texts over time, and those that differ in values only written as one.

What moves with the clock in a condition ("in the last 7 days") is found by compiling it at several instants of a
stretch of time: a value that is the same at all of them is written into the text, one that moves as the clock does
becomes a named parameter.

Rules of a brand are much alike: "at least 3 of this type", "a title with that word". To PostgreSQL each would be
expressions of its own, made ready anew in every batch. Written once, with the values of each in a list that the place
of the watch picks from, they are made ready once.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Generic, TypeVar

from django.db import connection
from psycopg import sql

from scrm.common.conditions import Sql

T = TypeVar("T")
_PLACE = re.compile(r"%%|%s")
# How the fields over events look their types up.
_LOOK_UP = re.compile(r"= ANY\(ARRAY\(SELECT id FROM members_eventtype WHERE key = ANY\(%s\)\)\)")
_NEWEST = "ORDER BY e.occurred_at DESC"
# What stands before a value that any value of its type may take the place of.
_BEFORE = re.compile(r"(?:(?:^|[^-+*/<>=~!@#%^&|`?])(?:=|<>|<=|>=|<|>)|\bLIKE) $|= ANY\($")


class Irregular(Exception):
    """Something in a condition neither stays nor moves as the clock does."""


@dataclass(frozen=True, slots=True)
class Moving:
    """A value that is always so far from the present."""

    offset: timedelta


@dataclass(frozen=True, slots=True)
class Text:
    """An expression and its values, in the order of its `%s`. Equal ones with equal values are equal."""

    text: str
    values: tuple[Any, ...]
    # Whether the value at a position may differ among those written as one: the name of its type, or None.
    free: tuple[str | None, ...]

    def shape(self) -> tuple[Any, ...]:
        """What is the same of all that can be written as one with it."""
        fixed = (
            (type(value).__name__, str(value) if name is None else None)
            for value, name in zip(self.values, self.free, strict=True)
        )
        return self.text, self.free, tuple(fixed)


@dataclass(frozen=True, slots=True)
class Spelled(Generic[T]):
    """A watch with the expressions of its condition; None where there is none."""

    watched: T
    texts: tuple[Text | None, ...]


def over(same: Sequence[Sql | None], instants: Sequence[datetime]) -> Text | None:
    """One expression from how it was compiled at each of the instants. Raises `Irregular`."""
    first = same[0]
    if first is None:
        if any(one is not None for one in same):
            raise Irregular
        return None
    if any(one is None or one.text != first.text or len(one.params) != len(first.params) for one in same):
        raise Irregular
    columns = zip(*(one.params for one in same if one is not None), strict=True)
    values = tuple(_over(column, instants) for column in columns)
    places = [place.start() for place in _PLACE.finditer(first.text) if place[0] == "%s"]
    free = tuple(_free(first.text[:start], value) for start, value in zip(places, values, strict=True))
    return Text(first.text, values, free)


def _over(values: Sequence[Any], instants: Sequence[datetime]) -> Any:
    first = values[0]
    if all(type(value) is type(first) and value == first for value in values):
        return first
    if not all(isinstance(value, datetime) for value in values):
        raise Irregular
    offsets = {value - instant for value, instant in zip(values, instants, strict=True)}
    if len(offsets) != 1:
        raise Irregular
    return Moving(offsets.pop())


_TYPES: Mapping[type, str] = {int: "bigint", float: "float8", Decimal: "numeric", str: "text"}


def _free(before: str, value: Any) -> str | None:
    """The SQL type of a value that may be another one there."""
    if not _BEFORE.search(before[-12:]):
        return None
    if type(value) is list and value and all(type(one) is int for one in value):
        return "bigint[]"
    return _TYPES.get(type(value))


def with_known_types(pieces: Sequence[Sql | None]) -> list[Sql | None]:
    """The expressions with the ids of event types in the place of the look-ups, which would be made in every batch.

    Types keep their ids and are never removed; a look-up stays where one of its types is not there yet. One type is
    compared, not looked for in a list: the index by member, type and time then is in the order of time. Of several the
    newest are sorted, or PostgreSQL would read all that the member ever did in the hope to come upon them soon.
    """
    asked = {key for piece in pieces if piece is not None for _, keys in _look_ups(piece) for key in keys}
    if not asked:
        return list(pieces)
    with connection.cursor() as cursor:
        cursor.execute("SELECT key, id FROM members_eventtype WHERE key = ANY(%s)", [sorted(asked)])
        ids: dict[str, int] = dict(cursor.fetchall())
    return [piece and _known(piece, ids) for piece in pieces]


def _look_ups(piece: Sql) -> Iterable[tuple[re.Match[str], list[str]]]:
    """The look-ups of types in an expression, each with the keys it looks for."""
    for found in _LOOK_UP.finditer(piece.text):
        yield found, piece.params[_count(piece.text[: found.start()])]


def _count(text: str) -> int:
    return sum(place[0] == "%s" for place in _PLACE.finditer(text))


def _known(piece: Sql, ids: Mapping[str, int]) -> Sql:
    text, params, end = "", list(piece.params), 0
    several = False
    for found, keys in _look_ups(piece):
        one = len(set(keys)) == 1
        several |= not one
        if ids.keys() >= set(keys):
            params[_count(piece.text[: found.start()])] = ids[keys[0]] if one else sorted(ids[key] for key in set(keys))
            text, end = f"{text}{piece.text[end : found.start()]}{'= %s' if one else '= ANY(%s)'}", found.end()
    text += piece.text[end:]
    return Sql(text.replace(_NEWEST, "ORDER BY e.occurred_at + interval '0' DESC") if several else text, tuple(params))


def alike(spelled: Iterable[Spelled[T]], also: Callable[[T], Any]) -> list[list[Spelled[T]]]:
    """Those that can be written as one, together, in the order in which the first of each came.

    `also`: what has to be equal beside the expressions.
    """
    found: dict[Any, list[Spelled[T]]] = {}
    for one in spelled:
        shape = tuple(text and text.shape() for text in one.texts)
        found.setdefault((shape, also(one.watched)), []).append(one)
    return list(found.values())


class Writer:
    """Writes expressions with their values; those that move with the clock become named parameters."""

    def __init__(self) -> None:
        self._names: dict[timedelta, str] = {}

    @property
    def moving(self) -> dict[str, timedelta]:
        """Each parameter as its distance from the present."""
        return {name: offset for offset, name in self._names.items()}

    def write(self, same: Sequence[Text | None], chosen: str) -> str | None:
        """The expression that these are written as; `chosen` is SQL for which of them it is about, from 1 on."""
        first = same[0]
        if first is None:
            return None
        values = iter(zip(first.free, *(one.values for one in same if one is not None), strict=True))

        def put(place: re.Match[str]) -> str:
            if place[0] == "%%":
                return "%%"
            free, *found = next(values)
            return self._put(free, found, chosen)

        return _PLACE.sub(put, first.text)

    def _put(self, free: str | None, values: Sequence[Any], chosen: str) -> str:
        first = values[0]
        if isinstance(first, Moving):
            name = self._names.setdefault(first.offset, f"moving{len(self._names)}")
            return f"%({name})s::timestamptz"
        if all(value == first for value in values):
            return f"{literal(first)}::bigint[]" if free == "bigint[]" else literal(first)
        if free == "bigint[]":
            return f"(({literal([_array(value) for value in values])}::text[])[{chosen}])::bigint[]"
        return f"({literal(list(values))}::{free}[])[{chosen}]"


def _array(numbers: Collection[int]) -> str:
    return "{" + ",".join(map(str, numbers)) + "}"


def literal(value: Any) -> str:
    """A value as SQL text, in which a % stands doubled."""
    connection.ensure_connection()
    return sql.Literal(value).as_string(connection.connection).replace("%", "%%")


def chosen(expressions: Sequence[tuple[int, str]]) -> str:
    """The expression at `w.place`: given each with its first place, in ascending order.

    By halving, so that one of many is found in few comparisons; neighbours that are the same are one.
    """
    different = [next(same) for _, same in itertools.groupby(expressions, key=lambda one: one[1])]
    return _halved(different)


def _halved(expressions: Sequence[tuple[int, str]]) -> str:
    if len(expressions) == 1:
        return expressions[0][1]
    middle = len(expressions) // 2
    return (
        f"CASE WHEN w.place < {expressions[middle][0]} THEN {_halved(expressions[:middle])}\n"
        f"ELSE {_halved(expressions[middle:])} END"
    )
