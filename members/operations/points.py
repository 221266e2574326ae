"""The ledger of points: earn, spend, hold, post, void, refund, reverse, adjust.

Each call is one transaction and one call of a database function (`members/migrations/0012_points_functions.py`), which
holds the account, books what time has brought, checks, and writes entries, lots and balances together. The same kind
and `reference` is booked once: called again it answers the first booking, with another amount it is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from members.models import PointsCurrency
from members.operations import columns, currencies
from members.operations.points_calls import (
    LONGEST_REASON,
    LONGEST_REFERENCE,
    InArrears,
    Movement,
    NotEnough,
    Stale,
    as_json,
    call,
    check,
    durable,
    refusing,
    topic,
)
from members.rules import points as rules
from scrm.common import clock, reactions
from scrm.common.errors import Invalid
from scrm.common.reactions import Facts

__all__ = [
    "LONGEST_REASON",
    "LONGEST_REFERENCE",
    "Credit",
    "InArrears",
    "Movement",
    "NotEnough",
    "adjust",
    "check",
    "credit_many",
    "durable",
    "earn",
    "earn_many",
    "hold",
    "post",
    "refund",
    "refusing",
    "reverse",
    "spend",
    "topic",
    "void",
]


# Only by the policy from which the instants were worked out; the function waits for what is looked up.
_EARN = """members_pointscurrency c CROSS JOIN LATERAL points_earn(
    %(member)s, c.id, %(amount)s, %(kind)s, %(reference)s, %(source)s, %(occurred)s, %(activates)s, %(expires)s,
    %(reason)s, %(detail)s, %(now)s
) m WHERE c.id = %(currency)s AND c.xmin::text = %(version)s"""
_SPEND = """points_spend(
    %(member)s, %(currency)s, %(amount)s, %(kind)s, %(reference)s, %(source)s, %(reason)s, %(detail)s, %(now)s) m"""
_HOLD = """points_hold(
    %(member)s, %(currency)s, %(amount)s, %(reference)s, %(source)s, %(expires)s, %(reason)s, %(now)s) m"""
_RESOLVE = "points_resolve(%(member)s, %(currency)s, %(reference)s, %(amount)s, %(reason)s, %(detail)s, %(now)s) m"
_REFUND = """points_refund(
    %(member)s, %(currency)s, %(spent)s, %(amount)s, %(reference)s, %(reason)s, %(detail)s, %(now)s) m"""
_REVERSE = """points_reverse(
    %(member)s, %(currency)s, %(source)s, %(amount)s, %(reference)s, %(reason)s, %(detail)s, %(occurred)s, %(now)s) m"""


@dataclass(frozen=True, slots=True)
class Credit:
    """One member's share of a bulk credit. `detail` explains the amount; times as in `earn`."""

    member_id: int
    amount: int
    reference: str
    source: str = ""
    occurred_at: datetime | None = None
    detail: Mapping[str, Any] | None = None


def earn(
    *,
    member_id: int,
    currency: str = currencies.POINTS,
    amount: int,
    reference: str,
    source: str = "",
    occurred_at: datetime | None = None,
    expires_at: datetime | None = None,
    reason: str = "",
    detail: Mapping[str, Any] | None = None,
    now: datetime,
) -> Movement:
    """Credit points. They become available and expire by the currency's policy, counted from `occurred_at` (now).

    `expires_at` overrides the policy. `source` names what earned them ("order:<id>"), for `reverse`. Arrears are
    repaid first. Raises `Invalid` (`amount_out_of_range`, `in_future` …), `Conflict` (`reference_reused`), `NotFound`.
    """
    return _credit("earn", member_id, currency, amount, reference, source, occurred_at, expires_at, reason, detail, now)


def spend(
    *,
    member_id: int,
    currency: str = currencies.POINTS,
    amount: int,
    reference: str,
    source: str = "",
    reason: str = "",
    detail: Mapping[str, Any] | None = None,
    now: datetime,
) -> Movement:
    """Spend points at once, what expires first first.

    Raises `NotEnough`, `InArrears`, `Conflict` (`reference_reused`, `not_spendable`), `Invalid`, `NotFound`.
    """
    check(amount, reference, reason, source)
    return call(
        _SPEND,
        {
            **_what(member_id, currency, amount, reference, reason, detail, now),
            "kind": "spend", "source": source,
        },
        member_id, currency, now,
    )  # fmt: skip


