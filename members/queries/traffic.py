"""Whether facts are coming in just now: computations then leave a core to them."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection

# So long after the last event a shop counts as quiet.
RECENT = timedelta(seconds=10)
# Ids of events arrive in time order and carry the time: the end of the primary key's index is all that is read.
_LAST = "SELECT uuid_extract_timestamp(id) FROM members_event ORDER BY id DESC LIMIT 1"


def is_busy(*, now: datetime) -> bool:
    """Whether an event has arrived within the last ten seconds."""
    with connection.cursor() as cursor:
        cursor.execute(_LAST)
        found = cursor.fetchone()
    return found is not None and found[0] > now - RECENT
