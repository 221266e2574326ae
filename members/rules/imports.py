"""From rows to items of the intake: the rows of one order are put together, and batches are cut.

Batches are a function of the file and its mapping alone, so a second reading gives the same ones: that is what an
interrupted import resumes by.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from members.enums import ImportKind, Rejection
from members.rules import cells, facts
from members.rules.intake import EventIn, MemberIn, OrderIn, OrderLineIn, RefundIn, read_item
from members.rules.mappings import EXTRA, IDENTITIES, Definition
from members.rules.rejections import ItemRejected, properties_json
from members.rules.rows import RowReader, reference_of
from members.rules.tables import Row, TableError
from scrm.common.money import LARGEST, to_minor

ORDERS_PER_BATCH = 1000
ROWS_PER_BATCH = 20_000
PLAIN_ROWS_PER_BATCH = 2000
# Rows of orders that are still open because more of their rows follow later in the file.
MOST_HELD_ROWS = 500_000
_PROFILE = ("name", "country", "province", "city")
_LINE = ("sku", "product_name", "category", "quantity", "unit_price")

Item = MemberIn | OrderIn | RefundIn | EventIn


@dataclass(frozen=True, slots=True)
class Problem:
    """A row that was not taken, why, and the header of the column at fault ("" when it is the row as a whole)."""

    row: Row
    code: str
    column: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """An item and the rows that it was made of."""

    item: Item
    rows: list[Row]


@dataclass(slots=True)
class Batch:
    """What one transaction takes. `end` counts the rows of the file that are dealt with when it is done."""

    end: int = 0
    entries: list[Entry] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    # What an order file says about its members, once per member and file; with the entry that said it.
    profiles: list[tuple[int, MemberIn]] = field(default_factory=list)


@dataclass(slots=True)
class _Group:
    """The rows of one order."""

    number: str
    rows: list[Row] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    lines: list[OrderLineIn] = field(default_factory=list)
    problem: ItemRejected | None = None


class Importer:
    """Cuts a file's rows into batches of items. `source` is the key that all of them carry."""

    def __init__(
        self, *, kind: str, definition: Definition, source: str, header: Sequence[str], zone: ZoneInfo
    ) -> None:
        self.kind = kind
        self.definition = definition
        self.source = source
        self.header = header
        self._reader = RowReader(kind, definition, header, zone)
        self._profiled: set[int] = set()

    @property
    def key_column(self) -> int | None:
        """Where the order number stands: rows that share it belong together."""
        if self.kind != ImportKind.ORDERS:
            return None
        return self.header.index(self._reader.columns["number"])

    def column(self, path: str) -> str:
        """The header of the column behind a field that the intake complains about."""
        return self._reader.column(path)

    def batches(self, rows: Iterable[Row], scattered: dict[str, int] | None = None) -> Iterator[Batch]:
        """The whole file in batches. `scattered` are the order numbers whose rows do not stand together."""
        if self.kind == ImportKind.ORDERS:
            return self._order_batches(rows, scattered or {})
        return self._plain_batches(rows)

    def _plain_batches(self, rows: Iterable[Row]) -> Iterator[Batch]:
        make = self._member if self.kind == ImportKind.MEMBERS else self._event
        batch = Batch()
        for count, row in enumerate(rows, 1):
            try:
                batch.entries.append(Entry(make(self._reader.values(row)), [row]))
            except ItemRejected as error:
                batch.problems.append(Problem(row, error.code.value, self._named(error.field)))
            if count % PLAIN_ROWS_PER_BATCH == 0:
                batch.end = count
                yield batch
                batch = Batch(end=count)
        if batch.entries or batch.problems:
            batch.end += len(batch.entries) + len(batch.problems)
            yield batch

    def _named(self, path: str) -> str:
        return path if path in self.header else self.column(path)

    def _member(self, values: dict[str, Any]) -> Item:
        if not any(name in values for name in IDENTITIES):
            raise ItemRejected(Rejection.NO_IDENTITY)
        extra = values.pop(EXTRA, {})
        reference = reference_of(values)
        kept = {name: value for name, value in values.items() if name not in IDENTITIES}
        return read_item(MemberIn, {**kept, **reference, "source": self.source, "attributes": extra})

    def _event(self, values: dict[str, Any]) -> Item:
        reference = reference_of(values)
        if not reference:
            raise ItemRejected(Rejection.NO_IDENTITY)
        for name in ("type", "occurred_at"):
            if name not in values:
                raise ItemRejected(Rejection.MISSING, name)
        if "message_id" not in values:
            # The same row again is the same event.
            told = repr((sorted(reference.items()), sorted((k, str(v)) for k, v in values.items())))
            values["message_id"] = f"row:{hashlib.sha256(told.encode()).hexdigest()[:40]}"
        return read_item(
            EventIn,
            {
                "source": self.source,
                "member": reference,
                "properties": values.get(EXTRA, {}),
                **{name: values[name] for name in ("type", "occurred_at", "message_id", "amount") if name in values},
            },
        )

    def _order_batches(self, rows: Iterable[Row], scattered: dict[str, int]) -> Iterator[Batch]:
        batch = Batch()
        start = 0
        current: _Group | None = None
        waiting: dict[str, _Group] = {}
        held = 0
        position = self.key_column
        assert position is not None  # noqa: S101  # this is an order file
        count = 0
        for count, row in enumerate(rows, 1):
            raw = row.cells[position].strip() if len(row.cells) > position else ""
            last = scattered.get(raw)
            number = self._number(raw)
            if current is not None and number != current.number:
                self._close(current, batch)
                current = None
            # Cut only where no order is open, but where rows are still awaited, they come again with a later reading.
            if current is None and (len(batch.entries) >= ORDERS_PER_BATCH or count - 1 - start >= ROWS_PER_BATCH):
                batch.end = start = count - 1
                yield batch
                batch = Batch()
            problem: ItemRejected | None = None
            try:
                values = self._reader.values(row)
                if self.definition.rows_apart:
                    self._stand_alone(values)
                if number is None:
                    raise ItemRejected(Rejection.MISSING, self._reader.columns["number"])
                line = self._line(values)
            except ItemRejected as error:
                if self.definition.rows_apart or number is None:
                    batch.problems.append(Problem(row, error.code.value, self._named(error.field)))
                    if last == count and number in waiting:
                        group = waiting.pop(number)
                        held -= len(group.rows)
                        self._close(group, batch)
                    continue
                values, line, problem = {}, None, error
            if last is not None:
                group = waiting.setdefault(number, _Group(number))
                held += 1
                if held > MOST_HELD_ROWS:
                    raise TableError("not_in_order", limit=MOST_HELD_ROWS)
            else:
                group = current = current or _Group(number)
            self._add(group, row, values, line, problem)
            if last == count:
                waiting.pop(number)
                held -= len(group.rows)
                self._close(group, batch)
        for group in ([current] if current else []) + list(waiting.values()):
            self._close(group, batch)
        if count > start:
            batch.end = count
            yield batch

    def _number(self, raw: str) -> str | None:
        bare = cells.unwrapped(raw)
        try:
            return cells.key(bare) if bare else None
        except ItemRejected:
            return bare

    def _stand_alone(self, values: dict[str, Any]) -> None:
        """What a row has to bring by itself when it is not judged together with its order."""
        if not any(name in values for name in IDENTITIES):
            raise ItemRejected(Rejection.NO_IDENTITY, self._first_identity_column())
        prefix = self.definition.refund_prefix
        if prefix and str(values.get("number", "")).startswith(prefix):
            return
        for name in ("quantity", "unit_price"):
            if name in values and values[name] <= 0:
                raise ItemRejected(Rejection.NON_POSITIVE, self._reader.columns[name])

    def _first_identity_column(self) -> str:
        return next((self._reader.columns[name] for name in IDENTITIES if name in self._reader.columns), "")

    def _line(self, values: dict[str, Any]) -> OrderLineIn | None:
        given = [name for name in _LINE if name in values]
        if not given or not ({"quantity", "unit_price", "sku"} & set(given)):
            return None
        for name in ("sku", "quantity", "unit_price"):
            if name not in values:
                if name not in self._reader.columns:
                    return None  # a file with products but without prices is taken by its totals
                raise ItemRejected(Rejection.MISSING, self._reader.columns[name])
        return OrderLineIn(
            sku=values["sku"],
            quantity=values["quantity"],
            unit_price=values["unit_price"],
            name=values.get("product_name", ""),
            category=values.get("category", ""),
        )

    def _add(
        self, group: _Group, row: Row, values: dict[str, Any], line: OrderLineIn | None, problem: ItemRejected | None
    ) -> None:
        group.rows.append(row)
        group.problem = group.problem or problem
        if line is not None:
            group.lines.append(line)
        known = group.values
        for name, value in values.items():
            if name in _LINE:
                continue
            before = known.setdefault(name, value)
            if before == value:
                continue
            if name in ("ordered_at", "paid_at"):
                known[name] = min(before, value)
            elif name == "version_at":
                known[name] = max(before, value)
            elif name in IDENTITIES:
                group.problem = group.problem or ItemRejected(Rejection.AMBIGUOUS_MEMBER, self._reader.columns[name])
            elif name in ("amount", "discount", "state"):
                group.problem = group.problem or ItemRejected(
                    Rejection.CONFLICTING_DUPLICATE, self._reader.columns[name]
                )

    def _close(self, group: _Group, batch: Batch) -> None:
        """Make the group an item of the batch, or a problem of each of its rows."""
        try:
            if group.problem is not None:
                raise group.problem
            item = self._order(group)
        except ItemRejected as error:
            column = self._named(error.field)
            batch.problems.extend(Problem(row, error.code.value, column) for row in group.rows)
            return
        batch.entries.append(Entry(item, group.rows))
        self._profile(group.values, batch)

    def _order(self, group: _Group) -> Item:
        values = group.values
        reference = reference_of(values)
        if not reference:
            raise ItemRejected(Rejection.NO_IDENTITY, self._first_identity_column())
        if "ordered_at" not in values:
            raise ItemRejected(Rejection.MISSING, "ordered_at")
        prefix = self.definition.refund_prefix
        raw: dict[str, Any] = {"source": self.source, "number": group.number, "member": reference}
        if prefix and group.number.startswith(prefix):
            raw |= {"amount": self._refunded(group), "refunded_at": values["ordered_at"]}
            return read_item(RefundIn, raw)
        raw |= {
            name: values[name]
            for name in ("ordered_at", "paid_at", "amount", "discount", "store", "channel", "version_at")
            if name in values
        }
        unpaid = "paid_at" in self._reader.columns and "paid_at" not in values
        raw["state"] = values.get("state", "created" if unpaid else "paid")
        raw["currency"] = self.definition.currency
        raw["lines"] = group.lines
        return read_item(OrderIn, raw)

    def _refunded(self, group: _Group) -> Decimal:
        if not group.lines:
            if "amount" not in group.values:
                raise ItemRejected(Rejection.MISSING, "amount")
            return abs(Decimal(group.values["amount"]))
        try:
            minor = sum(to_minor(abs(line.quantity * line.unit_price)) for line in group.lines)
        except ValueError as error:
            raise ItemRejected(Rejection.OUT_OF_RANGE, "unit_price") from error
        if minor > LARGEST:
            raise ItemRejected(Rejection.OUT_OF_RANGE, "unit_price")
        return Decimal(minor).scaleb(-2)

    def _profile(self, values: dict[str, Any], batch: Batch) -> None:
        given = {name: values[name] for name in _PROFILE if name in values}
        if not given:
            return
        reference = reference_of(values)
        mark = hash(tuple(reference.items()))
        if mark not in self._profiled:
            self._profiled.add(mark)
            profile = read_item(MemberIn, {**given, **reference, "source": self.source})
            batch.profiles.append((len(batch.entries) - 1, profile))


def check(item: Item, *, latest: datetime) -> None:
    """What the intake will refuse of an item for its own sake, without asking the database. Raises `ItemRejected`."""
    if isinstance(item, MemberIn):
        facts.check_member(item, latest)
        facts.named(item, item.source, parent="")
        properties_json(item.attributes, "attributes")
        return
    if item.member is not None:
        facts.named(item.member, item.source)
    if isinstance(item, OrderIn):
        facts.purchase(item, latest)
    elif isinstance(item, RefundIn):
        facts.repayment(item, latest)
    else:
        facts.check_event(item, latest)
        properties_json(item.properties, "properties")
