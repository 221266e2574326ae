"""Keyset pages: the cost of page 5,000 is that of page 1, and rows that arrive meanwhile move nothing.

Conditions and orderings are written so that Postgres walks an index from the cursor on, provided that the index
is declared in the list's order: plain descending for columns that cannot be null, `desc(nulls_last=True)` for those
that can. Where all directions agree the cursor is one row comparison; where they do not, the leading column is
bounded first. Rows without a value come last and are read by a statement of their own, because no single index
range holds both.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import BooleanField, F, Field, Func, Model, Q, QuerySet, Value
from django.db.models.expressions import OrderBy
from django.utils.translation import gettext as _

from scrm.common.errors import Invalid

Row = TypeVar("Row", bound=Model)
LONGEST_CURSOR = 1_000


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    rows: Sequence[Row]
    next_cursor: str | None


def encode(values: Sequence[Any]) -> str:
    """An opaque cursor from the last row's sort values."""
    plain = [
        {"t": value.isoformat()}
        if isinstance(value, datetime)
        else value
        if isinstance(value, int | str | None)
        else str(value)
        for value in values
    ]
    return base64.urlsafe_b64encode(json.dumps(plain).encode()).decode().rstrip("=")


def decode(cursor: str, length: int) -> list[Any]:
    """The sort values of a cursor. Raises `Invalid` (code `bad_cursor`) on anything that `encode` did not make."""
    try:
        if len(cursor) > LONGEST_CURSOR:
            raise ValueError
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(values, list) or len(values) != length:
            raise ValueError
        return [_plain(value) for value in values]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _bad_cursor() from error


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        instant = datetime.fromisoformat(value["t"])
        if instant.tzinfo is None:
            raise ValueError
        return instant
    if isinstance(value, str):
        value.encode()  # a lone surrogate would only fail in the driver
        if "\0" in value:
            raise ValueError
        return value
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63):
        return value
    raise ValueError


def _bad_cursor() -> Invalid:
    return Invalid(_("This page address is not valid."), code="bad_cursor", field="cursor")


def paginate(queryset: QuerySet[Row], *, order: Sequence[tuple[str, bool]], cursor: str | None, size: int) -> Page[Row]:
    """One page of `queryset`: at most `size` rows, and the cursor of the next page if there is one.

    `order` is (field path, descending) pairs ending in a unique field; nulls come last either way. Pages one after
    the other are the whole list: each row once, in order. Raises `Invalid` (code `bad_cursor`).
    """
    columns = [_column(queryset, path, descending) for path, descending in order]
    after = _cleaned(columns, decode(cursor, len(columns))) if cursor else None
    rows: list[Row] = []
    for part in _parts(queryset, columns, after):
        rows.extend(part[: size + 1 - len(rows)])
        if len(rows) > size:
            break
    more = len(rows) > size
    rows = rows[:size]
    return Page(rows, encode([_value(rows[-1], path) for path, _ in order]) if more else None)


def ordering(order: Sequence[tuple[str, bool]]) -> list[OrderBy]:
    """The same order for a queryset that is read whole: missing values last."""
    return [F(path).desc(nulls_last=True) if descending else F(path).asc(nulls_last=True) for path, descending in order]


@dataclass(frozen=True, slots=True)
class _Column:
    path: str
    descending: bool
    field: Field | None
    # The value may be missing: the column allows null, or the row it is read from need not exist.
    optional: bool
    nullable: bool

    @property
    def present(self) -> Q:
        return Q(**{f"{self.path}__isnull": False})

    def leading(self) -> Any:
        """How to order by it where no value is missing: as the index is declared, or exactly the other way round."""
        if self.descending:
            return F(self.path).desc(nulls_last=True if self.nullable else None)
        return F(self.path).asc(nulls_first=True if self.nullable else None)

    def following(self) -> Any:
        """How to order by it among equals, missing values last."""
        if self.descending:
            return F(self.path).desc(nulls_last=True if self.optional else None)
        return F(self.path).asc()


def _column(queryset: QuerySet[Any], path: str, descending: bool) -> _Column:
    model: Any = queryset.model
    optional = False
    field: Any = None
    try:
        for name in path.split("__"):
            field = model._meta.pk if name == "pk" else model._meta.get_field(name)
            if field.is_relation:
                model = field.related_model
                optional = optional or getattr(field, "null", False) or field.auto_created
    except FieldDoesNotExist:  # an annotation
        return _Column(path, descending, None, optional=True, nullable=True)
    nullable = bool(field.null)
    return _Column(path, descending, field, optional=optional or nullable, nullable=nullable)


def _cleaned(columns: Sequence[_Column], values: Sequence[Any]) -> list[Any]:
    """The cursor's values as the columns' own types."""
    cleaned = []
    for column, value in zip(columns, values, strict=True):
        if value is None and not column.optional:
            raise _bad_cursor()
        try:
            typed = column.field is not None and not column.field.is_relation and value is not None
            cleaned.append(column.field.to_python(value) if typed and column.field else value)
        except (ValidationError, ValueError, TypeError, OverflowError) as error:
            raise _bad_cursor() from error
    return cleaned


def _parts(queryset: QuerySet[Row], columns: Sequence[_Column], after: Sequence[Any] | None) -> Iterator[QuerySet[Row]]:
    """Statements whose rows, one after the other, are everything behind the cursor in order."""
    lead, *rest = columns
    if after is None or after[0] is not None:
        present = queryset.filter(lead.present) if lead.optional else queryset
        if after is not None:
            present = _behind(present, columns, after)
        yield present.order_by(lead.leading(), *(column.following() for column in rest))
    if lead.optional and rest:
        missing = queryset.filter(**{f"{lead.path}__isnull": True})
        yield from _parts(missing, rest, after[1:] if after is not None and after[0] is None else None)


def _behind(queryset: QuerySet[Row], columns: Sequence[_Column], after: Sequence[Any]) -> QuerySet[Row]:
    lead = columns[0]
    one_way = all(column.descending == lead.descending for column in columns)
    if one_way and not any(column.optional for column in columns[1:]):
        row = _RowOf(*(F(column.path) for column in columns))
        bound = _RowOf(*(Value(value, output_field=c.field) for c, value in zip(columns, after, strict=True)))
        return queryset.filter(_Less(row, bound) if lead.descending else _Greater(row, bound))
    edge = Q(**{f"{lead.path}__{'lte' if lead.descending else 'gte'}": after[0]})
    return queryset.filter(edge, _beyond(columns, after))


def _beyond(columns: Sequence[_Column], after: Sequence[Any]) -> Q:
    lead, *rest = columns
    value, *later = after
    if value is None:
        further: Q | None = None
        same = Q(**{f"{lead.path}__isnull": True})
    else:
        further = Q(**{f"{lead.path}__{'lt' if lead.descending else 'gt'}": value})
        if lead.optional:
            further |= Q(**{f"{lead.path}__isnull": True})
        same = Q(**{lead.path: value})
    if not rest:
        return further if further is not None else Q(pk__in=[])
    tied = same & _beyond(rest, later)
    return tied if further is None else further | tied


class _RowOf(Func):
    """`(a, b, c)`."""

    template = "(%(expressions)s)"
    output_field = BooleanField()  # never read; a row has no Django type


class _Less(Func):
    template = "%(expressions)s"
    arg_joiner = " < "
    output_field = BooleanField()


class _Greater(_Less):
    arg_joiner = " > "


def _value(row: Any, path: str) -> Any:
    for part in path.split("__"):
        row = None if row is None else getattr(row, part, None)
    return row.pk if isinstance(row, Model) else row
