"""One call of the ledger's functions: what is checked before, what it answers, what its refusals are called."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple

from django.db import DatabaseError, connection, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from members.rules import points as rules
from scrm.common import gates, reactions, statements
from scrm.common.errors import Conflict, DomainError, Invalid, NotFound
from scrm.common.reactions import Facts
from scrm.common.transactions import atomic, current_actor

LONGEST_REFERENCE = 120
LONGEST_SOURCE = 80
_NOT_STORABLE = re.compile("[\x00\ud800-\udfff]")  # NUL, and half of a surrogate pair
LONGEST_REASON = 200


class Movement(NamedTuple):
    """What a call booked, and the balances after it. `number` is None when nothing was there to book."""

    number: int | None
    duplicate: bool
    booked: int
    pending: int
    available: int
    held: int

    @property
    def arrears(self) -> int:
        return max(-self.available, 0)


class NotEnough(Conflict):
    """`available` says how many there are."""

    code = "not_enough_points"


class InArrears(Conflict):
    """Nothing can be spent until `arrears` points have been earned."""

    code = "in_arrears"


# SQLSTATEs of the ledger's functions: what is raised, its code, what the database's DETAIL says, the words.
_REFUSALS: dict[str, tuple[type[DomainError], str | None, str, Any]] = {
    "LP001": (NotEnough, None, "available", gettext_lazy("There are not enough points.")),
    "LP002": (InArrears, None, "arrears", gettext_lazy("The member is in arrears; nothing can be spent.")),
    "LP003": (
        Conflict, "reference_reused", "amount", gettext_lazy("This reference was used for something else."),
    ),
    "LP004": (NotFound, "unknown_hold", "", gettext_lazy("There is no such hold.")),
    "LP005": (Conflict, "hold_resolved", "state", gettext_lazy("The hold is resolved already.")),
    "LP006": (Invalid, "above_hold", "held", gettext_lazy("That is more than was held.")),
    "LP007": (Invalid, "above_original", "left", gettext_lazy("That is more than can be given back.")),
    "LP008": (NotFound, "unknown_spending", "", gettext_lazy("Nothing was spent under this reference.")),
    "LP009": (Conflict, "not_spendable", "", gettext_lazy("These points cannot be spent.")),
    "LP010": (Invalid, "amount_out_of_range", "", gettext_lazy("An amount is 1 to 1,000,000,000,000.")),
    "LP011": (NotFound, "unknown_member", "", gettext_lazy("There is no such member.")),
    "LP012": (Conflict, "balance_out_of_range", "", gettext_lazy("No balance goes beyond 1,000,000,000,000,000.")),
    "LP013": (Conflict, "account_moved", "", gettext_lazy("These points were moved to another member.")),
    "LP014": (Conflict, "same_hold", "", gettext_lazy("Both members have a purchase of the same reference.")),
    "LP015": (Conflict, "undone_already", "", gettext_lazy("This was undone already.")),
    "LP016": (Conflict, "too_late", "", gettext_lazy("It can be undone for 30 days.")),
    "LP017": (NotFound, "unknown_move", "", gettext_lazy("There is no such move.")),
    "LP018": (
        Conflict, "member_inactive", "",
        gettext_lazy("The member to whom these points would go back is not active."),
    ),
}  # fmt: skip


# Who acts, and that commits need not wait for the disk (`durable`).
_OPENING = "SELECT set_config('scrm.actor', %(actor)s, true), set_config('synchronous_commit', 'off', true)"
# Whoever works out what hangs on a balance holds the member, and before the account (`summaries.hold`).
_HOLD = "SELECT 1 FROM members_membersummary WHERE member_id = %(member)s FOR NO KEY UPDATE"
# Everything up to here is written out: the fourth argument.
_CLOSING = "COMMIT; SELECT pg_logical_emit_message(false, 'scrm', '', true)"


class Stale(Exception):
    """What the call was worked out from has changed meanwhile; nothing was booked."""


def call(function: str, values: Mapping[str, Any], member_id: int, currency: str, now: datetime) -> Movement:
    """Run one function of the ledger (what stands behind FROM, called m) and what follows it, as one transaction.

    In three round trips: beginning; everything; committing. Raises `Stale` when it answers no row.
    """
    with refusing(), durable(opened=False) as opening:
        passing, more = gates.entering(now=now, by_index=True)
        text = f"{opening}{_HOLD}; SELECT m.* FROM {function}; {passing}"
        with statements.forgetting(), connection.cursor() as cursor:
            cursor.execute(text, {**values, **more, "actor": current_actor().ref})
            if opening:
                cursor.nextset()
            cursor.nextset()
            found = cursor.fetchone()
            if found is None:
                raise Stale
            movement = Movement(*found)
            cursor.nextset()
            signatures = gates.entered(cursor)
        if not movement.duplicate and movement.number is not None:
            facts = Facts(now=now, member_ids=[member_id], topics=frozenset({topic(currency)}))
            reactions.run(facts, signatures)
    return movement


@contextmanager
def durable(*, opened: bool = True) -> Iterator[str]:
    """A transaction that lets go of its locks before it is on disk, and returns when it is.

    Whoever waits for the account need not wait for the disk as well, so that one account takes thousands of movements
    a second. They cannot overtake: the log is written in order, so what builds on this is never on disk without it.
    Inside another transaction it is part of that one. `opened=False`: the caller sends what it yields before its first
    statement, with the value `actor`.
    """
    if connection.in_atomic_block:
        with atomic():
            yield ""
        return
    with transaction.atomic():
        if opened:
            with connection.cursor() as cursor:
                cursor.execute(_OPENING, {"actor": current_actor().ref})
        yield f"{_OPENING}; "
        if not connection.needs_rollback:
            with connection.cursor() as cursor:
                # Django's own commit then finds nothing to do.
                cursor.execute(_CLOSING)


@contextmanager
def refusing() -> Iterator[None]:
    """The refusals of the ledger's functions as typed failures."""
    try:
        yield
    except DatabaseError as error:
        refusal = _REFUSALS.get(getattr(error.__cause__, "sqlstate", None) or "")
        if refusal is None:
            raise
        kind, code, named, message = refusal
        said = getattr(getattr(error.__cause__, "diag", None), "message_detail", None)
        detail = {named: int(said) if said.lstrip("-").isdigit() else said} if named and said else {}
        raise kind(message, code=code, **detail) from error


