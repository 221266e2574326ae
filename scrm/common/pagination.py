"""Keyset pages: the cost of page 5,000 is that of page 1, and rows that arrive meanwhile move nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from django.db.models import F, Model, Q, QuerySet
from django.utils.translation import gettext as _

from scrm.common.errors import Invalid

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    rows: Sequence[Row]
    next_cursor: str | None


def encode(values: Sequence[Any]) -> str:
    """An opaque cursor from the last row's sort values."""
    plain = [
        {"t": v.isoformat()} if isinstance(v, datetime) else v if isinstance(v, int | str | None) else str(v)
        for v in values
    ]
    return base64.urlsafe_b64encode(json.dumps(plain).encode()).decode().rstrip("=")


def decode(cursor: str, length: int) -> list[Any]:
    """The sort values of a cursor. Raises `Invalid` (code `bad_cursor`) on anything that `encode` did not make."""
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(values, list) or len(values) != length:
            raise ValueError
        return [datetime.fromisoformat(v["t"]) if isinstance(v, dict) else v for v in values]
    except (ValueError, KeyError, TypeError) as error:
        raise Invalid(_("This page address is not valid."), code="bad_cursor", field="cursor") from error


def _value(row: Any, path: str) -> Any:
    for part in path.split("__"):
        row = None if row is None else getattr(row, part)
    return row


def paginate(
    queryset: QuerySet[Row], *, order: Sequence[tuple[str, bool]], cursor: str | None, size: int
) -> Page[Row]:
    """One page of `queryset`.

    `order` is (field path, descending) pairs ending in a unique field; nulls come last. The condition is written so
    that Postgres can walk an index in that order.
    """
    queryset = queryset.order_by(*(_ordering(path, descending) for path, descending in order))
    if cursor:
        queryset = queryset.filter(_after(order, decode(cursor, len(order))))
    rows = list(queryset[: size + 1])
    more = len(rows) > size
    rows = rows[:size]
    return Page(rows, encode([_value(rows[-1], path) for path, _ in order]) if more else None)


def _ordering(path: str, descending: bool) -> Any:
    return F(path).desc(nulls_last=True) if descending else F(path).asc(nulls_last=True)


def _after(order: Sequence[tuple[str, bool]], values: Sequence[Any]) -> Q:
    (path, descending), *rest = order
    value, *later = values
    if value is None:
        beyond: Q | None = None
        same = Q(**{f"{path}__isnull": True})
    else:
        beyond = Q(**{f"{path}__{'lt' if descending else 'gt'}": value}) | Q(**{f"{path}__isnull": True})
        same = Q(**{path: value})
    if not rest:
        return beyond if beyond is not None else Q(pk__in=[])
    tied = same & _after(rest, later)
    return tied if beyond is None else beyond | tied
