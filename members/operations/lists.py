"""Uploaded lists of members: read as a stream, and forgotten when they have been taken.

The file is kept by `members.operations.imports.keep`; who its rows mean says `members.queries.lists.resolve`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from members.queries.imports import explain
from members.queries.lists import check_kind
from members.rules import lists as rules
from members.rules import tables
from members.rules.lists import Entry
from members.rules.tables import TableError
from scrm.common.errors import NotFound

MAX_ROWS = 1_000_000


def entries_of(file: str, *, kind: str = "") -> Iterator[Entry]:
    """The rows of a kept file (CSV, gzipped CSV, XLSX).

    Raises `Invalid` with the file's trouble (`damaged_file`, `too_many_rows`, …), `NotFound` when it is gone.
    """
    check_kind(kind)
    path = _path(file)
    if not path.is_file():
        raise NotFound(_("The file is no longer there."), code="file_gone")
    limits = tables.Limits(unpacked_bytes=settings.IMPORT_MAX_UNPACKED_BYTES, rows=MAX_ROWS)
    try:
        layout, _sample = tables.look(path, limits=limits, whole=True)
        source = path
        if layout.format == "xlsx":
            source = path.with_suffix(".rows")
            if not source.exists():
                tables.spool(path, source, limits=limits, tick=lambda: None)
        rows = rules.entries_of_rows(layout.header, tables.read(source, layout), kind=kind)
        for count, entry in enumerate(rows, 1):
            if count > MAX_ROWS:
                raise TableError("too_many_rows", limit=MAX_ROWS)
            yield entry
    except TableError as error:
        raise explain(error) from error


def discard(file: str) -> None:
    """Forget a kept file; one that is gone already is fine."""
    path = _path(file)
    path.unlink(missing_ok=True)
    path.with_suffix(".rows").unlink(missing_ok=True)


def _path(file: str) -> Path:
    path: Path = settings.MEDIA_ROOT / file
    return path
