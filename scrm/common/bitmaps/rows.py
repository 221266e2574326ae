"""Reading many whole numbers from Postgres: one value of packed bytes per column, straight into numpy.

A row at a time costs several microseconds in the driver; so the database puts the numbers of all rows in one row, and
COPY brings it in binary: https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from django.db import connection
from numpy.typing import NDArray

_HEADER = 19


def integers(sql: str, params: Sequence[Any], columns: int) -> list[NDArray[np.int64]]:
    """The columns of a query that selects `columns` bigints, none of them NULL; of at most 100 million rows.

    Raises `OperationalError` when the statement times out.
    """
    names = [f"c{number}" for number in range(columns)]
    packed = ", ".join(f"string_agg(int8send({name}), ''::bytea)" for name in names)
    query = f"COPY (SELECT {packed} FROM ({sql}) x ({', '.join(names)})) TO STDOUT (FORMAT binary)"
    # What is read from a copy passes by the cursor, which else would turn the driver's errors into Django's.
    with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(query, params) as copy:
        data = b"".join(copy)
    found = []
    at = _HEADER + 2  # the row begins with its number of columns
    for _ in names:
        length = int.from_bytes(data[at : at + 4], "big", signed=True)
        at += 4
        found.append(np.frombuffer(data, ">i8", count=max(length, 0) // 8, offset=at).astype(np.int64))
        at += max(length, 0)
    return found
