"""How numbers and times are written for people, on every page alike.

What is missing is shown as an em dash, never as 0: "unknown" and "none" are different facts.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from scrm.common import clock
from scrm.common.money import to_decimal

MISSING = "—"


def decimal(value: Any) -> Decimal | None:
    """The number that `value` is, or None."""
    if value is None or value == "" or isinstance(value, bool):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def grouped(number: Decimal, places: int) -> str:
    """The number rounded half up to so many places, with separators."""
    rounded = number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    return f"{rounded:,.{places}f}"


def money(minor: Any) -> str:
    """分 as yuan with cents: 123450 → ¥1,234.50."""
    number = decimal(minor)
    if number is None:
        return MISSING
    exact = Decimal(to_decimal(int(number.to_integral_value(ROUND_HALF_UP))))
    return f"{'-' if exact < 0 else ''}¥{grouped(abs(exact), 2)}"


def integer(value: Any) -> str:
    """A whole number with separators: 1234567 → 1,234,567."""
    number = decimal(value)
    return MISSING if number is None else grouped(number, 0)


def listed(items: Iterable[Any]) -> str:
    """Values one after the other, parted as the language does."""
    return pgettext("between values", ", ").join(str(item) for item in items)


def _relative(distance: timedelta) -> str:
    """Words for a distance into the past; months are named so that none can be read as a calendar month."""
    seconds = int(distance.total_seconds())
    if seconds < 60:
        return _("just now")
    if seconds < 3600:
        n = seconds // 60
        return ngettext("%(n)s minute ago", "%(n)s minutes ago", n) % {"n": n}
    if seconds < 86400:
        n = seconds // 3600
        return ngettext("%(n)s hour ago", "%(n)s hours ago", n) % {"n": n}
    days = seconds // 86400
    if days < 30:
        return ngettext("%(n)s day ago", "%(n)s days ago", days) % {"n": days}
    if days < 365:
        n = days // 30
        return ngettext("%(n)s month ago", "%(n)s months ago", n) % {"n": n}
    n = days // 365
    return ngettext("%(n)s year ago", "%(n)s years ago", n) % {"n": n}


def _ahead(distance: timedelta) -> str:
    minutes = int(distance.total_seconds()) // 60
    if minutes < 60:
        return ngettext("in %(n)s minute", "in %(n)s minutes", max(minutes, 1)) % {"n": max(minutes, 1)}
    hours = minutes // 60
    if hours < 48:
        return ngettext("in %(n)s hour", "in %(n)s hours", hours) % {"n": hours}
    return ngettext("in %(n)s day", "in %(n)s days", hours // 24) % {"n": hours // 24}


def ago(moment: datetime | None) -> SafeString | str:
    """ "3 days ago", the exact local time on hover and for machines."""
    if not isinstance(moment, datetime):
        return day(moment) if isinstance(moment, date) else MISSING
    distance = clock.now() - moment
    words = _ahead(-distance) if distance < timedelta(0) else _relative(distance)
    return format_html('<time datetime="{}" title="{}">{}</time>', moment.isoformat(), local(moment), words)


def day(value: date | None) -> SafeString | str:
    """A calendar day."""
    if not isinstance(value, date):
        return MISSING
    plain = timezone.localtime(value).date() if isinstance(value, datetime) else value
    return format_html('<time datetime="{}">{}</time>', plain.isoformat(), plain.isoformat())


def moment(value: datetime | date | None) -> SafeString | str:
    """An exact local time, to the minute."""
    if not isinstance(value, datetime):
        return day(value) if isinstance(value, date) else MISSING
    return format_html('<time datetime="{}">{}</time>', value.isoformat(), local(value))


def through(until: datetime | None) -> SafeString | str:
    """How long something lasts that ends at an instant: through the day before when that is a midnight of the shop."""
    if isinstance(until, datetime) and clock.day_start(clock.shop_date(until)) == until:
        return day(clock.shop_date(until) - timedelta(days=1))
    return moment(until)


def local(value: datetime) -> str:
    """The shop's date and time, to the minute."""
    return formats.date_format(timezone.localtime(value), "SHORT_DATETIME_FORMAT")
