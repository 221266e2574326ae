"""The kinds of points that a brand gives out, and their policies."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from typing import Any

from django.db import transaction
from django.db.models.expressions import RawSQL
from django.utils.translation import gettext as _

from members.enums import ExpiryKind, ReversalPolicy
from members.models import PointsCurrency
from members.rules.points import Policy
from scrm.common.errors import Invalid, NotFound
from scrm.common.transactions import atomic

POINTS, GROWTH = "points", "growth"
MOST_CURRENCIES = 20
_KEY = re.compile(r"[a-z][a-z0-9_]{0,31}")
# What there is before anybody has set anything up. Both can be changed like others.
_FIRST = {
    POINTS: {"name": "积分", "expiry": ExpiryKind.YEAR_END, "expiry_count": 1, "warn_days": [30, 7]},
    GROWTH: {"name": "成长值", "spendable": False, "expiry": ExpiryKind.NEVER, "cost_per_1000": 0},
}
# Each with its `xmin`, which says whether the row is still what it was.
_known: dict[str, tuple[PointsCurrency, str]] = {}


@dataclass(frozen=True, slots=True)
class Content:
    """Everything of a currency that can be changed. Days, minutes and counts as in `PointsCurrency`."""

    name: str
    pending_days: int = 0
    expiry: str = ExpiryKind.NEVER.value
    expiry_count: int = 0
    expiry_month: int = 12
    expiry_day: int = 31
    reversal: str = ReversalPolicy.ARREARS.value
    grace_days: int = 7
    hold_minutes: int = 30
    warn_days: list[int] = field(default_factory=list)
    cost_per_1000: int = 1_000
    adjust_limit: int = 1_000

    def check(self) -> None:
        """Raises `Invalid`, its `field` naming what is wrong."""
        if not 1 <= len(self.name.strip()) <= 40 or "\x00" in self.name:
            raise Invalid(_("A name of 1 to 40 characters is needed."), code="bad_name", field="name")
        if self.expiry not in ExpiryKind.values:
            raise Invalid(_("There is no such expiry."), code="unknown_expiry", field="expiry")
        if self.reversal not in ReversalPolicy.values:
            raise Invalid(_("There is no such policy."), code="unknown_policy", field="reversal")
        ranges = {
            "pending_days": (0, 3_660), "expiry_count": (0, 3_660), "expiry_month": (1, 12), "expiry_day": (1, 31),
            "grace_days": (0, 3_660), "hold_minutes": (1, 525_600), "cost_per_1000": (0, 10**9),
            "adjust_limit": (0, 10**12),
        }  # fmt: skip
        for name, (low, high) in ranges.items():
            if not low <= getattr(self, name) <= high:
                raise Invalid(
                    _("Between %(low)s and %(high)s.") % {"low": low, "high": high}, code="out_of_range", field=name
                )
        counting = (ExpiryKind.DAYS, ExpiryKind.MONTHS, ExpiryKind.INACTIVITY)
        if self.expiry in counting and self.expiry_count < 1:
            raise Invalid(_("How long? At least 1."), code="out_of_range", field="expiry_count")
        # Half a millennium is a slip of the hand.
        if self.expiry in (ExpiryKind.YEAR_END, ExpiryKind.FIXED_DAY) and self.expiry_count > 100:
            raise Invalid(_("At most 100 years."), code="out_of_range", field="expiry_count")
        if len(self.warn_days) > 5 or not all(1 <= days <= 365 for days in self.warn_days):
            raise Invalid(_("Up to five numbers of days from 1 to 365."), code="out_of_range", field="warn_days")


def make_first(**_: Any) -> None:
    """Make 积分 and 成长值 where they are missing: after every migration, and after the tables were emptied."""
    _known.clear()
    for key, values in _FIRST.items():
        PointsCurrency.objects.get_or_create(key=key, defaults=values)


def get(key: str) -> PointsCurrency:
    """A currency by its key; 积分 and 成长值 are made when first asked for. Raises `NotFound`."""
    found = PointsCurrency.objects.filter(key=key).first()
    if found is None and key in _FIRST:
        found, _made = PointsCurrency.objects.get_or_create(key=key, defaults=_FIRST[key])
    if found is None:
        raise NotFound(_("There is no such kind of points."), code="unknown_currency")
    return found


def currency_id(key: str) -> int:
    """The id of a currency. Ids never change, so each process remembers those of committed rows. Raises `NotFound`."""
    return remembered(key)[0].pk


def remembered(key: str) -> tuple[PointsCurrency, str]:
    """A currency as this process last saw it, and its `xmin`: whoever writes by its policy does so only while the row
    still has that, and calls `forget` otherwise. Raises `NotFound`."""
    known = _known.get(key)
    if known is None:
        found = PointsCurrency.objects.annotate(version=RawSQL("xmin::text", [])).get(pk=get(key).pk)
        known = (found, found.version)
        transaction.on_commit(lambda: _known.__setitem__(key, known))
    return known


def forget(key: str) -> None:
    """Have a currency read again."""
    _known.pop(key, None)


def create(*, key: str, spendable: bool, content: Content) -> PointsCurrency:
    """A new kind of points. Raises `Invalid` (`bad_key`, `taken`, `too_many`, and as `Content.check`)."""
    if not _KEY.fullmatch(key):
        raise Invalid(_("A key is up to 32 of a–z, 0–9 and _."), code="bad_key", field="key")
    content.check()
    with atomic():
        if key in _FIRST or PointsCurrency.objects.filter(key=key).exists():
            raise Invalid(_("This is already in use."), code="taken", field="key")
        if PointsCurrency.objects.count() >= MOST_CURRENCIES:
            raise Invalid(_("No more kinds of points."), code="too_many", field="key")
        return PointsCurrency.objects.create(key=key, spendable=spendable, **asdict(content))


def change(*, key: str, content: Content) -> PointsCurrency:
    """Change a currency's policies: they hold for what is earned, held and reversed from now on.

    Raises `NotFound`, and `Invalid` as `Content.check`.
    """
    content.check()
    with atomic():
        currency = PointsCurrency.objects.select_for_update().get(pk=get(key).pk)
        for name, value in asdict(content).items():
            setattr(currency, name, value)
        currency.save()
        return currency


def policy(currency: PointsCurrency) -> Policy:
    """What the currency says about time."""
    return Policy(
        currency.pending_days,
        currency.expiry,
        currency.expiry_count,
        currency.expiry_month,
        currency.expiry_day,
    )
