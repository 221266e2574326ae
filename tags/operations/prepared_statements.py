"""Statements that PostgreSQL plans once per connection, and several statements in one round trip.

Django binds values on the client and prepares nothing; for a text of many kilobytes that is run for every batch of
facts, parsing and planning would cost ten times as much as running it.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from django.db import DatabaseError, connection, transaction

# Of one connection; texts change when watches do, and when dates in them do.
_MOST = 24
_names: WeakKeyDictionary[psycopg.Connection[Any], OrderedDict[str, None]] = WeakKeyDictionary()
_SAVEPOINT = "watches"


def prepared(text: str, values: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """`EXECUTE …` for a text with named placeholders, prepared if it is not yet; and its values.

    Values are instants, or texts that the statement casts. Inside a transaction.
    """
    name = f"w{hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()}"
    connection.ensure_connection()
    known = _names.setdefault(connection.connection, OrderedDict())
    if name not in known:
        types = ", ".join("timestamptz" if isinstance(value, datetime) else "text" for value in values.values())
        numbered = text % {key: f"${number}" for number, key in enumerate(values, 1)}
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"PREPARE {name} ({types}) AS {numbered}")
            if len(known) >= _MOST:
                cursor.execute(f"DEALLOCATE {known.popitem(last=False)[0]}")
        known[name] = None
    known.move_to_end(name)
    places = ", ".join(f"%({key})s" for key in values)
    return f"EXECUTE {name} ({places})", dict(values)


def run_safely(text: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Run a statement behind a savepoint of its own, in one round trip. What it raises undoes it alone."""
    with connection.cursor() as cursor:
        try:
            cursor.execute(f"SAVEPOINT {_SAVEPOINT}; {text}; RELEASE SAVEPOINT {_SAVEPOINT}", values)
        except DatabaseError as error:
            if isinstance(error.__cause__, psycopg.errors.InvalidSqlStatementName):
                forget()
            cursor.execute(f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}; RELEASE SAVEPOINT {_SAVEPOINT}")
            raise
        cursor.nextset()
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def forget() -> None:
    """Somebody else (a connection pool) has taken the statements of this connection away: prepare them anew."""
    _names.pop(connection.connection, None)
