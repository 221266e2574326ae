"""Time. Operations get `now` passed in; this is where callers at the edge take it from."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils import timezone


def now() -> datetime:
    """The present instant, in UTC."""
    return timezone.now()


def shop_zone() -> ZoneInfo:
    """The zone in which every calendar rule is read."""
    return ZoneInfo(settings.TIME_ZONE)


def shop_date(instant: datetime) -> date:
    """The calendar day of an instant in the shop's zone."""
    return instant.astimezone(shop_zone()).date()


def day_start(day: date) -> datetime:
    """The instant at which a shop day begins, in UTC."""
    return datetime.combine(day, time.min, tzinfo=shop_zone()).astimezone(UTC)


def day_end(day: date) -> datetime:
    """The instant at which the next shop day begins, in UTC."""
    return day_start(day + timedelta(days=1))
