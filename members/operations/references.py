"""Ids of the small things that facts name by key: sources, event types, stores, staff, products.

Sources, types and products are made when first named. Their ids never change and rows are never deleted, so each
process remembers them, but only from transactions that committed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import connection, transaction

from members.operations import columns

_sources: dict[str, int] = {}
_types: dict[str, int] = {}
# A shop with endless invented event types must not fill the memory of every process.
_REMEMBERED = 10_000


def forget(**_: Any) -> None:
    """Drop what this process remembers: after the tables were emptied, as between tests."""
    _sources.clear()
    _types.clear()


def source_ids(keys: Iterable[str]) -> dict[str, int]:
    """The id of every source, made when new. Inside a transaction."""
    return _ids(_sources, "members_source (key, name, currency)", "key, '', 'CNY'", set(keys))


def type_ids(keys: Iterable[str]) -> dict[str, int]:
    """The id of every event type, made when new. Inside a transaction."""
    return _ids(_types, "members_eventtype (key, name, icon)", "key, '', ''", set(keys))


def _ids(remembered: dict[str, int], target: str, values: str, keys: set[str]) -> dict[str, int]:
    known = {key: remembered[key] for key in keys if key in remembered}
    missing = sorted(keys - known.keys())
    if not missing:
        return known
    table = target.split()[0]
    with connection.cursor() as cursor:
        found = _select(cursor, table, "key", missing)
        new = [key for key in missing if key not in found]
        if new:
            # In key order, so that two batches with the same new keys wait for each other instead of deadlocking.
            cursor.execute(
                f"INSERT INTO {target} SELECT {values} FROM unnest({columns.TEXTS}) WITH ORDINALITY AS t (key, n) "
                "ORDER BY n ON CONFLICT DO NOTHING",
                [columns.texts(new)],
            )
            found |= _select(cursor, table, "key", new)

    def remember() -> None:
        if len(remembered) < _REMEMBERED:
            remembered.update(found)

    transaction.on_commit(remember)
    return known | found


def _select(cursor: Any, table: str, column: str, keys: Iterable[str]) -> dict[str, int]:
    cursor.execute(
        f"SELECT {column}, id FROM {table} WHERE {column} = ANY({columns.TEXTS})",
        [columns.texts(keys)],
    )
    return dict(cursor.fetchall())


def store_ids(codes: Iterable[str]) -> dict[str, int]:
    """The ids of the stores that exist among the codes."""
    wanted = sorted(set(codes))
    if not wanted:
        return {}
    with connection.cursor() as cursor:
        return _select(cursor, "members_store", "code", wanted)


def staff_ids(numbers: Iterable[str]) -> dict[str, int]:
    """The ids of the staff that exist among the numbers."""
    wanted = sorted(set(numbers))
    if not wanted:
        return {}
    with connection.cursor() as cursor:
        return _select(cursor, "members_staff", "number", wanted)


def product_ids(named: Mapping[str, tuple[str, str]]) -> dict[str, int]:
    """The id of every product, by SKU; new ones get the (name, category) given. Inside a transaction."""
    if not named:
        return {}
    skus = sorted(named)
    with connection.cursor() as cursor:
        found = _select(cursor, "members_product", "sku", skus)
        new = [sku for sku in skus if sku not in found]
        if new:
            cursor.execute(
                f"""
                INSERT INTO members_product (sku, name, category)
                SELECT sku, COALESCE(name, ''), COALESCE(category, '')
                FROM unnest({columns.TEXTS}, {columns.TEXTS}, {columns.TEXTS})
                     WITH ORDINALITY AS t (sku, name, category, n)
                ORDER BY n ON CONFLICT DO NOTHING
                """,
                [
                    columns.texts(new),
                    columns.texts(named[sku][0] for sku in new),
                    columns.texts(named[sku][1] for sku in new),
                ],
            )
            found |= _select(cursor, "members_product", "sku", new)
    return found


def currencies(source_ids: Iterable[int]) -> dict[int, str]:
    """What each source's amounts are counted in."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, currency FROM members_source WHERE id = ANY(%s::bigint[])",
            [columns.integers(source_ids)],
        )
        return dict(cursor.fetchall())
