"""Lists of members as people paste and upload them: who each row means, in the words of identities.

A row may say it in several ways (a phone and a member number); a way may be named (by the column's header, or chosen
for the whole list) or has to be found out from how the text looks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from members.enums import IdentityKind, Rejection
from members.rules import cells, mappings
from members.rules.identities import Named, normalise
from members.rules.rejections import ItemRejected
from members.rules.tables import Row

# The member's own id in this system; all other kinds are those of identities.
MEMBER_ID = "member_id"
# What a list can be said to hold; "" is to find out.
KINDS = ("", *(kind.value for kind in IdentityKind if kind != IdentityKind.DEVICE), MEMBER_ID)
_SEPARATORS = re.compile(r"[\n\r,;，；、\t]+| {2,}")
_DIGITS = re.compile(r"[0-9]{1,18}", re.ASCII)
_ID = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)
_PHONE_LIKE = re.compile(r"[+\d()./ \-\u2010-\u2015\uff0b\uff10-\uff19]{5,32}")
_FILLERS = re.compile(r"[\s().\-\u2010-\u2015]+")
_MOBILE = re.compile(r"(86)?1[3-9]\d{9}", re.ASCII)
# "会员ID" may be the number in a shop's system as well as the id here.
_EITHER = "会员id 会员编号id memberid id 编号"
_COLUMNS = {"member_number": IdentityKind.NUMBER.value}


class Entry(NamedTuple):
    """One row of a list: where it stood (from 1), and (kind or "", text) for each way it says who is meant."""

    line: int
    named: tuple[tuple[str, str], ...]

    @property
    def text(self) -> str:
        """The row as it was given, for the file of rows that led to nobody."""
        return " | ".join(text for _kind, text in self.named)


def entries_of_text(text: str, *, kind: str = "") -> Iterator[Entry]:
    """The rows of a pasted text: one to a line, or parted by commas, semicolons, tabs or (where it must be) spaces."""
    for number, line in enumerate(text.splitlines(), 1):
        for piece in _SEPARATORS.split(line):
            parts = [piece] if _is_one_phone(piece.strip(), kind) else piece.split()
            yield from (Entry(number, ((kind, part.strip()),)) for part in parts if part.strip())


def entries_of_rows(header: Sequence[str], rows: Iterable[Row], *, kind: str = "") -> Iterator[Entry]:
    """The rows of a file. Columns are found by their headers; a file without a header is read by its first column.

    With `kind` only the column of that kind is read, or else the first one.
    """
    columns = _columns_of(header)
    if kind:
        columns = [(place, kind) for place, found in columns if found in (kind, "")][:1]
    has_header = bool(columns) or _looks_like_a_header(header)
    columns = columns or [(0, kind)]
    if not has_header:
        yield from _entry(Row(1, list(header)), columns)
    for row in rows:
        yield from _entry(row, columns)


def _entry(row: Row, columns: Sequence[tuple[int, str]]) -> Iterator[Entry]:
    named = []
    for place, kind in columns:
        text = cells.unwrapped(row.cells[place]) if place < len(row.cells) else ""
        # "138****5678" of an export says nothing.
        if text and "*" not in text:
            named.append((kind, text))
    if named:
        yield Entry(row.line, tuple(named))


def _columns_of(header: Sequence[str]) -> list[tuple[int, str]]:
    guessed = mappings.guess("members", header)
    either = {mappings.plain(name) for name in _EITHER.split()}
    found = []
    for place, column in enumerate(header):
        key = guessed.get(column, "")
        if mappings.plain(column) in either:
            found.append((place, ""))
        elif key in mappings.IDENTITIES:
            found.append((place, _COLUMNS.get(key, key)))
    return found


def _looks_like_a_header(header: Sequence[str]) -> bool:
    """Whether the first row names columns: nothing in its first cell could be a phone, an address or a number."""
    first = cells.unwrapped(header[0])
    return not (_PHONE_LIKE.fullmatch(first) or _DIGITS.fullmatch(first) or "@" in first or re.search(r"\d", first))


def _is_one_phone(text: str, kind: str) -> bool:
    """Whether a text with spaces in it is one phone: "138 0013 8000", "+1 415 555 0100"; not "1081 1083", two ids."""
    if kind not in ("", IdentityKind.PHONE) or not _PHONE_LIKE.fullmatch(text):
        return False
    if not text.startswith(("+", "＋")) and not _MOBILE.fullmatch(_FILLERS.sub("", text)):
        return False
    try:
        normalise("phone", text, source="", field="")
    except ItemRejected:
        return False
    return True


def candidates(kind: str, text: str, *, sources: Sequence[str]) -> list[Named]:
    """The identities that a text can be, normalised; the kind `MEMBER_ID` stands for the id in this system.

    A member number without its source is looked for in each of `sources`. Raises `ItemRejected` when it can be none.
    """
    if kind == MEMBER_ID:
        if not _ID.fullmatch(bare := cells.key(text)):
            raise ItemRejected(Rejection.INVALID)
        return [Named(MEMBER_ID, bare)]
    if kind in (IdentityKind.PHONE, IdentityKind.NUMBER):
        text = cells.key(text)
    if kind == IdentityKind.NUMBER and "@" not in text:
        return [normalise(kind, text, source=source, field="") for source in sources]
    if kind:
        return [normalise(kind, text, source="", field="")]
    return _found_out(text, sources)


def _found_out(text: str, sources: Sequence[str]) -> list[Named]:
    """Everything that a text of an unknown kind can be."""
    bare = cells.key(text)
    if "@" in bare:
        kinds = ["email", "number", "openid"]
    elif _PHONE_LIKE.fullmatch(bare) or _DIGITS.fullmatch(bare):
        kinds = ["phone", MEMBER_ID, "number"]
    else:
        kinds = ["unionid", "external_userid", "app_user", "number"]
    found: list[Named] = []
    refusal = ItemRejected(Rejection.INVALID)
    for kind in kinds:
        try:
            found += candidates(kind, bare, sources=sources)
        except ItemRejected as error:
            refusal = error
    if not found:
        raise refusal
    return found