def hold(
    *,
    member_id: int,
    currency: str = currencies.POINTS,
    amount: int,
    reference: str,
    source: str = "",
    reason: str = "",
    minutes: int | None = None,
    now: datetime,
) -> Movement:
    """Set points aside for a purchase; they are released by themselves after `minutes` (the currency's own).

    Raises as `spend` does.
    """
    check(amount, reference, reason, source)
    if minutes is None:
        minutes = currencies.get(currency).hold_minutes
    if not 1 <= minutes <= 525_600:
        raise Invalid(_("A hold lasts 1 minute to 1 year."), code="out_of_range", field="minutes")
    return call(
        _HOLD,
        {
            **_what(member_id, currency, amount, reference, reason, None, now),
            "source": source, "expires": now + timedelta(minutes=minutes),
        },
        member_id, currency, now,
    )  # fmt: skip


def post(
    *,
    member_id: int,
    currency: str = currencies.POINTS,
    reference: str,
    amount: int,
    reason: str = "",
    detail: Mapping[str, Any] | None = None,
    now: datetime,
) -> Movement:
    """Spend `amount` of what the hold of this reference set aside, and release the rest.

    Raises `NotFound` (`unknown_hold`), `Conflict` (`hold_resolved`), `Invalid` (`above_hold`).
    """
    check(amount, reference, reason)
    return _resolve(member_id, currency, reference, amount, reason, detail, now)


def void(
    *, member_id: int, currency: str = currencies.POINTS, reference: str, reason: str = "", now: datetime
) -> Movement:
    """Release a hold. Raises `NotFound` (`unknown_hold`), `Conflict` (`hold_resolved`) when it was posted."""
    check(1, reference, reason)
    return _resolve(member_id, currency, reference, 0, reason, None, now)


def refund(
    *,
    member_id: int,
    currency: str = currencies.POINTS,
    spent: str,
    amount: int,
    reference: str,
    reason: str = "",
    detail: Mapping[str, Any] | None = None,
    now: datetime,
) -> Movement:
    """Give back points that were spent under the reference `spent`, into the lots they came from.

    Lots keep their expiry; what has expired meanwhile can be spent for the currency's days of grace, or lapses when
    there are none. Raises `NotFound` (`unknown_spending`), `Invalid` (`above_original`), `Conflict`.
    """
    check(amount, reference, reason)
    return call(
        _REFUND,
        {**_what(member_id, currency, amount, reference, reason, detail, now), "spent": spent},
        member_id, currency, now,
    )  # fmt: skip


def reverse(
    *,
    member_id: int,
    currency: str = currencies.POINTS,
    source: str,
    amount: int,
    reference: str,
    reason: str = "",
    detail: Mapping[str, Any] | None = None,
    occurred_at: datetime | None = None,
    now: datetime,
) -> Movement:
    """Take back what a source has earned: pending points first, then what is left of its own lots, then by the
    currency's policy other points, then into arrears. `booked` says how much was taken back.

    Raises `Invalid` (`above_original`) for more than the source has earned and not given back yet.
    """
    check(amount, reference, reason, source)
    return call(
        _REVERSE,
        {
            **_what(member_id, currency, amount, reference, reason, detail, now),
            "source": source, "occurred": occurred_at or now,
        },
        member_id, currency, now,
    )  # fmt: skip


def adjust(
    *,
    member_id: int,
    currency: str = currencies.POINTS,
    amount: int,
    reference: str,
    reason: str,
    detail: Mapping[str, Any] | None = None,
    now: datetime,
) -> Movement:
    """Correct a balance by hand: `amount` above 0 credits, below 0 takes away what is available.

    Raises `Invalid` (`reason_missing`), and as `earn` and `spend` do.
    """
    if not reason.strip():
        raise Invalid(_("Say why."), code="reason_missing", field="reason")
    if amount >= 0:
        return _credit("adjust", member_id, currency, amount, reference, "", None, None, reason, detail, now)
    check(-amount, reference, reason)
    return call(
        _SPEND,
        {**_what(member_id, currency, -amount, reference, reason, detail, now), "kind": "adjust", "source": ""},
        member_id, currency, now,
    )  # fmt: skip


def earn_many(
    *, currency: str = currencies.POINTS, credits: Sequence[Credit], reason: str = "", now: datetime
) -> dict[int, bool]:
    """Credit many members at once, each at most once per call.

    Answers by member whether it was booked (True) or had been before, whatever the amount (False); members that are
    unknown, merged or erased are left out. One statement for all. Raises `Invalid` as `earn` does, and `member_twice`.
    """
    if not credits:
        return {}
    with refusing(), durable():
        answer = credit_many(currency=currency, credits=credits, reason=reason, now=now)
        touched = [member_id for member_id, booked in answer.items() if booked]
        reactions.run(Facts(now=now, member_ids=touched, topics=frozenset({topic(currency)})))
    return answer


