"""The earning rules that count, as this process knows them, and the gate that keeps that knowledge right.

Whoever books passes the gate shared, for the rest of the transaction; a rule is activated, paused or changed with the
gate shut for a moment. A batch that did not yet know of the change has then committed, and what is queued to look at
past orders sees it.
"""

from __future__ import annotations

from typing import Any

from django.db import connection

from members.queries.earning_versions import Known, read

_GATE = "hashtext('members.earning')"
# In one round trip but two statements, so that the second sees what was changed while the first waited. Which rows, as
# they are: `xmin` tells a change that was rolled back from one that took its id.
_LOOK = f"""
    SELECT pg_advisory_xact_lock_shared({_GATE});
    SELECT string_agg(id || ' ' || xmin::text, ',' ORDER BY id) FROM members_earningperiod
"""
_known = Known("")


def forget(**_: Any) -> None:
    """Drop what this process remembers: after the tables were emptied, as between tests."""
    global _known  # noqa: PLW0603  # a cache per process, replaced as a whole
    _known = Known("")


def enter() -> Known:
    """Pass the gate, and learn what counts: one look when nothing has changed. Inside a transaction."""
    global _known  # noqa: PLW0603  # a cache per process, replaced as a whole
    with connection.cursor() as cursor:
        cursor.execute(_LOOK)
        cursor.nextset()
        signature = cursor.fetchone()[0] or ""
    if signature != _known.signature:
        _known = Known(signature, read())
    return _known


def shut() -> None:
    """Wait until everybody who entered has committed, and keep others out until this transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_advisory_xact_lock({_GATE})")
