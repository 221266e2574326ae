"""Who has the ledgers of members: themselves, or the last one it was moved to.

What the facts of a member whose ledger was moved earn and take back is booked in the ledger that has their points now,
under the same source. Such an entry says in its detail whose fact it was.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from members.operations import columns
from scrm.common import statements

# In the detail of an entry: the member whose fact it was, where that is not the one whose ledger it is.
OF_MEMBER = "of_member"
# To whom the ledgers of `%(members)s` have gone, move by move, without the moves that were undone.
MOVED = """
    RECURSIVE moved (member_id, to_member_id) AS (
        SELECT m.member_id, m.to_member_id FROM members_pointsmove m
        WHERE m.member_id = ANY(%(members)s::bigint[]) AND m.undone_at IS NULL
        UNION ALL
        SELECT o.member_id, m.to_member_id FROM moved o
        JOIN members_pointsmove m ON m.member_id = o.to_member_id AND m.undone_at IS NULL
    )
"""
_LAST = f"""
    WITH {MOVED}
    SELECT o.member_id, o.to_member_id FROM moved o
    WHERE NOT EXISTS (SELECT 1 FROM members_pointsmove m WHERE m.member_id = o.to_member_id AND m.undone_at IS NULL)
"""


def of(member_ids: Collection[int]) -> dict[int, int]:
    """Who has the ledgers of those of the members whose ledger was moved. One statement, inside a transaction.

    It stays so as long as both are held: `summaries.hold_holders`.
    """
    return dict(statements.fetch(_LAST, {"members": columns.integers(member_ids)}))


def detail(said: Mapping[str, Any], *, of_member: int, holder: int) -> Mapping[str, Any]:
    """The detail of an entry about a fact of one member in the ledger of another, or in their own."""
    return said if holder == of_member else {**said, OF_MEMBER: of_member}


def whose(entry: str) -> str:
    """SQL: the id, as text, of the member whose fact an entry was about."""
    return f"COALESCE({entry}.detail ->> '{OF_MEMBER}', {entry}.member_id::text)"
