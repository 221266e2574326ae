"""Rows to Postgres as a few long texts, one per column, unnested there.

Adapting a Python list element by element is what makes arrays slow; a joined text is split in C. Texts must be free of
control characters (`members.rules.rejections.check_text`, or JSON, which escapes them).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

_BETWEEN = "\x1f"
_NOTHING = "\x1e"
# Reads what `texts` wrote: a text[] in which blank and None are both NULL.
TEXTS = "string_to_array(%s, E'\\x1f', E'\\x1e')"


def named(name: str) -> str:
    """`TEXTS` for a named placeholder."""
    return TEXTS.replace("%s", f"%({name})s")


def texts(values: Iterable[str | None]) -> str:
    """For `TEXTS`. Blank and None both become NULL."""
    return _BETWEEN.join([value or _NOTHING for value in values])


def integers(values: Iterable[int | None]) -> str:
    """For `%s::bigint[]`."""
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


def numbers(values: Iterable[float | None]) -> str:
    """For `%s::float8[]`."""
    return "{" + ",".join(["NULL" if value is None else repr(value) for value in values]) + "}"


def instants(values: Iterable[datetime | None]) -> str:
    """For `%s::timestamptz[]`."""
    return "{" + ",".join(["NULL" if value is None else value.isoformat() for value in values]) + "}"
