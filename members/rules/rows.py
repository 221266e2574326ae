"""Reading the rows of a file by a mapping: from cells to the values of named fields."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from members.enums import Rejection
from members.rules import cells
from members.rules.mappings import EXTRA, IDENTITIES, Definition, Field, positions
from members.rules.rejections import ItemRejected, check_prose, check_text
from members.rules.tables import Row

_REMEMBERED_CELLS = 20_000
_SURROGATES = re.compile("[\ud800-\udfff]")


class RowReader:
    """Reads rows by one mapping. Cells that were read before are remembered, since files repeat themselves."""

    def __init__(self, kind: str, definition: Definition, header: Sequence[str], zone: ZoneInfo) -> None:
        self.width = len(header)
        self.columns: dict[str, str] = {}
        self._plan: list[tuple[int, str, Field, dict[str, Any]]] = []
        for position, column, target in positions(kind, definition, header):
            self._plan.append((position, column, target, {}))
            self.columns.setdefault(target.key, column)
        self._parsers: dict[str, Callable[[str], Any]] = {
            "text": cells.text,
            "key": cells.key,
            "sku": cells.sku,
            "number": cells.number,
            "integer": cells.integer,
            "instant": partial(cells.instant, zone=zone, day_first=definition.day_first),
            "day": partial(cells.day, day_first=definition.day_first),
            "gender": cells.gender,
            "state": cells.state,
        }

    def values(self, row: Row) -> dict[str, Any]:
        """The row's values by field, blank ones left out. Raises `ItemRejected` naming the column."""
        row_cells = row.cells
        if len(row_cells) != self.width and (len(row_cells) < self.width or any(row_cells[self.width :])):
            raise ItemRejected(Rejection.WRONG_COLUMNS)
        found: dict[str, Any] = {}
        for position, column, target, memory in self._plan:
            cell = row_cells[position]
            try:
                value = memory[cell]
            except KeyError:
                value = self._cell(cell, target)
                if len(memory) >= _REMEMBERED_CELLS:
                    memory.clear()
                memory[cell] = value
            if value is None:
                continue
            if isinstance(value, Rejection):
                raise ItemRejected(value, column)
            if target.key == EXTRA:
                found.setdefault(EXTRA, {})[column] = value
            else:
                found[target.key] = value
        return found

    def _cell(self, cell: str, target: Field) -> Any:
        """A value, None for a blank cell, or why it cannot be taken."""
        if _SURROGATES.search(cell):
            return Rejection.BAD_ENCODING
        bare = cells.unwrapped(cell)
        if not bare:
            return None
        try:
            (check_prose if target.key == EXTRA else check_text)(bare, "")
            value = self._parsers[target.kind](bare)
        except ItemRejected as error:
            return error.code
        if target.length is not None and len(value) > target.length:
            return Rejection.TOO_LONG
        return value

    def column(self, path: str) -> str:
        """The header behind the intake's name of a field; the name itself when no column was mapped to it."""
        key = path.rpartition(".")[2]
        key = {"number": "member_number"}.get(key, key) if path.startswith("member") else key
        key = {"name": "product_name"}.get(key, key) if path.startswith("lines") else key
        return self.columns.get(key, "" if path in {"member", "lines"} else path)


def reference_of(values: dict[str, Any]) -> dict[str, str]:
    """The identities of a row in the intake's words."""
    return {"number" if name == "member_number" else name: values[name] for name in IDENTITIES if name in values}
