"""What a rule may give altogether: one row a rule, locked by whoever gives, so that it is never passed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection

from members.operations import columns


@dataclass(slots=True)
class Ask:
    """What one fact wants of a rule's budget, beside what it was `given`; `more` below 0 gives back."""

    rule_id: int
    budget: int
    more: int
    given: int = 0


def take(asks: Sequence[Ask]) -> None:
    """Fill in what each is given of what it wants, in their order: what is left, and nothing once nothing is.

    The rules' rows stay locked until the transaction ends.
    """
    rules = sorted({ask.rule_id for ask in asks})
    if not rules:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO members_earningbudget (rule_id) SELECT unnest(%s::bigint[]) ON CONFLICT DO NOTHING",
            [columns.integers(rules)],
        )
        cursor.execute(
            "SELECT rule_id, used FROM members_earningbudget WHERE rule_id = ANY(%s) ORDER BY 1 FOR NO KEY UPDATE",
            [rules],
        )
        before = dict(cursor.fetchall())
        used = dict(before)
        for ask in asks:
            ask.given = min(ask.more, max(ask.budget - used[ask.rule_id], 0)) if ask.more > 0 else ask.more
            used[ask.rule_id] += ask.given
        changed = [rule_id for rule_id in rules if used[rule_id] != before[rule_id]]
        if changed:
            cursor.execute(
                """
                UPDATE members_earningbudget b SET used = t.used
                FROM unnest(%s::bigint[], %s::bigint[]) AS t (rule_id, used) WHERE b.rule_id = t.rule_id
                """,
                [columns.integers(changed), columns.integers(used[rule_id] for rule_id in changed)],
            )
