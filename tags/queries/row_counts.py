"""How many members fulfil each of several conditions, within a time that somebody who is typing can wait."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime

from django.db import OperationalError, connection, transaction
from psycopg.errors import QueryCanceled

from scrm.common.access import Actor
from scrm.common.conditions import Node
from scrm.common.errors import DomainError
from tags.queries import audiences

SLOW = "slow"


def counts(nodes: Sequence[Node | None], *, actor: Actor, as_of: datetime, patience_ms: int) -> list[int | str | None]:
    """For each condition how many active members that the actor sees fulfil it.

    `SLOW` for what cannot be counted in what is left of `patience_ms`; None for None, and for a condition that
    cannot be used (it names a segment that is broken).
    """
    ends_at = time.monotonic() + patience_ms / 1000
    return [None if node is None else _count(node, actor, as_of, ends_at) for node in nodes]


def _count(node: Node, actor: Actor, as_of: datetime, ends_at: float) -> int | str | None:
    left_ms = int((ends_at - time.monotonic()) * 1000)
    if left_ms <= 0:
        return SLOW
    try:
        with transaction.atomic(), connection.cursor() as settings:
            settings.execute("SELECT set_config('statement_timeout', %s, true)", [str(left_ms)])
            found = audiences.count(node, as_of=as_of, actor=actor)
            settings.execute("SET LOCAL statement_timeout TO DEFAULT")
            return found
    except OperationalError as error:
        if not isinstance(error.__cause__, QueryCanceled):
            raise
        return SLOW
    except DomainError:
        return None