def check(amount: int, reference: str, reason: str, source: str = "") -> None:
    """Refuse what the ledger would not take. Raises `Invalid`."""
    if not 1 <= amount <= rules.LARGEST_AMOUNT:
        raise Invalid(_REFUSALS["LP010"][3], code="amount_out_of_range", field="amount")
    if not 1 <= len(reference) <= LONGEST_REFERENCE or not reference.isprintable():
        raise Invalid(_("A reference is 1 to 120 printable characters."), code="bad_reference", field="reference")
    if len(source) > LONGEST_SOURCE or not source.isprintable():
        raise Invalid(_("A source is up to 80 printable characters."), code="bad_source", field="source")
    if len(reason) > LONGEST_REASON or not _storable(reason):
        raise Invalid(_("A reason is at most 200 characters."), code="bad_reason", field="reason")


def as_json(detail: Mapping[str, Any] | None) -> str:
    """How an amount came about, as JSON. Raises `Invalid` for what JSON in the database cannot say."""
    try:
        text = json.dumps(detail or {}, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise Invalid(_("This cannot be stored."), code="bad_detail", field="detail") from error
    if "\\u0000" in text or not _storable(text):
        raise Invalid(_("This cannot be stored."), code="bad_detail", field="detail")
    return text


def topic(currency: str) -> str:
    """What conditions that hang on a balance of this currency hang on."""
    return f"points:{currency}"


def _storable(text: str) -> bool:
    """Whether the database takes it."""
    return _NOT_STORABLE.search(text) is None
