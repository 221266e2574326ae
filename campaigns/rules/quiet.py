"""Quiet hours: when a message may not arrive, in the zone of the person it goes to."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo


def released_at(now: datetime, *, starts: time | None, ends: time | None, zone: ZoneInfo) -> datetime | None:
    """When the quiet hours around `now` end, in UTC, or None when it is not quiet.

    The window is half-open (at its end it is not quiet any more) and may span midnight. No window: never quiet.
    """
    if starts is None or ends is None or starts == ends:
        return None
    local = now.astimezone(zone)
    clock = local.time()
    quiet = starts <= clock < ends if starts < ends else clock >= starts or clock < ends
    if not quiet:
        return None
    day = local.date() if clock < ends else local.date() + timedelta(days=1)
    return datetime.combine(day, ends, tzinfo=zone).astimezone(UTC)
