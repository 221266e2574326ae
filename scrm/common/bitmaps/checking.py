"""Comparing every stored bitmap with the rows it was made from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import connection, transaction
from pyroaring import BitMap

from scrm.common.bitmaps import building, cache, families, folding, solving
from scrm.common.bitmaps.building import Built
from scrm.common.bitmaps.families import ALL_KEYS, Column, Family, Kind
from scrm.common.bitmaps.plans import Having
from scrm.common.bitmaps.solving import Slot
from scrm.common.bitmaps.stored import (
    CATALOGUE,
    STRIDE,
    TOUCHED,
    Catalogue,
    Codes,
    Ids,
    NumbersIndex,
    Overlay,
    Value,
    bitmap,
    ids_of,
    unpack,
)

_EXAMPLES = 5
Load = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """A bitmap that does not say what the rows say: members it lacks, and members that it has too many."""

    family: str
    key: str
    part: str
    lacking: int
    surplus: int
    examples: tuple[int, ...] = ()

    def __str__(self) -> str:
        where = f"{self.family}{f'[{self.key}]' if self.key else ''} {self.part}"
        if not self.lacking and not self.surplus:
            return f"{where}: cannot be read"
        return f"{where}: {self.lacking} lacking, {self.surplus} too many, such as {list(self.examples)}"


class NotBuilt(Exception):
    """The family has no bitmaps, or some are waiting to be built anew: SQL answers meanwhile."""


def check(family_name: str) -> list[Difference]:
    """Every bitmap of a family beside the rows, as of one instant. Raises `NotBuilt`.

    Members who changed since the bitmaps were folded are passed over: SQL answers for them.
    """
    family = families.get(family_name)
    cache.forget()  # what is stored is looked at, not what is remembered of it
    with _one_instant():
        slots = _slots(family)
        try:
            changed = {key: _changed(family, key) for key in _keys_noted(family) | set(slots)}
        except solving.Unready as error:
            raise NotBuilt from error
        truth = dict(building.build(family))
        found: list[Difference] = []
        for key in sorted(set(slots) | set(truth)):
            found += _of_slot(family, key, slots.get(key), truth.get(key), changed.get(key, BitMap()))
        return found


@contextmanager
def _one_instant() -> Iterator[None]:
    begins = not connection.in_atomic_block
    with transaction.atomic():
        if begins:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield


def _slots(family: Family) -> dict[str, Slot]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT key, base, overlay FROM common_bitmapslot WHERE family = %s", [family.name])
        slots = {key: Slot(base, overlay) for key, base, overlay in cursor.fetchall()}
    if folding.marker(family) not in slots:
        raise NotBuilt
    slots.pop(ALL_KEYS, None)
    return slots


def _keys_noted(family: Family) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT key FROM common_bitmapchange WHERE family = %s", [family.name])
        return {row[0] for row in cursor.fetchall()}


def _changed(family: Family, key: str) -> BitMap:
    return solving.open_view([Having(family.name, key, family.columns[0].name)]).changed


def _of_slot(family: Family, key: str, slot: Slot | None, built: Built | None, changed: BitMap) -> Iterator[Difference]:
    parts = dict(built.parts) if built else {}

    def rebuilt(name: str) -> Any:
        return unpack(name, parts[name])[0]

    def stored(name: str) -> Any:
        assert slot is not None  # noqa: S101  # only asked for a slot that is there
        return cache.one((slot.base or 0, name))

    right = _contents(family, rebuilt) if built else Contents({}, {})
    try:
        wrong = _contents(family, stored) if slot and slot.base else Contents({}, {})
        if slot and slot.overlay:
            _put_over(family, slot.overlay, wrong)
        sums = list(_sums(family, stored)) if slot and slot.base else []
    except (cache.Gone, ValueError, KeyError, IndexError, TypeError) as error:
        yield Difference(family.name, key, f"({type(error).__name__})", 0, 0)
        return
    for name, lacking, surplus in sums:
        yield _difference(family, key, name, lacking, surplus)
    for name in sorted(set(right.numbers) | set(wrong.numbers)):
        lacking, surplus = (found - changed for found in _unlike(right.numbers.get(name), wrong.numbers.get(name)))
        if lacking or surplus:
            yield _difference(family, key, name, lacking, surplus)
    for place in sorted(set(right.values) | set(wrong.values), key=str):
        wanted, had = right.values.get(place, BitMap()) - changed, wrong.values.get(place, BitMap()) - changed
        if wanted != had:
            yield _difference(family, key, f"{place[0]} = {place[1]}", wanted - had, had - wanted)


def _difference(family: Family, key: str, part: str, lacking: BitMap, surplus: BitMap) -> Difference:
    examples = tuple((lacking | surplus)[:_EXAMPLES])
    return Difference(family.name, key, part, len(lacking), len(surplus), examples)


def _unlike(right: Numbers | None, wrong: Numbers | None) -> tuple[BitMap, BitMap]:
    """Members that lack a number or have another one, and members that have one too many or another one."""
    right_ids, right_codes = right or _NONE
    wrong_ids, wrong_codes = wrong or _NONE
    first, second = bitmap(right_ids), bitmap(wrong_ids)
    both = ids_of(first & second)
    right_order, wrong_order = np.argsort(right_ids), np.argsort(wrong_ids)
    of_right = right_codes[right_order][np.searchsorted(right_ids[right_order], both)]
    of_wrong = wrong_codes[wrong_order][np.searchsorted(wrong_ids[wrong_order], both)]
    other = bitmap(both[of_right != of_wrong])
    return (first - second) | other, (second - first) | other


Numbers = tuple[Ids, Codes]
_NONE: Numbers = (np.empty(0, np.uint32), np.empty(0, np.int64))


@dataclass(slots=True)
class Contents:
    """What a slot shows: members by column and value, and the numbers of each ordered column."""

    values: dict[tuple[str, Value], BitMap]
    numbers: dict[str, Numbers]


def _contents(family: Family, load: Load) -> Contents:
    catalogue: Catalogue = load(CATALOGUE)
    found = Contents({}, {})
    for column in family.columns:
        index = catalogue.columns.get(column.name)
        if index is None:
            continue
        if isinstance(index, NumbersIndex):
            found.numbers[column.name] = _numbers(column, index, load)
            continue
        for number, value in enumerate(index.values):
            found.values[column.name, value] = load(f"{column.name}={number}")
        if BitMap.union(BitMap(), *(found.values[column.name, value] for value in index.values)) != load(column.name):
            found.values[column.name, "(any)"] = load(column.name)
    return found


def _numbers(column: Column, index: NumbersIndex, load: Load) -> Numbers:
    ids, codes = [_NONE[0]], [_NONE[1]]
    for number, (low, high) in enumerate(zip(index.lows, index.highs, strict=True)):
        members = ids_of(load(f"{column.name}#{number}"))
        ids.append(members)
        held = np.full(len(members), low) if low == high else load(f"{column.name}~{number}")
        if len(held) != len(members) or (held < low).any() or (held > high).any():
            raise ValueError(column.name)
        codes.append(held)
    return np.concatenate(ids), np.concatenate(codes)


def _put_over(family: Family, version: int, contents: Contents) -> None:
    """Put in what the overlay says of the members it speaks for."""
    touched: BitMap = cache.one((version, TOUCHED))
    for place in contents.values:
        contents.values[place] = contents.values[place] - touched
    for column in family.columns:
        pairs: Overlay = cache.one((version, f"{column.name}+"))
        if column.kind == Kind.NUMBER:
            ids, codes = contents.numbers.get(column.name, _NONE)
            kept = ~np.isin(ids, ids_of(touched))
            contents.numbers[column.name] = (
                np.concatenate([ids[kept], pairs.ids]),
                np.concatenate([codes[kept], pairs.codes]),
            )
            continue
        for number, value in enumerate(pairs.values):
            members = bitmap(pairs.ids[pairs.codes == number])
            if members:
                contents.values[column.name, value] = contents.values.get((column.name, value), BitMap()) | members


def _sums(family: Family, load: Load) -> Iterator[tuple[str, BitMap, BitMap]]:
    """Stored sums of buckets that are not what the buckets add up to."""
    catalogue: Catalogue = load(CATALOGUE)
    for column in family.columns:
        index = catalogue.columns.get(column.name)
        if not isinstance(index, NumbersIndex):
            continue
        above = BitMap()
        for number in reversed(range(len(index.lows))):
            above |= load(f"{column.name}#{number}")
            if number % STRIDE == 0:
                name = f"{column.name}>{number}" if number else column.name
                if (total := load(name)) != above:
                    yield name, above - total, total - above
