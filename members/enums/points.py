from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class ExpiryKind(models.TextChoices):
    """When earned points expire. Months are calendar months of the shop; their ends clamp (31 January + 1 month)."""

    NEVER = "never", pgettext_lazy("points expiry", "Never")
    DAYS = "days", pgettext_lazy("points expiry", "N days after earning")
    MONTHS = "months", pgettext_lazy("points expiry", "N months after earning")
    MONTH_END = "month_end", pgettext_lazy("points expiry", "At the end of a month, N months later")
    QUARTER_END = "quarter_end", pgettext_lazy("points expiry", "At the end of a quarter, N quarters later")
    YEAR_END = "year_end", pgettext_lazy("points expiry", "At the end of a year, N years later")
    FIXED_DAY = "fixed_day", pgettext_lazy("points expiry", "On a fixed day, N years later")
    INACTIVITY = "inactivity", pgettext_lazy("points expiry", "After N days without activity")


class ReversalPolicy(models.TextChoices):
    """What is taken back when an order is refunded whose points were partly spent."""

    PENDING_ONLY = "pending_only", _("Only points that are still pending")
    WITHIN_BALANCE = "within_balance", _("What the balance holds")
    ARREARS = "arrears", _("All, into arrears if need be")


class PointsAccountName(models.TextChoices):
    """Where points stand: the three accounts of a member, and those of the programme on the other side."""

    PENDING = "pending", pgettext_lazy("points account", "Pending")
    AVAILABLE = "available", pgettext_lazy("points account", "Available")
    HELD = "held", pgettext_lazy("points account", "Held")
    ISSUED = "issued", pgettext_lazy("points account", "Issued")
    REDEEMED = "redeemed", pgettext_lazy("points account", "Redeemed")
    EXPIRED = "expired", pgettext_lazy("points account", "Expired")
    REVERSED = "reversed", pgettext_lazy("points account", "Reversed")
    ADJUSTED = "adjusted", pgettext_lazy("points account", "Adjusted by hand")
    MOVED = "moved", pgettext_lazy("points account", "Moved between members")


class EntryKind(models.TextChoices):
    """What a movement of points was."""

    EARN = "earn", pgettext_lazy("points entry", "Earned")
    ACTIVATE = "activate", pgettext_lazy("points entry", "Became available")
    SPEND = "spend", pgettext_lazy("points entry", "Spent")
    HOLD = "hold", pgettext_lazy("points entry", "Held")
    POST = "post", pgettext_lazy("points entry", "Spent from a hold")
    RELEASE = "release", pgettext_lazy("points entry", "Hold released")
    REFUND = "refund", pgettext_lazy("points entry", "Given back")
    REVERSE = "reverse", pgettext_lazy("points entry", "Reversed")
    EXPIRE = "expire", pgettext_lazy("points entry", "Expired")
    ADJUST = "adjust", pgettext_lazy("points entry", "Adjusted")
    MOVE = "move", pgettext_lazy("points entry", "Moved")


class HoldState(models.TextChoices):
    OPEN = "open", pgettext_lazy("hold", "Open")
    POSTED = "posted", pgettext_lazy("hold", "Posted")
    VOIDED = "voided", pgettext_lazy("hold", "Voided")
    TIMED_OUT = "timed_out", pgettext_lazy("hold", "Timed out")
    MOVED = "moved", pgettext_lazy("hold", "Moved to another member")


class AdjustmentState(models.TextChoices):
    """Where a correction by hand stands."""

    PROPOSED = "proposed", pgettext_lazy("adjustment", "Waiting for approval")
    REJECTED = "rejected", pgettext_lazy("adjustment", "Rejected")
    BOOKED = "booked", pgettext_lazy("adjustment", "Booked")
