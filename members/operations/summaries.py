"""What a member's facts add up to: brought up to date with each batch, and rebuildable from the rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from django.db import connection

from members.operations import columns, holders
from members.rules.rejections import INTERNAL_PREFIX
from scrm.common import statements
from scrm.common.reactions import Facts
from scrm.common.transactions import atomic

# Sums of the orders that count, and of refunds that belong to no order.
_FROM_ROWS = """
    SELECT w.member_id, COALESCE(o.orders, 0)::int, COALESCE(o.gross, 0)::bigint,
           (COALESCE(o.gross - o.net, 0) + COALESCE(r.amount, 0))::bigint,
           (COALESCE(o.net, 0) - COALESCE(r.amount, 0))::bigint, o.first_at, o.last_at
    FROM {members} AS w (member_id)
    LEFT JOIN LATERAL (
        SELECT count(*) AS orders, sum(amount) AS gross, sum(net_amount) AS net,
               min(paid_at) AS first_at, max(paid_at) AS last_at
        FROM members_order WHERE member_id = w.member_id AND counts
    ) o ON TRUE
    LEFT JOIN LATERAL (
        SELECT sum(amount) AS amount FROM members_refund WHERE member_id = w.member_id AND order_id IS NULL
    ) r ON TRUE
"""
_COLUMNS = "member_id, order_count, gross_amount, refund_amount, net_amount, first_order_at, last_order_at"
_SET = ", ".join(f"{name} = EXCLUDED.{name}" for name in _COLUMNS.split(", ")[1:])
_CHUNK = 20_000
# In the order in which an intake of events writes them. Whoever has the ledger of a member is held with the member:
# what the member's facts earn is booked there.
_HOLD = f"""
    WITH {holders.MOVED}
    SELECT s.member_id FROM members_membersummary s WHERE s.member_id = ANY((
        SELECT %(members)s::bigint[] || ARRAY(SELECT to_member_id FROM moved)
    )::bigint[])
    ORDER BY s.member_id FOR NO KEY UPDATE OF s
"""
# The same where a ledger was moved: before a statement that writes the summaries, and so holds the others by itself.
HOLD_MOVED = f"""
    WITH {holders.MOVED}
    SELECT s.member_id FROM members_membersummary s WHERE s.member_id = ANY((
        SELECT CASE WHEN EXISTS (SELECT 1 FROM moved)
                    THEN %(members)s::bigint[] || ARRAY(SELECT to_member_id FROM moved) ELSE '{{}}' END
    )::bigint[])
    ORDER BY s.member_id FOR NO KEY UPDATE OF s
"""
_MISSING = """
    INSERT INTO members_membersummary (member_id)
    SELECT m.id FROM members_member m
    WHERE m.id = ANY(%s::bigint[]) AND NOT EXISTS (SELECT 1 FROM members_membersummary s WHERE s.member_id = m.id)
    ORDER BY m.id ON CONFLICT DO NOTHING
"""


def refresh_orders(member_ids: Sequence[int]) -> None:
    """Recompute the order side of these members' summaries. Inside a transaction that has locked the members."""
    if not member_ids:
        return
    holding, values = statements.prepared(HOLD_MOVED, {"members": columns.integers(sorted(set(member_ids)))})
    with statements.forgetting(), connection.cursor() as cursor:
        cursor.execute(
            f"{holding}; INSERT INTO members_membersummary ({_COLUMNS}) "
            f"{_FROM_ROWS.format(members='unnest(%(members)s::bigint[])')} ORDER BY 1 "
            f"ON CONFLICT (member_id) DO UPDATE SET {_SET}",
            values,
        )


