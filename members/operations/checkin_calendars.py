"""Check-in calendars: what checking in day after day gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from members.models import CheckIn, CheckInCalendar, PointsCurrency
from members.operations import rewards, task_definitions
from members.rules.rewards import dump
from scrm.common.errors import Conflict, Invalid, NotFound
from scrm.common.transactions import atomic

# Cards that make up a missed day are kept in the ledger of points, as a currency of their own that never expires.
CARDS = "makeup_cards"
MOST_CALENDARS = 10


@dataclass(frozen=True, slots=True)
class Content:
    """Everything of a calendar that can be changed, as in `CheckInCalendar`. A shorter ladder ends in days without
    rewards.
    """

    name: str
    enabled: bool = True
    cycle_days: int = 7
    ladder: list[list[dict[str, Any]]] = field(default_factory=list)
    gift: list[dict[str, Any]] = field(default_factory=list)
    makeups_per_month: int = 0
    makeup_price: int = 0
    back_days: int = 7


def _checked(content: Content) -> dict[str, Any]:
    if not isinstance(content.name, str) or not 1 <= len(content.name.strip()) <= 40 or not content.name.isprintable():
        raise Invalid(_("A name of 1 to 40 characters is needed."), code="bad_name", field="name")
    ranges = {
        "cycle_days": (1, 31), "makeups_per_month": (0, 31), "makeup_price": (0, 10**9), "back_days": (0, 366),
    }  # fmt: skip
    for name, (low, high) in ranges.items():
        value = getattr(content, name)
        if type(value) is not int or not low <= value <= high:
            raise Invalid(
                _("Between %(low)s and %(high)s.") % {"low": low, "high": high}, code="out_of_range", field=name
            )
    if not isinstance(content.ladder, list) or len(content.ladder) > content.cycle_days:
        raise Invalid(_("The ladder is longer than a cycle."), code="too_many", field="ladder")
    # Rewards may name it from here on.
    PointsCurrency.objects.get_or_create(key=CARDS, defaults={"name": "补签卡", "expiry": "never", "cost_per_1000": 0})
    return {
        "name": content.name.strip(),
        "enabled": bool(content.enabled),
        "cycle_days": content.cycle_days,
        "ladder": [
            dump(rewards.read(one, field=f"ladder[{place}]")) for place, one in enumerate(content.ladder)
        ],
        "gift": dump(rewards.read(content.gift, field="gift")),
        "makeups_per_month": content.makeups_per_month,
        "makeup_price": content.makeup_price,
        "back_days": content.back_days,
    }  # fmt: skip


def create(*, key: str, content: Content, now: datetime) -> CheckInCalendar:
    """A new calendar. Raises `Invalid`, its `field` naming what is wrong."""
    task_definitions.check_key(key)
    with atomic():
        values = _checked(content)
        if CheckInCalendar.objects.filter(key=key).exists():
            raise Invalid(_("This is already in use."), code="taken", field="key")
        if CheckInCalendar.objects.count() >= MOST_CALENDARS:
            raise Invalid(_("No more calendars."), code="too_many", field="key")
        return CheckInCalendar.objects.create(key=key, created_at=now, **values)


def change(*, calendar_id: int, version: int, content: Content) -> CheckInCalendar:
    """Change a calendar: it holds for check-ins from now on.

    The length of a cycle stays once somebody has checked in. Raises `NotFound`, `Conflict` (`changed_meanwhile`,
    `started`), and as `create` does.
    """
    with atomic():
        values = _checked(content)
        found = CheckInCalendar.objects.select_for_update(no_key=True).filter(pk=calendar_id).first()
        if found is None:
            raise NotFound(_("There is no such check-in calendar."))
        if found.version != version:
            raise Conflict(_("Somebody else has changed this meanwhile."), code="changed_meanwhile")
        if values["cycle_days"] != found.cycle_days and CheckIn.objects.filter(calendar=found).exists():
            raise Conflict(
                _("Members are at it: the length of a cycle cannot change."), code="started", field="cycle_days"
            )
        for name, value in values.items():
            setattr(found, name, value)
        found.version += 1
        found.save()
        return found
