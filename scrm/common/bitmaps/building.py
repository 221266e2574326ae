"""Reading a table and making the bitmaps of its slots: one pass for the columns with few values, one per number.

Members are read in ranges of a million, so that a pass holds little at a time; only the numbers of one column are
in memory whole (twelve bytes per member) while they are put in order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from django.db import connection
from numpy.typing import NDArray
from pyroaring import BitMap

from scrm.common.bitmaps import numbers, rows
from scrm.common.bitmaps.families import Column, Family, Kind
from scrm.common.bitmaps.stored import (
    CATALOGUE,
    Catalogue,
    Codes,
    Ids,
    NumbersIndex,
    Value,
    ValuesIndex,
    bitmap,
    pack,
    pack_catalogue,
)

RANGE = 1 << 20
# A column with more distinct values than this is left to SQL.
MOST_VALUES = 5_000
_NOTHING = -(1 << 63)

Part = tuple[str, bytes]


@dataclass(slots=True)
class Built:
    """The parts of one slot's base. `members` counts the rows that the table has for it."""

    parts: list[Part] = field(default_factory=list)
    members: int = 0


def build(family: Family, keys: Sequence[str] | None = None) -> Iterator[tuple[str, Built]]:
    """Read the rows of some keys, or of all, and make their bases. A family without keys has the one key ""."""
    if family.key is not None and (keys is None and not family.sweep):
        keys = _keys(family)
    if family.key is None or keys is None:
        yield from _slots(family, None)
        return
    for key in keys:
        found = dict(_slots(family, key))
        yield key, found.get(key) or _finished(family, {}, {}, 0)


def _keys(family: Family) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT DISTINCT t.{family.key}::text FROM {family.table} t")
        return [row[0] for row in cursor.fetchall()]


def _slots(family: Family, key: str | None) -> Iterator[tuple[str, Built]]:
    values, members = _values(family, key)
    ordered: dict[str, dict[str, tuple[NumbersIndex, list[Part]]]] = defaultdict(dict)
    for column in family.columns:
        if column.kind == Kind.NUMBER and _has_any(family, column, key):
            for slot, (ids, codes) in _numbers(family, column, key):
                index, parts = numbers.build(column.name, ids, codes)
                ordered[slot][column.name] = index, list(parts)
    for slot in members if family.key is not None else [""]:
        yield slot, _finished(family, values.get(slot, {}), ordered.get(slot, {}), members.get(slot, 0))


def _has_any(family: Family, column: Column, key: str | None) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT EXISTS (SELECT 1 FROM {family.table} t"
            f" WHERE ({column.sql}) IS NOT NULL AND {_of_key(family, key)})",
            [] if key is None else [key],
        )
        return bool(cursor.fetchone()[0])


ByValue = dict[Value, BitMap]


def _finished(
    family: Family,
    values: dict[str, ByValue],
    ordered: dict[str, tuple[NumbersIndex, list[Part]]],
    members: int,
) -> Built:
    catalogue = Catalogue({})
    built = Built(members=members)
    for column in family.columns:
        if column.kind == Kind.NUMBER:
            index, parts = ordered.get(column.name) or (NumbersIndex([], [], []), [(column.name, pack(BitMap()))])
            catalogue.columns[column.name] = index
            built.parts += parts
            continue
        found = values.get(column.name, {})
        if len(found) > MOST_VALUES:
            continue
        listed = sorted(found.items(), key=lambda item: str(item[0]))
        catalogue.columns[column.name] = ValuesIndex([value for value, _ in listed], [len(b) for _, b in listed])
        built.parts += [(f"{column.name}={n}", pack(members)) for n, (_, members) in enumerate(listed)]
        built.parts.append((column.name, pack(BitMap.union(BitMap(), *(members for _, members in listed)))))
    built.parts.append((CATALOGUE, pack_catalogue(catalogue)))
    return built


def _values(family: Family, key: str | None) -> tuple[dict[str, dict[str, ByValue]], dict[str, int]]:
    """The bitmaps of the columns with few values: by slot, column and value; and the number of rows by slot."""
    columns = [column for column in family.columns if column.kind != Kind.NUMBER]
    dictionaries = {column.name: _dictionary(family, column, key) for column in columns if column.kind == Kind.TEXT}
    columns = [c for c in columns if c.kind == Kind.WHOLE or len(dictionaries[c.name]) <= MOST_VALUES]
    sets: dict[str, dict[str, ByValue]] = defaultdict(lambda: defaultdict(lambda: defaultdict(BitMap)))
    members: dict[str, int] = defaultdict(int)
    for slot, ids, codes in _chunks(family, columns, key, dictionaries):
        members[slot] += len(ids)
        for column, column_codes in zip(columns, codes, strict=True):
            known = dictionaries.get(column.name)
            for code, inside in _split(column_codes):
                if code != _NOTHING:
                    sets[slot][column.name][known[code] if known is not None else code] |= bitmap(ids[inside])
    return sets, members


