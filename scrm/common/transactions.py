"""The one way to write: a transaction that tells the audit triggers who is acting.

The middleware, the task runner and the API set the actor for the duration of their work; every operation opens
`atomic()`, which hands the actor to Postgres as a transaction-local setting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

import psycopg.errors
from django.db import OperationalError, connection, transaction

from scrm.common.access import SYSTEM, Actor
from scrm.common.statements import BY_INDEX

Result = TypeVar("Result")
_ATTEMPTS = 3
_TRY_AGAIN = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)
_actor: ContextVar[Actor] = ContextVar("actor", default=SYSTEM)


class _Told:
    """Whom the outermost transaction has named to Postgres; None once another one was named inside it."""

    def __init__(self, ref: str) -> None:
        self.ref: str | None = ref


_told: ContextVar[_Told | None] = ContextVar("told", default=None)


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
def atomic(*, savepoint: bool = True, by_index: bool = False) -> Iterator[None]:
    """A transaction, or a savepoint inside one, that is audited as done by the current actor.

    `savepoint=False`: inside a transaction be a part of it; what is raised ends it as a whole. `by_index`: its
    statements are about few rows each and are to be planned for that (`statements.BY_INDEX`).
    """
    ref, told = current_actor().ref, _told.get()
    with transaction.atomic(savepoint=savepoint):
        # What the outermost has said holds for all of it, whatever is rolled back inside.
        if told is None or told.ref != ref or by_index:
            with connection.cursor() as cursor:
                more = f", {BY_INDEX}" if by_index else ""
                cursor.execute(f"SELECT set_config('scrm.actor', %s, true){more}", [ref])
        if told is not None:
            if told.ref != ref:
                told.ref = None
            yield
            return
        token = _told.set(_Told(ref))
        try:
            yield
        finally:
            _told.reset(token)


def given_up(error: BaseException) -> bool:
    """Whether Postgres ended the transaction in favour of another one: nothing was written, trying again may do."""
    return isinstance(error.__cause__, psycopg.errors.DeadlockDetected | psycopg.errors.SerializationFailure)


def retrying(work: Callable[[], Result]) -> Result:
    """Do `work`; when Postgres ended its transaction to resolve a deadlock or a conflict, again, up to three times.

    Locks are taken in one order, so this is rare; but another program, or an administrator's statement, may hold some.
    Inside a transaction nothing can be repeated, and `work` is done once.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return work()
        except OperationalError as error:
            if not given_up(error) or attempt == _ATTEMPTS or connection.in_atomic_block:
                raise
    raise AssertionError("unreachable")
