"""Reading many whole numbers from Postgres: COPY in binary, straight into numpy.

https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS describes the format.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from django.db import connection
from numpy.typing import NDArray

_HEADER = 19


def integers(sql: str, params: Sequence[Any], columns: int) -> list[NDArray[np.int64]]:
    """The columns of a query that selects `columns` bigints, none of them NULL."""
    with connection.cursor() as cursor, cursor.copy(f"COPY ({sql}) TO STDOUT (FORMAT binary)", params) as copy:
        # One row is a count of columns, then length and value of each: all rows are of equal size.
        data = b"".join(copy)
    width = 2 + 12 * columns
    count = (len(data) - _HEADER - 2) // width
    fields: list[tuple[str, str]] = [("n", ">i2")]
    for number in range(columns):
        fields += [(f"l{number}", ">i4"), (f"c{number}", ">i8")]
    found = np.frombuffer(data, np.dtype(fields), count=count, offset=_HEADER)
    return [found[f"c{number}"].astype(np.int64) for number in range(columns)]
