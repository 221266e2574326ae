"""An index over ordered whole numbers without keeping the numbers: buckets of about equally many members.

Each bucket is a bitmap; every eighth also has the bitmap of everybody from there upwards, so that "at least x" is one
of those, give or take a few buckets, and the part of the one bucket in which x lies, whose numbers are loaded for
that. At most 256 buckets: of ten million members one bucket holds 40,000.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np
from pyroaring import BitMap

from scrm.common.bitmaps.stored import STRIDE, Codes, Ids, NumbersIndex, bitmap, ids_of, pack, pack_codes

BUCKETS = 256
# Smaller buckets would save nothing.
SMALLEST = 4_096

# Half-open: from the first up to but not including the second; None is without end.
Range = tuple[int | None, int | None]


class Shelf(Protocol):
    """Where the parts of one column lie."""

    def members(self, name: str) -> BitMap: ...
    def codes(self, name: str) -> Codes: ...


def build(column: str, ids: Ids, codes: Codes) -> tuple[NumbersIndex, Iterator[tuple[str, bytes]]]:
    """The buckets of a column, and the parts to store. Each id occurs once."""
    order = np.argsort(codes, kind="stable")
    codes, ids = codes[order], ids[order]
    starts = _starts(codes)
    ends = [*starts[1:], len(codes)] if starts else []
    index = NumbersIndex(
        lows=[int(codes[start]) for start in starts],
        highs=[int(codes[end - 1]) for end in ends],
        sizes=[end - start for start, end in zip(starts, ends, strict=True)],
    )
    return index, _parts(column, index, ids, codes, list(zip(starts, ends, strict=True)))


def _starts(codes: Codes) -> list[int]:
    """Where buckets begin: at each distinct number when they are few, else at equally spaced places."""
    total = len(codes)
    if not total:
        return []
    firsts = np.flatnonzero(np.concatenate(([True], codes[1:] != codes[:-1])))
    if len(firsts) <= BUCKETS:
        return [int(first) for first in firsts]
    wanted = min(BUCKETS, max(1, total // SMALLEST))
    places = np.arange(wanted) * total // wanted
    # Equal numbers never stand in two buckets: a place moves to where its number begins.
    return [int(first) for first in np.unique(firsts[np.searchsorted(firsts, places, side="right") - 1])]


def _parts(
    column: str, index: NumbersIndex, ids: Ids, codes: Codes, places: Sequence[tuple[int, int]]
) -> Iterator[tuple[str, bytes]]:
    above = BitMap()
    for number in reversed(range(len(places))):
        start, end = places[number]
        members = bitmap(ids[start:end])
        yield f"{column}#{number}", pack(members)
        if index.lows[number] != index.highs[number]:
            yield f"{column}~{number}", pack_codes(codes[start:end][np.argsort(ids[start:end])])
        above |= members
        if number % STRIDE == 0 and number:
            yield f"{column}>{number}", pack(above)
    yield column, pack(above)


def within(shelf: Shelf, column: str, index: NumbersIndex, ranges: Iterable[Range]) -> BitMap:
    """The members whose number lies in one of the ranges."""
    found = [_range(shelf, column, index, low, high) for low, high in ranges]
    return found[0] if len(found) == 1 else BitMap.union(BitMap(), *found)


def _range(shelf: Shelf, column: str, index: NumbersIndex, low: int | None, high: int | None) -> BitMap:
    if not index.lows or (low is not None and high is not None and low >= high):
        return BitMap()
    count = len(index.lows)
    # The buckets that lie in the range whole are those from `first` up to but not including `last`.
    first, low_edge = (0, None) if low is None else _from(index, low)
    last, high_edge = (count, None) if high is None else _from(index, high)
    if high_edge is not None:
        last -= 1  # the bucket of the upper bound belongs to the range in part
    edges = []
    if low_edge is not None and low_edge == high_edge:
        return _part(shelf, column, low_edge, low, high)
    if low_edge is not None:
        edges.append(_part(shelf, column, low_edge, low, None))
    if high_edge is not None:
        edges.append(_part(shelf, column, high_edge, None, high))
    whole = _whole(shelf, column, first, last, count)
    return BitMap.union(whole, *edges) if edges else whole


def _from(index: NumbersIndex, bound: int) -> tuple[int, int | None]:
    """The first bucket with no number below the bound, and the one before it when the bound splits it."""
    number = bisect_left(index.highs, bound)  # the first whose greatest number reaches the bound
    if number == len(index.lows) or index.lows[number] >= bound:
        return number, None
    return number + 1, number


def _whole(shelf: Shelf, column: str, first: int, last: int, count: int) -> BitMap:
    """The buckets from `first` up to but not including `last`."""
    if first >= last:
        return BitMap()
    if first == 0 and last == count:
        return shelf.members(column)
    if last - first <= STRIDE:
        return BitMap.union(*(shelf.members(f"{column}#{number}") for number in range(first, last)))
    upper = _upwards(shelf, column, first, count)
    return upper if last == count else upper - _upwards(shelf, column, last, count)


def _upwards(shelf: Shelf, column: str, first: int, count: int) -> BitMap:
    """Everybody in the buckets from `first` on, starting from the nearest stored sum."""
    nearest = round(first / STRIDE) * STRIDE
    above = _sum(shelf, column, nearest, count)
    if nearest == first:
        return above
    between = [shelf.members(f"{column}#{n}") for n in range(min(nearest, first), min(max(nearest, first), count))]
    if nearest > first:
        return BitMap.union(above, *between)
    return above - BitMap.union(*between)


def _sum(shelf: Shelf, column: str, number: int, count: int) -> BitMap:
    if number >= count:
        return BitMap()
    return shelf.members(f"{column}>{number}" if number else column)


def _part(shelf: Shelf, column: str, number: int, low: int | None, high: int | None) -> BitMap:
    """The members of one bucket whose number lies in the range."""
    codes = shelf.codes(f"{column}~{number}")
    held = np.ones(len(codes), np.bool_)
    if low is not None:
        held &= codes >= low
    if high is not None:
        held &= codes < high
    return bitmap(ids_of(shelf.members(f"{column}#{number}"))[held])
