"""What a process remembers of the rules that facts are held against, and the gates that keep that memory right.

Whoever lands facts, or settles what follows from them, passes all gates shared (`enter`), for the rest of the
transaction, and so learns which rules count. Whoever changes which rules count shuts their gate (`Gate.shut`): a batch
that did not yet know of the change has then committed, and a look at everyone sees its facts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Generic, TypeVar

from django.db import connection
from django.db.backends.utils import CursorWrapper

from scrm.common import statements

K = TypeVar("K")
# By the name of the gate: which rules count, as they are.
Signatures = Mapping[str, str]
_gates: dict[str, Gate[Any]] = {}


class Gate(Generic[K]):
    """The rules of one kind as this process knows them, read again when they have changed.

    `signature` is SQL for one text that says which rows count, as they are (by `xmin`, which tells a change that was
    rolled back from one that took its place); `%(now)s` in it is the present. `read` makes what is known of a
    signature and of what was known before; what it answers is remembered unless its second part is false.
    """

    def __init__(self, name: str, *, signature: str, nothing: K, read: Callable[[str, K], tuple[K, bool]]) -> None:
        self.signature = signature
        self._name, self._nothing, self._read = name, nothing, read
        self._known: tuple[str, K] = ("", nothing)
        _gates[name] = self

    def known(self, signatures: Signatures) -> K:
        """What counts. Inside the transaction that entered."""
        signature, (last, known) = signatures[self._name], self._known
        if signature != last:
            known, keep = self._read(signature, known)
            if keep:
                self._known = (signature, known)
        return known

    def enter(self, *, now: datetime, by_index: bool = False) -> K:
        """Pass the gates and learn what counts."""
        return self.known(enter(now=now, by_index=by_index))

    def shut(self) -> None:
        """Wait until everybody who entered has committed, and keep others out until this transaction ends."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [self._name])

    def forget(self) -> None:
        """Drop what this process remembers: after the tables were emptied, as between tests."""
        self._known = ("", self._nothing)


def enter(*, now: datetime, by_index: bool = False) -> Signatures:
    """Pass all gates, in the order of their names, for the rest of the transaction.

    `by_index`: what follows is about few rows each and is to be planned for that (`statements.BY_INDEX`).
    """
    text, values = entering(now=now, by_index=by_index)
    with statements.forgetting(), connection.cursor() as cursor:
        cursor.execute(text, values)
        return entered(cursor)


def entering(*, now: datetime, by_index: bool = False) -> tuple[str, dict[str, Any]]:
    """The statements of `enter`, to be sent behind others in one round trip, and their values. Inside a transaction.

    Two, so that the second sees what was changed while the first waited.
    """
    names = sorted(_gates)
    first = [f"pg_advisory_xact_lock_shared(hashtext('{name}'))" for name in names]
    if by_index:
        first.append(statements.BY_INDEX)
    passed, _ = statements.prepared(f"SELECT {', '.join(first)}", {})
    signatures = ", ".join(f"({_gates[name].signature})" for name in names)
    signed, values = statements.prepared(f"SELECT {signatures}", {"now": now})
    return f"{passed}; {signed}", values


def entered(cursor: CursorWrapper) -> Signatures:
    """What `entering` answered: the cursor is at the first of its results."""
    cursor.nextset()
    found = cursor.fetchone()
    return {name: signature or "" for name, signature in zip(sorted(_gates), found or (), strict=True)}


def forget(**_: Any) -> None:
    """Drop what this process remembers of every kind."""
    for gate in _gates.values():
        gate.forget()
