"""Filling tables by the million: COPY in Postgres' binary format straight from numpy columns.

https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS describes the format.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from scrm.common.bitmaps import triggers

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"
_ROWS_PER_WRITE = 200_000
_POSTGRES_EPOCH = 946_684_800  # 2000-01-01 in Unix seconds


def timestamps(seconds: NDArray[np.int64]) -> NDArray[np.int64]:
    """`timestamptz` values of Unix seconds: microseconds since 2000-01-01."""
    return (seconds - _POSTGRES_EPOCH) * 1_000_000


def uuids(rng: np.random.Generator, seconds: NDArray[np.int64]) -> NDArray[np.void]:
    """Version 7 UUIDs of the given Unix seconds (RFC 9562): time first, so that an index grows at its end."""
    count = len(seconds)
    raw = np.frombuffer(rng.bytes(count * 16), np.uint8).reshape(count, 16).copy()
    raw[:, :6] = (seconds * 1000).astype(">i8").view(np.uint8).reshape(count, 8)[:, 2:]
    raw[:, 6] = raw[:, 6] & 0x0F | 0x70
    raw[:, 8] = raw[:, 8] & 0x3F | 0x80
    return raw.view("V16").reshape(count)


def numerics(minor: NDArray[np.int64]) -> NDArray[np.void]:
    """`numeric(…, 4)` values of minor units below 10^6 yuan: base-10000 digits with weight 1."""
    count = len(minor)
    parts = np.zeros((count, 7), ">i2")
    whole, cents = np.divmod(minor, 100)
    parts[:, 0] = 3  # digits
    parts[:, 1] = 1  # weight of the first
    parts[:, 3] = 4  # displayed scale
    parts[:, 4] = whole // 10_000
    parts[:, 5] = whole % 10_000
    parts[:, 6] = cents * 100
    return parts.view("V14").reshape(count)


def copy_columns(table: str, columns: Mapping[str, NDArray[np.generic]]) -> None:
    """COPY equally long columns into `table`. Every value of a column has the same width; none is NULL.

    Integers go as int2, int4 or int8 by their dtype, booleans as bool, bytes and void as they are (text, uuid, …).
    """
    arrays = list(columns.values())
    fields: list[tuple[str, str]] = [("n", ">i2")]
    for index, array in enumerate(arrays):
        kind = array.dtype
        code = "u1" if kind == np.bool_ else f">i{kind.itemsize}" if kind.kind == "i" else f"V{kind.itemsize}"
        fields += [(f"l{index}", ">i4"), (f"c{index}", code)]
    names = ", ".join(columns)
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY {table} ({names}) FROM STDIN (FORMAT binary)") as copy,
    ):
        copy.write(_HEADER)
        for start in range(0, len(arrays[0]), _ROWS_PER_WRITE):
            block = [array[start : start + _ROWS_PER_WRITE] for array in arrays]
            rows = np.empty(len(block[0]), np.dtype(fields))
            rows["n"] = len(block)
            for index, part in enumerate(block):
                target = rows.dtype[f"c{index}"]
                rows[f"l{index}"] = target.itemsize
                rows[f"c{index}"] = part.view(target) if target.kind == "V" else part
            copy.write(rows.tobytes())
        copy.write(_TRAILER)


@dataclass(frozen=True, slots=True)
class _Dropped:
    drop: str
    restore: str


@contextmanager
def without_indexes(tables: Sequence[str]) -> Iterator[None]:
    """Drop indexes and foreign keys of `tables`, fill them, and build and validate everything anew.

    Inside the caller's transaction: a failure leaves all as it was. Primary keys and unique constraints are
    rebuilt too, so duplicates are still refused, only later. Bitmaps of the tables are built anew afterwards.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # a table with pending checks cannot be altered
        resume = triggers.suspend(tables)
        constraints = {}
        for kinds in ("f", "pu"):
            cursor.execute(
                """
                SELECT format('ALTER TABLE %%s DROP CONSTRAINT %%I', conrelid::regclass, conname),
                       format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', conrelid::regclass, conname,
                              pg_get_constraintdef(oid))
                FROM pg_constraint
                WHERE contype = ANY(string_to_array(%s, NULL)::"char"[])
                  AND (conrelid = ANY(%s::regclass[]) OR contype = 'f' AND confrelid = ANY(%s::regclass[]))
                ORDER BY conname
                """,
                [kinds, list(tables), list(tables)],
            )
            constraints[kinds] = [_Dropped(*row) for row in cursor.fetchall()]
        cursor.execute(
            """
            SELECT format('DROP INDEX %%s', i.indexrelid::regclass), pg_get_indexdef(i.indexrelid)
            FROM pg_index i
            WHERE i.indrelid = ANY(%s::regclass[])
              AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid)
            """,
            [list(tables)],
        )
        plain = [_Dropped(*row) for row in cursor.fetchall()]
        for step in (*constraints["f"], *constraints["pu"], *plain):
            cursor.execute(step.drop)
        yield
        cursor.execute("SET LOCAL maintenance_work_mem = '512MB'")
        for step in (*constraints["pu"], *plain, *constraints["f"]):
            cursor.execute(step.restore)
        resume()
