"""Appending events to timelines: facts from outside, and what the product itself did."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from members.operations import columns, references, summaries
from members.rules.rejections import INTERNAL_PREFIX
from scrm.common import statements
from scrm.common.transactions import atomic

# In key order, so that batches that overlap wait for each other instead of deadlocking.
_INSERT = f"""
    INSERT INTO members_event (member_id, source_id, type_id, message_id, occurred_at, amount, properties, received_at)
    SELECT t.member_id, t.source_id, t.type_id, t.message_id, t.occurred_at, t.amount, t.properties::jsonb, %(now)s
    FROM unnest(%(members)s::bigint[], %(sources)s::bigint[], %(types)s::bigint[], {columns.named("messages")},
                %(occurred)s::timestamptz[], %(amounts)s::bigint[], {columns.named("properties")})
         AS t (member_id, source_id, type_id, message_id, occurred_at, amount, properties)
    ORDER BY t.member_id, t.source_id, t.message_id
    ON CONFLICT (member_id, source_id, message_id) DO NOTHING
"""
_LAND = f"""
    WITH landed AS ({_INSERT} RETURNING member_id, source_id, message_id, occurred_at),
    summed AS (
        INSERT INTO members_membersummary AS s (member_id, event_count, last_event_at)
        SELECT member_id, count(*), max(occurred_at) FROM landed GROUP BY member_id ORDER BY member_id
        ON CONFLICT (member_id) DO UPDATE
        SET event_count = s.event_count + EXCLUDED.event_count,
            last_event_at = GREATEST(s.last_event_at, EXCLUDED.last_event_at)
    )
    SELECT count(*),
           CASE WHEN count(*) < %(rows)s::bigint
                THEN array_agg(member_id || ' ' || source_id || ' ' || message_id) END
    FROM landed
"""
_APPEND = f"WITH added AS ({_INSERT} RETURNING 1) SELECT count(*) FROM added"
# member id, source id, type id, message id, occurred at, amount in minor units, properties as JSON
EventRow = tuple[int, int, int, str, datetime, int | None, str]
EventKey = tuple[int, int, str]


def insert(rows: Sequence[EventRow], *, now: datetime) -> set[EventKey] | None:
    """Store events and bring their members' summaries up to date, in one round trip.

    Returns the keys of those that were new, or None when all of them were. Inside a transaction. Members whose ledger
    was moved are held together with whoever has it.
    """
    values = {**_values(rows, now), "rows": str(len(rows))}
    ((count, keys),) = statements.fetch(_LAND, values, after=(summaries.HOLD_MOVED, {"members": values["members"]}))
    if count == len(rows):
        return None
    landed = (key.split(" ", 2) for key in keys or ())
    return {(int(member_id), int(source_id), message_id) for member_id, source_id, message_id in landed}


def append(
    *,
    source: str,
    type: str,
    rows: Iterable[tuple[int, str, datetime, dict[str, Any]]],
    now: datetime,
) -> int:
    """Note on timelines what the product did: rows of (member id, message id, occurred at, properties).

    Idempotent by (source, message id). The source is kept as `scrm.<source>`, which nobody can send from outside, and
    such events do not count as the member's own activity. Returns how many were new.
    """
    taken = list(rows)
    if not taken:
        return 0
    with atomic(savepoint=False):
        key = INTERNAL_PREFIX + source
        source_id = references.source_ids([key])[key]
        type_id = references.type_ids([type])[type]
        values: list[EventRow] = [
            (member_id, source_id, type_id, message_id, occurred_at, None, msgspec.json.encode(what).decode())
            for member_id, message_id, occurred_at, what in taken
        ]
        ((added,),) = statements.fetch(_APPEND, _values(values, now))
        return int(added)


def _values(rows: Sequence[EventRow], now: datetime) -> dict[str, Any]:
    member_ids, source_ids, type_ids, message_ids, occurred, amounts, properties = zip(*rows, strict=True)
    return {
        "now": now,
        "members": columns.integers(member_ids),
        "sources": columns.integers(source_ids),
        "types": columns.integers(type_ids),
        "messages": columns.texts(message_ids),
        "occurred": columns.instants(occurred),
        "amounts": columns.integers(amounts),
        "properties": columns.texts(properties),
    }
