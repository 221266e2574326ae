"""Files of rows as people send them: CSV, gzipped CSV and XLSX, read as a stream of text cells.

Nothing here trusts a file's name or size: what it is, is read from its first bytes, and every read is bounded. What is
wrong with the file as a whole is a `TableError`; a row is never one. Bytes that are not text in the file's encoding
stay in their cell as lone surrogates, so that only that row is refused.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple
from xml.etree.ElementTree import ParseError

import openpyxl

ENCODINGS = ("utf-8", "gb18030")
_GZIP = b"\x1f\x8b"
_ZIP = b"PK\x03\x04"
_UTF8_MARK = b"\xef\xbb\xbf"
# What people upload by mistake: old Excel, PDF, pictures, UTF-16 text, other archives.
_FOREIGN = (
    b"\xd0\xcf\x11\xe0", b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"\xff\xfe", b"\xfe\xff",
    b"Rar!", b"7z\xbc\xaf", b"\x28\xb5\x2f\xfd", b"BZh", b"\x7fELF", b"MZ", b"SQLite format",
)  # fmt: skip
_DELIMITERS = ",;\t"
_CHUNK = 1 << 20
# How far a file is read to guess its encoding for a first look; an import reads all of it.
_FIRST_LOOK = 8 << 20
LONGEST_CELL = 131_072


class TableError(Exception):
    """The file as a whole cannot be read. `code` is stable; `values` complete its message."""

    def __init__(self, code: str, **values: Any) -> None:
        super().__init__(code)
        self.code = code
        self.values = values


class Row(NamedTuple):
    """`line` is where the row starts in the file (from 1, the header's own line)."""

    line: int
    cells: list[str]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a file is read at most."""

    unpacked_bytes: int = 1 << 30
    rows: int = 5_000_000
    columns: int = 200


@dataclass(frozen=True, slots=True)
class Layout:
    """What has to be known to read a file."""

    format: str  # csv, csv.gz or xlsx
    encoding: str
    delimiter: str
    header: list[str]


@dataclass(slots=True)
class Survey:
    """One reading of the whole file before anything is written."""

    layout: Layout
    rows: int = 0
    # Keys whose rows do not stand together, with the number of their last row.
    scattered: dict[str, int] = field(default_factory=dict)


def sniff(path: Path) -> str:
    """What the file is, by its content. Raises `TableError` (empty_file, not_a_table)."""
    with path.open("rb") as stream:
        head = stream.read(16)
    if not head:
        raise TableError("empty_file")
    if head.startswith(_GZIP):
        with _damage_told(), gzip.open(path) as unpacked:
            inner = unpacked.read(16)
        if not inner:
            raise TableError("empty_file")
        if inner.startswith((_GZIP, _ZIP, *_FOREIGN)):
            raise TableError("not_a_table")
        return "csv.gz"
    if head.startswith(_ZIP):
        return "xlsx"
    if head.startswith(_FOREIGN):
        raise TableError("not_a_table")
    return "csv"


def look(
    path: Path, *, encoding: str = "", limits: Limits, sample: int = 0, whole: bool = False
) -> tuple[Layout, list[Row]]:
    """The layout and the first `sample` rows. `encoding` "" means: find out. Raises `TableError`."""
    kind = sniff(path)
    if kind == "xlsx":
        rows = list(islice(_sheet_rows(path, limits), sample + 1))
        if not rows:
            raise TableError("empty_file")
        return Layout(kind, "utf-8", ",", _header(rows[0].cells, limits)), rows[1:]
    found = _encoding(path, kind, limits, None if whole else _FIRST_LOOK, declared=encoding)
    delimiter = _delimiter(path, kind, found)
    records = _records(path, kind, found, delimiter)
    first = next(records, None)
    if first is None:
        raise TableError("empty_file")
    return Layout(kind, found, delimiter, _header(first.cells, limits)), list(islice(records, sample))


def spool(path: Path, target: Path, *, limits: Limits, tick: Callable[[], None]) -> None:
    """Write a workbook's first sheet as CSV, once, so that all later readings are fast. `tick` is called often."""
    partial = target.with_suffix(".partial")
    with partial.open("w", encoding="utf-8", errors="surrogatepass", newline="") as stream:
        writer = csv.writer(stream)
        width = 0
        for count, row in enumerate(_sheet_rows(path, limits)):
            width = width or len(row.cells)
            # Blank cells at a row's end are not stored in a workbook; they are there all the same.
            writer.writerow(row.cells + [""] * (width - len(row.cells)))
            if count % 2000 == 0:
                tick()
    partial.chmod(0o600)
    partial.rename(target)


def survey(path: Path, layout: Layout, *, limits: Limits, key: int | None = None) -> Survey:
    """Read everything once: count the rows and find the values of column `key` whose rows are scattered."""
    result = Survey(layout)
    seen: set[int] = set()  # hashes: a collision only makes a key look scattered
    previous: str | None = None
    count = 0
    for count, row in enumerate(read(path, layout), 1):
        if count > limits.rows:
            raise TableError("too_many_rows", limit=limits.rows)
        if key is None or len(row.cells) <= key:
            continue
        value = row.cells[key].strip()
        if value != previous:
            mark = hash(value)
            if mark in seen:
                result.scattered[value] = count
            seen.add(mark)
            previous = value
        elif value in result.scattered:
            result.scattered[value] = count
    result.rows = count
    if not count:
        raise TableError("no_rows")
    return result


def read(path: Path, layout: Layout) -> Iterator[Row]:
    """Every row after the header, blank ones left out. A spooled workbook's lines are its row numbers."""
    records = _records(path, layout.format, layout.encoding, layout.delimiter)
    next(records, None)
    yield from records


def _records(path: Path, kind: str, encoding: str, delimiter: str) -> Iterator[Row]:
    with _damage_told(), _unpacked(path, kind) as binary:
        text = io.TextIOWrapper(binary, encoding=encoding, errors="surrogateescape", newline="")
        reader = csv.reader(text, delimiter=delimiter)
        line = 1
        try:
            for number, cells in enumerate(reader, 1):
                if kind == "xlsx":
                    line = number
                if cells and (len(cells) > 1 or cells[0].strip()) and any(map(str.strip, cells)):
                    if line == 1:
                        cells[0] = cells[0].removeprefix("\ufeff")
                    yield Row(line, cells)
                line = reader.line_num + 1
        except csv.Error as error:
            raise TableError("unclosed_quote", line=line) from error


@contextmanager
def _unpacked(path: Path, kind: str) -> Iterator[IO[bytes]]:
    with path.open("rb") as raw:
        if kind == "csv.gz":
            with gzip.GzipFile(fileobj=raw) as stream:
                yield stream  # type: ignore[misc]  # a BufferedIOBase is all that is asked of it
        else:
            yield raw


@contextmanager
def _damage_told() -> Iterator[None]:
    try:
        yield
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise TableError("damaged_file") from error


def _header(cells: list[str], limits: Limits) -> list[str]:
    header = [cell.encode("utf-8", "replace").decode().strip() for cell in cells]
    while header and not header[-1]:
        header.pop()
    if not header:
        raise TableError("no_header")
    if len(header) > limits.columns:
        raise TableError("too_many_columns", limit=limits.columns)
    return header


def _encoding(path: Path, kind: str, limits: Limits, until: int | None, *, declared: str) -> str:
    """The encoding that fits the most lines; also where the file's unpacked size is bounded.

    A mark at the beginning wins over what was declared, which wins over counting.
    """
    failures = dict.fromkeys(ENCODINGS, 0)
    size = 0
    marked = False
    with _damage_told(), _unpacked(path, kind) as stream:
        while line := stream.readline(_CHUNK):
            if size == 0:
                marked = line.startswith(_UTF8_MARK)
            size += len(line)
            if size > limits.unpacked_bytes:
                raise TableError("too_large", limit=limits.unpacked_bytes >> 20)
            if not line.isascii() and not marked and not declared:
                for encoding in ENCODINGS:
                    try:
                        line.decode(encoding)
                    except UnicodeDecodeError:
                        failures[encoding] += 1
            if until is not None and size > until:
                break
    if marked:
        return "utf-8"
    return declared or min(ENCODINGS, key=lambda encoding: failures[encoding])


def _delimiter(path: Path, kind: str, encoding: str) -> str:
    with _damage_told(), _unpacked(path, kind) as stream:
        first = stream.readline(_CHUNK).decode(encoding, "replace")
    unquoted = re.sub(r'"[^"]*"', "", first)
    return max(_DELIMITERS, key=unquoted.count)


def _sheet_rows(path: Path, limits: Limits) -> Iterator[Row]:
    """The first sheet as text: formulas as they are written, so that they can be refused, not their last result."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if sum(entry.file_size for entry in archive.infolist()) > limits.unpacked_bytes or len(names) > 2000:
                raise TableError("too_large", limit=limits.unpacked_bytes >> 20)
        if "xl/workbook.xml" not in names:
            raise TableError("not_a_table")
        # Opened here because the library judges a path by its ending.
        stream = path.open("rb")
        try:
            workbook = openpyxl.load_workbook(stream, read_only=True, keep_links=False)
            sheet = workbook.worksheets[0]
            sheet.reset_dimensions()  # what the file says about its own size need not be true
            for number, values in enumerate(sheet.iter_rows(values_only=True, max_col=limits.columns + 1), 1):
                if number > limits.rows + 1:
                    raise TableError("too_many_rows", limit=limits.rows)
                cells = [_as_text(value) for value in values]
                while cells and not cells[-1]:
                    cells.pop()
                yield Row(number, cells)
        finally:
            stream.close()
    except TableError:
        raise
    # The library reports a broken workbook in many ways, and none of them is ours to crash on.
    except (zipfile.BadZipFile, ParseError, zlib.error, KeyError, ValueError, IndexError, TypeError, AttributeError,
            EOFError, NotImplementedError, RuntimeError, OverflowError) as error:  # fmt: skip
        raise TableError("damaged_file") from error


def _as_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime):
        return value.isoformat(" ")
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value)
