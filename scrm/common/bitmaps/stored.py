"""What is stored of a slot: a catalogue, bitmaps by name, and the exact values inside a bucket of numbers.

Names within a version: "" the catalogue; `column` who has a value at all; `column=3` the value that the catalogue
lists at 3; `column#3` a bucket of numbers, `column~3` its values in the order of the members, `column>3` everybody
from bucket 3 upwards. An overlay has `*`, the members it speaks for, and per column the pairs of member and value.
"""

from __future__ import annotations

from array import array
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

CATALOGUE = ""
TOUCHED = "*"
# Every so many buckets there is a bitmap of all members from there upwards.
STRIDE = 8

Ids = NDArray[np.uint32]
Codes = NDArray[np.int64]
Value = str | int


class ValuesIndex(msgspec.Struct, tag="values"):
    """The distinct values of a column and how many members have each."""

    values: list[Value]
    sizes: list[int]


class NumbersIndex(msgspec.Struct, tag="numbers"):
    """Buckets in ascending order: the least and the greatest number in each, and how many members."""

    lows: list[int]
    highs: list[int]
    sizes: list[int]


class Catalogue(msgspec.Struct):
    """What a base version holds. A column that is missing has too many values to be indexed."""

    columns: dict[str, ValuesIndex | NumbersIndex]


class Pairs(msgspec.Struct):
    """Members and values of one column of an overlay. `values` is the dictionary of a column that has one."""

    ids: bytes
    codes: bytes
    values: list[Value] = []


class Overlay:
    """The pairs, ready to be compared."""

    __slots__ = ("codes", "ids", "values")

    def __init__(self, pairs: Pairs) -> None:
        self.ids: Ids = np.frombuffer(pairs.ids, np.uint32)
        self.codes: Codes = np.frombuffer(pairs.codes, np.int64)
        self.values = pairs.values


def bitmap(ids: NDArray[Any]) -> BitMap:
    """The set of the ids; the array's buffer is read in one go."""
    found: BitMap = BitMap(array("I", np.ascontiguousarray(ids, np.uint32).tobytes()))
    return found


def ids_of(members: BitMap) -> Ids:
    """The ids in ascending order."""
    return np.frombuffer(members.to_array(), np.uint32)


def pack(members: BitMap) -> bytes:
    members.run_optimize()
    return bytes(members.serialize())


def pack_codes(codes: Codes) -> bytes:
    """Numbers as their distance from the least, in as few bytes as the greatest needs."""
    low = int(codes.min())
    span = int(codes.max()) - low
    width = next(kind for kind in (np.uint8, np.uint16, np.uint32, np.uint64) if span <= np.iinfo(kind).max)
    narrow = (codes - low).astype(width)
    return low.to_bytes(8, "little", signed=True) + bytes([narrow.itemsize]) + narrow.tobytes()


def unpack_codes(data: bytes) -> Codes:
    low = int.from_bytes(data[:8], "little", signed=True)
    narrow = np.frombuffer(data, f"u{data[8]}", offset=9)
    return narrow.astype(np.int64) + low


def pack_catalogue(catalogue: Catalogue) -> bytes:
    return msgspec.msgpack.encode(catalogue)


def unpack(name: str, data: bytes) -> tuple[Any, int]:
    """What is stored under a name, and about how many bytes it takes in memory."""
    if name == CATALOGUE:
        return msgspec.msgpack.decode(data, type=Catalogue), 4 * len(data)
    if "~" in name:
        codes = unpack_codes(data)
        return codes, codes.nbytes
    if name.endswith("+"):
        return Overlay(msgspec.msgpack.decode(data, type=Pairs)), 2 * len(data)
    # A container of a bitmap takes what it takes in storage, and a few words more.
    return BitMap.deserialize(data), len(data) + len(data) // 16 + 256
