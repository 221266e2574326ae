"""The file that maps tags to the company's tags in WeCom: exported, filled in, read back."""

from __future__ import annotations

import csv
import io
from typing import NamedTuple

COLUMNS = ("tag_id", "group", "tag", "wecom_group_id", "wecom_tag_id")
MOST_ROWS = 20_000


class BadFile(ValueError):
    """The file cannot be read. `code` is stable."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class MappingRow(NamedTuple):
    line: int
    tag_id: int
    wecom_tag_id: str
    wecom_group_id: str


def read_mapping(content: bytes) -> list[MappingRow]:
    """The rows of an exported file. Names in it are only for the reader and may be changed.

    Raises `BadFile` (`not_text`, `missing_columns`, `bad_tag_id`, `too_many_rows`, `no_rows`).
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadFile("not_text") from error
    if "\x00" in text:
        raise BadFile("not_text")
    reader = csv.DictReader(io.StringIO(text))
    if not {"tag_id", "wecom_tag_id"} <= set(reader.fieldnames or ()):
        raise BadFile("missing_columns")
    rows = []
    try:
        for given in reader:
            key = (given["tag_id"] or "").strip()
            if not (key.isascii() and key.isdigit() and len(key) <= 18):
                raise BadFile("bad_tag_id")
            tag_id = (given["wecom_tag_id"] or "").strip()
            group_id = (given.get("wecom_group_id") or "").strip()
            rows.append(MappingRow(reader.line_num, int(key), tag_id, group_id))
            if len(rows) > MOST_ROWS:
                raise BadFile("too_many_rows")
    except csv.Error as error:
        raise BadFile("not_text") from error
    if not rows:
        raise BadFile("no_rows")
    return rows
