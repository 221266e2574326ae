"""Statements that PostgreSQL plans once per connection, and several statements in one round trip.

Django binds values on the client and prepares nothing. A batch of facts is landed and evaluated by a dozen texts that
never change; reading and planning them again for every batch would cost more than running them.
"""

from __future__ import annotations

import functools
import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from django.db import DatabaseError, connection, transaction

# Of one connection; texts change when watches do, and when dates in them do.
_MOST = 48
_names: WeakKeyDictionary[psycopg.Connection[Any], OrderedDict[str, None]] = WeakKeyDictionary()
_SAVEPOINT = "watches"
# For statements over few rows each, whatever the tables' sizes were when they were planned. For this transaction.
BY_INDEX = ", ".join(
    f"set_config('{name}', '{value}', true)"
    for name, value in {
        "plan_cache_mode": "force_generic_plan",
        "jit": "off",
        "enable_seqscan": "off",
        "enable_hashjoin": "off",
        "enable_mergejoin": "off",
    }.items()
)


def prepared(text: str, values: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """`EXECUTE …` for a text with named placeholders, prepared if it is not yet; and its values.

    Values are instants, or texts that the statement casts. Inside a transaction, so that a pool of connections does not
    run it elsewhere.
    """
    name = _name(text)
    connection.ensure_connection()
    known = _names.setdefault(connection.connection, OrderedDict())
    if name not in known:
        types = ", ".join("timestamptz" if isinstance(value, datetime) else "text" for value in values.values())
        numbered = text % {key: f"${number}" for number, key in enumerate(values, 1)}
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"PREPARE {name}{f' ({types})' if types else ''} AS {numbered}")
            if len(known) >= _MOST:
                cursor.execute(f"DEALLOCATE {known.popitem(last=False)[0]}")
        known[name] = None
    known.move_to_end(name)
    places = ", ".join(f"%({key})s" for key in values)
    return f"EXECUTE {name}{f' ({places})' if places else ''}", dict(values)


@functools.lru_cache(maxsize=4 * _MOST)
def _name(text: str) -> str:
    return f"w{hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()}"


def fetch(
    text: str, values: Mapping[str, Any], *, after: tuple[str, Mapping[str, Any]] | None = None
) -> list[tuple[Any, ...]]:
    """Run a prepared statement and answer its rows. Values as for `prepared`. Inside a transaction.

    `after`: another one that is run before it, in the same round trip; what it answers is left.
    """
    first = f"{prepared(*after)[0]}; " if after is not None else ""
    second, named = prepared(text, values)
    with forgetting(), connection.cursor() as cursor:
        cursor.execute(first + second, {**(after[1] if after is not None else {}), **named})
        if after is not None:
            cursor.nextset()
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def read(text: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """`fetch` for a statement that only reads: also outside a transaction."""
    try:
        return fetch(text, values)
    except DatabaseError as error:
        if connection.in_atomic_block or not _taken_away(error):
            raise
        return fetch(text, values)


def run_safely(text: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Run a statement behind a savepoint of its own, in one round trip. What it raises undoes it alone."""
    with connection.cursor() as cursor:
        try:
            with forgetting():
                cursor.execute(f"SAVEPOINT {_SAVEPOINT}; {text}; RELEASE SAVEPOINT {_SAVEPOINT}", values)
        except DatabaseError:
            cursor.execute(f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}; RELEASE SAVEPOINT {_SAVEPOINT}")
            raise
        cursor.nextset()
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


@contextmanager
def forgetting() -> Iterator[None]:
    """When somebody else (a connection pool) has taken the statements of this connection away: prepare them anew."""
    try:
        yield
    except DatabaseError as error:
        if _taken_away(error):
            _names.pop(connection.connection, None)
        raise


def _taken_away(error: DatabaseError) -> bool:
    return isinstance(error.__cause__, psycopg.errors.InvalidSqlStatementName)
