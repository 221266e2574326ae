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
        if column.kind == Kind.NUMBER:
            for slot, (ids, codes) in _numbers(family, column, key):
                index, parts = numbers.build(column.name, ids, codes)
                ordered[slot][column.name] = index, list(parts)
    for slot in members if family.key is not None else {"": 0}:
        yield slot, _finished(family, values.get(slot, {}), ordered.get(slot, {}), members.get(slot, 0))


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
    slots = _keys(family) if family.key is not None and key is None else [key or ""]
    sets: dict[str, dict[str, ByValue]] = defaultdict(lambda: defaultdict(lambda: defaultdict(BitMap)))
    members: dict[str, int] = defaultdict(int)
    for chunk in _chunks(family, columns, key, slots, dictionaries):
        places, ids, *codes = chunk
        for place, chosen in _split(places):
            slot = slots[place]
            members[slot] += len(ids[chosen])
            for column, column_codes in zip(columns, codes, strict=True):
                known = dictionaries.get(column.name)
                for code, inside in _split(column_codes[chosen]):
                    if code != _NOTHING:
                        value = known[code] if known is not None else code
                        sets[slot][column.name][value] |= bitmap(ids[chosen][inside])
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
    family: Family, columns: Sequence[Column], key: str | None, slots: Sequence[str], dictionaries: dict[str, list[str]]
) -> Iterator[list[NDArray[np.int64]]]:
    """(place of the slot, member, code of each column) range by range."""
    selected, joins = [], []
    head: list[Any] = []
    if family.key is not None and key is None:
        # Keys become places in `slots`; rows of a key that came since are left to the notes of changes.
        joins.append(f"JOIN unnest(%s::text[]) WITH ORDINALITY k (v, n) ON k.v = t.{family.key}::text")
        head.append(list(slots))
        selected.append("(k.n - 1)::bigint")
    else:
        selected.append("0::bigint")
    selected.append(f"t.{family.member}::bigint")
    for number, column in enumerate(columns):
        if column.kind == Kind.TEXT:
            alias = f"d{number}"
            joins.append(f"LEFT JOIN unnest(%s::text[]) WITH ORDINALITY {alias} (v, n) ON {alias}.v = {column.sql}")
            head.append(dictionaries[column.name])
            selected.append(f"COALESCE({alias}.n - 1, {_NOTHING})::bigint")
        else:
            selected.append(f"COALESCE(({column.sql})::bigint, {_NOTHING})")
    of_key = [] if key is None or family.key is None else [key]
    low, high = _bounds(family)
    for start in range(low, high + 1, RANGE):
        yield rows.integers(
            f"SELECT {', '.join(selected)} FROM {family.table} t {' '.join(joins)} WHERE {_of_key(family, key)}"
            f" AND t.{family.member} >= %s AND t.{family.member} < %s",
            [*head, *of_key, start, start + RANGE],
            len(selected),
        )


def _numbers(family: Family, column: Column, key: str | None) -> Iterator[tuple[str, tuple[Ids, Codes]]]:
    """(slot, members and numbers) of one column, members without a number left out."""
    keyed = family.key is not None and key is None
    slots = _keys(family) if keyed else [key or ""]
    join = f"JOIN unnest(%s::text[]) WITH ORDINALITY k (v, n) ON k.v = t.{family.key}::text" if keyed else ""
    place = "(k.n - 1)::bigint" if keyed else "0::bigint"
    head = [list(slots)] if keyed else []
    of_key = [] if key is None or family.key is None else [key]
    gathered: list[list[NDArray[Any]]] = []
    low, high = _bounds(family)
    for start in range(low, high + 1, RANGE):
        places, ids, codes = rows.integers(
            f"SELECT {place}, t.{family.member}::bigint, ({column.sql})::bigint FROM {family.table} t {join}"
            f" WHERE ({column.sql}) IS NOT NULL AND {_of_key(family, key)}"
            f" AND t.{family.member} >= %s AND t.{family.member} < %s",
            [*head, *of_key, start, start + RANGE],
            3,
        )
        if len(ids):
            gathered.append([places.astype(np.int32) if keyed else places[:0], ids.astype(np.uint32), codes])
    if not gathered:
        return
    places, ids, codes = (np.concatenate(arrays) for arrays in zip(*gathered, strict=True))
    gathered.clear()
    if not keyed:
        yield slots[0], (ids.astype(np.uint32), codes)
        return
    for number, chosen in _split(places):
        yield slots[number], (ids[chosen].astype(np.uint32), codes[chosen])