def hold(member_ids: Collection[int], *, wait: bool = True) -> list[int]:
    """Keep other transactions from landing facts about these members until this one ends; answers who is held.

    Whoever lands facts, or works out something that hangs on them, holds the members first: of two that touch one
    member the later one sees what the earlier one wrote. Members whose ledger was moved are held together with whoever
    has it. `wait=False` passes over those that somebody else holds. Inside a transaction; member rows are locked before
    this, never after.
    """
    wanted = sorted(set(member_ids))
    statement = _HOLD if wait else f"{_HOLD} SKIP LOCKED"
    values = {"members": columns.integers(wanted)}
    rows = {member_id for (member_id,) in statements.fetch(statement, values)}
    if not rows.issuperset(wanted):
        # Whoever was made without a summary gets an empty one, which says the same.
        with connection.cursor() as cursor:
            cursor.execute(_MISSING, [values["members"]])
            made = cursor.rowcount
        if made:
            rows = {member_id for (member_id,) in statements.fetch(statement, values)}
    held = [member_id for member_id in wanted if member_id in rows]
    if not wait and held:
        moved = holders.of(held)
        held = [member_id for member_id in held if moved.get(member_id, member_id) in rows]
    return held


def hold_holders(member_ids: Collection[int]) -> dict[int, int]:
    """Who has the ledgers of those of the members whose ledger was moved, for booking there. The members are held.

    Answered are members who are held, so that it stays as it is until the transaction ends: also when a ledger was
    moved while this one waited for the member.
    """
    known: dict[int, int] = {}
    while (found := holders.of(member_ids)) != known:
        hold(found)
        known = found
    return known


def hold_touched(facts: Facts) -> None:
    """Hold the members of a landed batch who are not held by having been written."""
    touched = {topic: facts.touched(topic) for topic in facts.topics}
    # An intake of events or orders holds those already, as it has written their summaries; whoever books points, too.
    held = {
        member_id
        for topic, member_ids in touched.items()
        if topic == "order" or topic.startswith(("event:", "points:"))
        for member_id in member_ids
    }
    rest = {member_id for member_ids in touched.values() for member_id in member_ids}
    rest.difference_update(held, facts.created_member_ids)
    if rest:
        hold(rest)


def rebuild(*, member_ids: Iterable[int] | None = None) -> int:
    """Recompute whole summaries from orders, refunds and events, and mend those that differ.

    Returns how many were wrong: 0 when the intake kept them right. Without `member_ids`, all members, in chunks that
    are each one transaction.
    """
    if member_ids is not None:
        return _rebuild(sorted(set(member_ids)))
    wrong, last = 0, 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute("SELECT id FROM members_member WHERE id > %s ORDER BY id LIMIT %s", [last, _CHUNK])
            chunk = [member_id for (member_id,) in cursor.fetchall()]
        if not chunk:
            return wrong
        wrong += _rebuild(chunk)
        last = chunk[-1]


def _rebuild(member_ids: list[int]) -> int:
    wanted = columns.integers(member_ids)
    with atomic(), connection.cursor() as cursor:
        # The summary rows are what an intake of events waits for, the member rows what one of orders waits for.
        cursor.execute(
            "SELECT id FROM members_member WHERE id = ANY(%s::bigint[]) ORDER BY id FOR NO KEY UPDATE",
            [wanted],
        )
        cursor.execute(
            "SELECT member_id FROM members_membersummary WHERE member_id = ANY(%s::bigint[]) "
            "ORDER BY member_id FOR UPDATE",
            [wanted],
        )
        cursor.execute(
            f"""
            INSERT INTO members_membersummary ({_COLUMNS}, event_count, last_event_at)
            SELECT f.*, COALESCE(e.events, 0)::int, e.last_at
            FROM ({_FROM_ROWS.format(members="unnest(%s::bigint[])")}) AS f ({_COLUMNS})
            LEFT JOIN LATERAL (
                SELECT count(*) AS events, max(occurred_at) AS last_at FROM members_event
                WHERE member_id = f.member_id
                  AND source_id <> ALL (SELECT id FROM members_source WHERE key LIKE %s)
            ) e ON TRUE
            ORDER BY 1
            ON CONFLICT (member_id) DO UPDATE
            SET {_SET}, event_count = EXCLUDED.event_count, last_event_at = EXCLUDED.last_event_at
            WHERE ROW(members_membersummary.*) IS DISTINCT FROM ROW(EXCLUDED.*)
            """,
            [wanted, f"{INTERNAL_PREFIX}%"],
        )
        changed: int = cursor.rowcount
        return changed
