"""Recording what members say about being contacted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.utils.translation import gettext as _

from members.enums import Channel, ConsentState, Purpose
from scrm.common.errors import Invalid
from scrm.common.transactions import atomic

# Clocks of other systems differ a little; an answer from further ahead is a mistake.
FUTURE_TOLERANCE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Entry:
    """One answer. `at` is when the member gave it; `source` and `evidence` say how we know."""

    member_id: int
    channel: str
    purpose: str
    state: str
    at: datetime
    source: str
    evidence: str = ""


def record(*, entries: Sequence[Entry], now: datetime) -> int:
    """Append answers and make the latest of each (member, channel, purpose) count; of two at once, the stricter.

    An answer already recorded word for word changes nothing. Returns how many were new.
    Raises `Invalid` for an unknown channel, purpose or state and for an answer from the future (nothing is written).
    """
    for entry in entries:
        _check(entry, now)
    # In one order everywhere, so that two writers and a sender never wait for each other in a circle.
    ordered = sorted(entries, key=lambda e: (e.member_id, e.channel, e.purpose, e.at, e.state))
    columns = [
        [e.member_id for e in ordered],
        [e.channel for e in ordered],
        [e.purpose for e in ordered],
        [e.state for e in ordered],
        [e.at for e in ordered],
        [e.source[:40] for e in ordered],
        [e.evidence[:300] for e in ordered],
    ]
    with atomic(), connection.cursor() as cursor:
        cursor.execute(
            """
            WITH given AS (
                SELECT DISTINCT * FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::timestamptz[],
                                              %s::text[], %s::text[])
                    AS g (member_id, channel, purpose, state, at, source, evidence)
            )
            INSERT INTO members_consententry (member_id, channel, purpose, state, at, source, evidence)
            SELECT g.* FROM given g
            WHERE NOT EXISTS (
                SELECT 1 FROM members_consententry e
                WHERE (e.member_id, e.channel, e.purpose, e.state, e.at, e.source)
                    = (g.member_id, g.channel, g.purpose, g.state, g.at, g.source))
            """,
            columns,
        )
        added: int = cursor.rowcount
        cursor.execute(
            """
            INSERT INTO members_consent AS c (member_id, channel, purpose, state, at)
            SELECT DISTINCT ON (member_id, channel, purpose) member_id, channel, purpose, state, at
            FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::timestamptz[])
                AS g (member_id, channel, purpose, state, at)
            ORDER BY member_id, channel, purpose, at DESC, state DESC  -- 'withdrawn' sorts after 'granted'
            ON CONFLICT (member_id, channel, purpose) DO UPDATE SET state = EXCLUDED.state, at = EXCLUDED.at
            WHERE EXCLUDED.at > c.at OR (EXCLUDED.at = c.at AND EXCLUDED.state > c.state)
            """,
            columns[:5],
        )
    return added


def _check(entry: Entry, now: datetime) -> None:
    for value, known, field in (
        (entry.channel, Channel.values, "channel"),
        (entry.purpose, Purpose.values, "purpose"),
        (entry.state, ConsentState.values, "state"),
    ):
        if value not in known:
            raise Invalid(_("Not a known value: %(value)s") % {"value": value[:40]}, field=field)
    if entry.at > now + FUTURE_TOLERANCE:
        raise Invalid(_("The answer lies in the future."), code="in_future", field="at")