def _split(codes: NDArray[np.int64]) -> Iterator[tuple[int, Any]]:
    """Each distinct code with where it stands, in the order of the places."""
    if not len(codes):
        return
    low, high = int(codes.min()), int(codes.max())
    if low == high:
        yield low, slice(None)
        return
    # Short integers are sorted by radix, in a fraction of the time.
    narrow = (codes - low).astype(np.int16) if high - low < 32_000 else codes
    order = np.argsort(narrow, kind="stable")
    ordered = codes[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    for start, end in zip(starts, [*starts[1:], len(ordered)], strict=True):
        yield int(ordered[start]), order[start:end]


def _dictionary(family: Family, column: Column, key: str | None) -> list[str]:
    """The distinct texts of a column. A text that comes later belongs to a member who is noted as changed."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT DISTINCT {column.sql} FROM {family.table} t WHERE ({column.sql}) IS NOT NULL"
            f" AND {_of_key(family, key)} LIMIT {MOST_VALUES + 1}",
            [] if key is None else [key],
        )
        return [row[0] for row in cursor.fetchall()]


def _of_key(family: Family, key: str | None) -> str:
    # The parameter is a text without a type, so that an index on a number serves too.
    return "TRUE" if family.key is None or key is None else f"t.{family.key} = %s"


def _bounds(family: Family) -> tuple[int, int]:
    with connection.cursor() as cursor:
        # Ids are given in `members_member` order; the greatest in any table is found by its index.
        cursor.execute(f"SELECT min(t.{family.member}), max(t.{family.member}) FROM {family.table} t")
        low, high = cursor.fetchone()
    return (0, -1) if low is None else (low, high)


def _chunks(
    family: Family, columns: Sequence[Column], key: str | None, dictionaries: dict[str, list[str]]
) -> Iterator[tuple[str, NDArray[np.int64], list[NDArray[np.int64]]]]:
    """(slot, members, codes of each column), range by range."""
    joins, params = [], []
    selected = []
    for number, column in enumerate(columns):
        if column.kind == Kind.TEXT:
            alias = f"d{number}"
            joins.append(f"LEFT JOIN unnest(%s::text[]) WITH ORDINALITY {alias} (v, n) ON {alias}.v = {column.sql}")
            params.append(dictionaries[column.name])
            selected.append(f"COALESCE({alias}.n - 1, {_NOTHING})")
        elif not column.sql.isdigit():  # the same for every row: not worth bringing
            selected.append(f"COALESCE(({column.sql})::bigint, {_NOTHING})")
    for slot, ids, codes in _ranges(family, key, selected, joins, params):
        brought = iter(codes)
        yield (
            slot,
            ids,
            [np.full(len(ids), int(column.sql)) if column.sql.isdigit() else next(brought) for column in columns],
        )


def _numbers(family: Family, column: Column, key: str | None) -> Iterator[tuple[str, tuple[Ids, Codes]]]:
    """(slot, members and numbers) of one column, members without a number left out."""
    gathered: dict[str, list[tuple[Ids, Codes]]] = defaultdict(list)
    for slot, ids, (codes,) in _ranges(family, key, [f"({column.sql})::bigint"], [], [], f"({column.sql}) IS NOT NULL"):
        gathered[slot].append((ids.astype(np.uint32), codes))
    for slot in list(gathered):
        parts = gathered.pop(slot)
        yield slot, (np.concatenate([ids for ids, _ in parts]), np.concatenate([codes for _, codes in parts]))


def _ranges(
    family: Family,
    key: str | None,
    selected: Sequence[str],
    joins: Sequence[str],
    params: list[Any],
    only: str = "TRUE",
) -> Iterator[tuple[str, NDArray[np.int64], list[NDArray[np.int64]]]]:
    """(slot, members, what is selected) of the rows, by ranges of members and within them by slot."""
    places = [] if family.key is None or key is not None else [_place(family)]
    keys = _keys(family) if places and family.text_key else None
    joins = [f"JOIN unnest(%s::text[]) WITH ORDINALITY k (v, n) ON k.v = t.{family.key}" if keys else "", *joins]
    head = [keys, *params] if keys else params
    of_key = [] if key is None or family.key is None else [key]
    columns = [*places, f"t.{family.member}::bigint", *selected]
    low, high = _bounds(family)
    for start in range(low, high + 1, RANGE):
        found = rows.integers(
            f"SELECT {', '.join(columns)} FROM {family.table} t {' '.join(joins)} WHERE {_of_key(family, key)}"
            f" AND {only} AND t.{family.member} >= %s AND t.{family.member} < %s",
            [*head, *of_key, start, start + RANGE],
            len(columns),
        )
        if not places:
            if len(found[0]):
                yield key or "", found[0], found[1:]
            continue
        slots, ids, *codes = found
        for slot, chosen in _split(slots):
            yield keys[slot] if keys else str(slot), ids[chosen], [of[chosen] for of in codes]


def _place(family: Family) -> str:
    return "(k.n - 1)::bigint" if family.text_key else f"t.{family.key}::bigint"
