"""Granting points to many members at once: a background job in chunks, each member once a grant.

The grant's key is the reference of every booking, so that a chunk that is repeated after a crash books nothing twice.
Two chunks are at work at once: booking one keeps a core of the database busy.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _
from pyroaring import BitMap

from members.models import Member
from members.operations import columns, currencies, holders, summaries
from members.operations.points_calls import as_json, check, refusing, topic
from members.rules import points as rules
from scrm.common import clock, jobs, reactions
from scrm.common.access import Actor
from scrm.common.errors import Invalid
from scrm.common.jobs import Progress
from scrm.common.lanes import in_lanes
from scrm.common.models import Job
from scrm.common.reactions import Facts
from scrm.common.transactions import atomic, retrying

KIND = "points_grant"
CHUNK, LANES = 20_000, 2
_PREFIX = "grant:"


def start(
    *,
    grant: str,
    amount: int,
    currency: str = currencies.POINTS,
    member_ids: Collection[int] | None = None,
    reason: str = "",
    actor: Actor,
    now: datetime,
) -> Job:
    """Queue a grant of `amount` points to these members, or to everybody who is active.

    `grant` is a business key of up to 114 characters: whoever has had it is passed over, also by another job. Points
    become available and expire by the currency's policy, counted from `now`. Raises `Invalid`, `NotFound`.
    """
    check(amount, f"{_PREFIX}{grant}", reason)
    if not grant:
        raise Invalid(_("A reference is 1 to 120 printable characters."), code="bad_reference", field="grant")
    policy = currencies.policy(currencies.get(currency))
    expires = rules.expiry(policy, now, clock.shop_zone())
    if expires is not None and expires <= rules.activation(policy, now):
        raise Invalid(_("They would expire before they could be spent."), code="expires_early", field="currency")
    total = Member.objects.filter(status="active").count() if member_ids is None else len(set(member_ids))
    return jobs.create(
        kind=KIND,
        label=_("Grant points"),
        params={
            "grant": grant,
            "amount": amount,
            "currency": currency,
            "members": None if member_ids is None else _packed(member_ids),
            "reason": reason,
            "occurred_at": now.isoformat(),
        },
        actor=actor,
        total=total,
    )


def run(*, params: dict[str, Any], progress: Progress) -> None:
    """Grant in chunks, each one transaction; continues after the last chunk that was reported.

    Counts how many were `granted`, had been granted before (`known`), and were `skipped` because they are not active.
    A member whose ledger was moved is granted where it is now; two members of one ledger are granted once.
    """
    kind = currencies.get(params["currency"])
    policy, at = currencies.policy(kind), datetime.fromisoformat(params["occurred_at"])
    values = {
        "currency": kind.pk,
        "amount": params["amount"],
        "reference": f"{_PREFIX}{params['grant']}",
        "occurred": at,
        "activates": rules.activation(policy, at),
        "expires": rules.expiry(policy, at, clock.shop_zone()),
        "reason": params["reason"],
    }
    checkpoint = progress.checkpoint or {"after": 0, "done": 0, "counts": {"granted": 0, "known": 0, "skipped": 0}}
    done, counts = checkpoint["done"], dict(checkpoint["counts"])

    def grant(chunk: list[int]) -> tuple[int, int]:
        return retrying(lambda: _grant(chunk, params["currency"], values))

    for chunk, (granted, known) in in_lanes(grant, _chunks(params["members"], checkpoint["after"]), LANES):
        done += len(chunk)
        for name, number in (("granted", granted), ("known", known), ("skipped", len(chunk) - granted - known)):
            counts[name] += number
        checkpoint = {"after": chunk[-1], "done": done, "counts": counts}
        progress.report(done=done, counts=counts, checkpoint=checkpoint)


def _grant(chunk: list[int], currency: str, values: dict[str, Any]) -> tuple[int, int]:
    """Book one chunk; answers how many were granted, and how many had been before.

    A ledger has a grant once: that of a member whose ledger was moved is booked where it is now, if it is not there.
    """
    now = clock.now()
    with refusing(), atomic(), connection.cursor() as cursor:
        summaries.hold(chunk)
        moved = summaries.hold_holders(chunk)
        here = set(chunk).difference(moved)
        there = {holder: member_id for member_id, holder in moved.items() if holder not in here}
        cursor.execute(
            f"""
            WITH g AS (SELECT %(members)s::bigint[] AS members, ARRAY[cardinality(%(members)s::bigint[])] AS size)
            SELECT array_agg(e.earning_member) FILTER (WHERE NOT e.was_known),
                   array_agg(e.earning_member) FILTER (WHERE e.was_known)
            FROM g CROSS JOIN LATERAL points_earn_many(
                %(currency)s, 'earn', g.members, array_fill(%(amount)s::bigint, g.size),
                array_fill(%(reference)s::text, g.size), array_fill(%(reference)s::text, g.size),
                array_fill(%(occurred)s::timestamptz, g.size), array_fill(%(activates)s::timestamptz, g.size),
                array_fill(%(expires)s::timestamptz, g.size), {columns.named("details")}, %(reason)s, %(now)s
            ) e
            """,
            {
                **values,
                "members": columns.integers([*sorted(here), *there]),
                "details": columns.texts(
                    [None] * len(here) + [as_json({holders.OF_MEMBER: one}) for one in there.values()]
                ),
                "now": now,
            },
        )
        granted, known = (answer or [] for answer in cursor.fetchone())
        reactions.run(Facts(now=now, member_ids=sorted(granted), topics=frozenset({topic(currency)})))
    # Two members of one ledger: the second has had it.
    answered, asked = {*granted, *known}, set(there.values())
    had = sum(holder in answered for member_id, holder in moved.items() if member_id not in asked)
    return len(granted), len(known) + had


def _chunks(packed: str | None, after: int) -> Iterator[list[int]]:
    """The members whose turn it still is, in order of their ids."""
    if packed is not None:
        members = BitMap.deserialize(base64.b64decode(packed))
        rest = members[members.rank(after) :] if members else members
        for start in range(0, len(rest), CHUNK):
            yield list(rest[start : start + CHUNK])
        return
    while True:
        found = Member.objects.filter(pk__gt=after, status="active").order_by("pk").values_list("pk", flat=True)[:CHUNK]
        chunk = list(found)
        if not chunk:
            return
        yield chunk
        after = chunk[-1]


def _packed(member_ids: Collection[int]) -> str:
    """Many ids in few characters. Raises `Invalid` for what is no id."""
    try:
        return base64.b64encode(BitMap(member_ids).serialize()).decode()
    except (OverflowError, TypeError, ValueError) as error:
        raise Invalid(_("There is no such member."), code="unknown_member", field="member_ids") from error
