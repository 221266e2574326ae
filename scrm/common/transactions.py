"""The one way to write: a transaction that tells the audit triggers who is acting.

The middleware, the task runner and the API set the actor for the duration of their work; every operation opens
`atomic()`, which hands the actor to Postgres as a transaction-local setting.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.db import connection, transaction

from scrm.common.access import SYSTEM, Actor

_actor: ContextVar[Actor] = ContextVar("actor", default=SYSTEM)


def current_actor() -> Actor:
    """The actor of this request or task; the system when nobody else is named."""
    return _actor.get()


@contextmanager
def acting_as(actor: Actor) -> Iterator[None]:
    """Everything written inside is audited as done by `actor`."""
    token = _actor.set(actor)
    try:
        yield
    finally:
        _actor.reset(token)


@contextmanager
def atomic() -> Iterator[None]:
    """A transaction, or a savepoint inside one, that is audited as done by the current actor."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('scrm.actor', %s, true)", [current_actor().ref])
        yield
