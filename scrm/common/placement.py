"""Where a table lives when the database is spread over many machines (Citus). Every model declares one.

- MEMBER: spread by `member_id`; every unique constraint includes it.
- REFERENCE: small, copied to every machine.
- LOCAL: queues, schedules, users, audit; stays on the coordinator.
- LOOKUP: spread by its own value (identity value → member).
"""

from __future__ import annotations

from enum import StrEnum


class Placement(StrEnum):
    MEMBER = "member"
    REFERENCE = "reference"
    LOCAL = "local"
    LOOKUP = "lookup"