def credit_many(*, currency: str, credits: Sequence[Credit], reason: str = "", now: datetime) -> dict[int, bool]:
    """`earn_many` without what follows from it: inside `durable`, `refusing`, and the caller runs the reactions."""
    ordered = sorted(credits, key=lambda credit: credit.member_id)
    kind = currencies.get(currency)
    if any(one.member_id == other.member_id for one, other in pairwise(ordered)):
        raise Invalid(_("One credit a member and call."), code="member_twice", field="credits")
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT earning_member, was_known FROM points_earn_many(
                %(currency)s, 'earn', %(member_ids)s::bigint[], %(amounts)s::bigint[], {columns.named("references")},
                {columns.named("sources")}, %(occurred)s::timestamptz[], %(activates)s::timestamptz[],
                %(expires)s::timestamptz[], {columns.named("details")}, %(reason)s, %(now)s)
            """,
            {"currency": kind.pk, "reason": reason, "now": now, **columns_of(kind, ordered, reason=reason, now=now)},
        )
        return {member_id: not known for member_id, known in cursor.fetchall()}


def columns_of(kind: PointsCurrency, credits: Sequence[Credit], *, reason: str = "", now: datetime) -> dict[str, str]:
    """Credits of one currency as columns for a statement, with when they become available and expire by its policy.

    Raises `Invalid` as `earn` does.
    """
    policy, zone = currencies.policy(kind), clock.shop_zone()
    for credit in credits:
        check(credit.amount, credit.reference, reason, credit.source)
    occurred = [credit.occurred_at or now for credit in credits]
    if max(occurred) > now:
        raise Invalid(_("This is still to come."), code="in_future", field="occurred_at")
    activates = [rules.activation(policy, at) for at in occurred]
    expires = [rules.expiry(policy, at, zone) for at in occurred]
    if any(end is not None and end <= start for start, end in zip(activates, expires, strict=True)):
        raise Invalid(_("They would expire before they could be spent."), code="expires_early", field="expires_at")
    return {
        "member_ids": columns.integers(credit.member_id for credit in credits),
        "amounts": columns.integers(credit.amount for credit in credits),
        "references": columns.texts(credit.reference for credit in credits),
        "sources": columns.texts(credit.source for credit in credits),
        "occurred": columns.instants(occurred),
        "activates": columns.instants(activates),
        "expires": columns.instants(expires),
        "details": columns.texts(as_json(credit.detail) for credit in credits),
    }


def _credit(
    kind: str,
    member_id: int,
    currency: str,
    amount: int,
    reference: str,
    source: str,
    occurred_at: datetime | None,
    expires_at: datetime | None,
    reason: str,
    detail: Mapping[str, Any] | None,
    now: datetime,
) -> Movement:
    check(amount, reference, reason, source)
    at = occurred_at or now
    if at > now:
        raise Invalid(_("This is still to come."), code="in_future", field="occurred_at")
    values = _what(member_id, currency, amount, reference, reason, detail, now)
    values |= {"kind": kind, "source": source, "occurred": at}
    while True:
        found, version = currencies.remembered(currency)
        policy = currencies.policy(found)
        ends = expires_at or rules.expiry(policy, at, clock.shop_zone())
        activates = rules.activation(policy, at)
        try:
            if ends is not None and ends <= activates:
                raise Invalid(
                    _("They would expire before they could be spent."), code="expires_early", field="expires_at"
                )
            more = {"activates": activates, "expires": ends, "version": version}
            return call(_EARN, values | more, member_id, currency, now)
        except Stale:
            currencies.forget(currency)


def _resolve(
    member_id: int,
    currency: str,
    reference: str,
    amount: int,
    reason: str,
    detail: Mapping[str, Any] | None,
    now: datetime,
) -> Movement:
    values = _what(member_id, currency, amount, reference, reason, detail, now)
    return call(_RESOLVE, values, member_id, currency, now)


def _what(
    member_id: int,
    currency: str,
    amount: int,
    reference: str,
    reason: str,
    detail: Mapping[str, Any] | None,
    now: datetime,
) -> dict[str, Any]:
    """The values that every function of the ledger takes."""
    return {
        "member": member_id, "currency": currencies.currency_id(currency), "amount": amount, "reference": reference,
        "reason": reason, "detail": as_json(detail), "now": now,
    }  # fmt: skip
