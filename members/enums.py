from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Gender(models.TextChoices):
    UNKNOWN = "", _("Unknown")
    FEMALE = "f", _("Female")
    MALE = "m", _("Male")


class MemberStatus(models.TextChoices):
    ACTIVE = "active", pgettext_lazy("member status", "Active")
    MERGED = "merged", _("Merged into another member")
    ERASED = "erased", _("Erased")


class IdentityKind(models.TextChoices):
    PHONE = "phone", _("Phone")
    EMAIL = "email", _("E-mail")
    UNIONID = "unionid", _("WeChat UnionID")
    OPENID = "openid", _("WeChat OpenID")  # value is openid@app
    EXTERNAL_USERID = "external_userid", _("WeCom external contact")
    APP_USER = "app_user", _("App user")
    DEVICE = "device", _("Device")
    NUMBER = "number", _("Member number")  # value is number@source


# Sealed in storage and found by a blind index.
PERSONAL_KINDS = frozenset({IdentityKind.PHONE, IdentityKind.EMAIL})
# One of these alone proves that two records are one person.
STRONG_KINDS = frozenset({IdentityKind.PHONE, IdentityKind.UNIONID, IdentityKind.EXTERNAL_USERID})


class Channel(models.TextChoices):
    """A way to reach a member; consent is given per channel and purpose."""

    EMAIL = "email", pgettext_lazy("channel", "E-mail")
    SMS = "sms", _("SMS")
    WECOM = "wecom", _("WeCom")
    OFFICIAL_ACCOUNT = "official_account", _("Official account")
    APP_PUSH = "app_push", _("App push")
    SANDBOX = "sandbox", pgettext_lazy("channel", "Sandbox")


class Purpose(models.TextChoices):
    MARKETING = "marketing", _("Marketing")
    SERVICE = "service", _("Service")


class ConsentState(models.TextChoices):
    GRANTED = "granted", _("Granted")
    WITHDRAWN = "withdrawn", _("Withdrawn")


class OrderState(models.TextChoices):
    CREATED = "created", pgettext_lazy("order state", "Created")
    PAID = "paid", _("Paid")
    SHIPPED = "shipped", _("Shipped")
    COMPLETED = "completed", _("Completed")
    CLOSED = "closed", _("Closed")


# An order in one of these was paid for and counts in R, F and M (unless refunded whole).
PAID_STATES = (OrderState.PAID, OrderState.SHIPPED, OrderState.COMPLETED)


class ImportKind(models.TextChoices):
    MEMBERS = "members", _("Members")
    ORDERS = "orders", _("Orders")
    EVENTS = "events", _("Events")


class Rejection(models.TextChoices):
    """Why one item of a batch or one row of a file was not taken. Stable codes of the API."""

    NOT_AN_OBJECT = "not_an_object", _("Not an object")
    MISSING = "missing", _("Required value is missing")
    WRONG_TYPE = "wrong_type", _("Wrong type")
    TOO_LONG = "too_long", _("Too long")
    OUT_OF_RANGE = "out_of_range", _("Out of range")
    INVALID = "invalid", _("Not a valid value")
    UNKNOWN_FIELD = "unknown_field", _("Unknown field")
    FORBIDDEN_CHARACTER = "forbidden_character", _("Contains a forbidden character")
    FORMULA = "formula", _("Starts like a spreadsheet formula")
    IN_FUTURE = "in_future", _("Too far in the future")
    UNKNOWN_MEMBER = "unknown_member", _("No such member")
    NO_IDENTITY = "no_identity", _("No member is named")
    AMBIGUOUS_MEMBER = "ambiguous_member", _("The identities belong to different members")
    UNKNOWN_ORDER = "unknown_order", _("No such order, and no member is named")
    UNKNOWN_STORE = "unknown_store", _("No such store")
    CONFLICTING_DUPLICATE = "conflicting_duplicate", _("The same number with another content in one batch")
    NON_POSITIVE = "non_positive", _("Quantity or price is not positive")
    TOTAL_MISMATCH = "total_mismatch", _("Lines do not add up to the total")
    BAD_ENCODING = "bad_encoding", _("Text is not in the declared encoding")
    WRONG_COLUMNS = "wrong_columns", _("Another number of columns than the header")


class AttributeType(models.TextChoices):
    """What a custom attribute holds: text, a whole number, a date, yes or no, or one of a list."""

    TEXT = "text", pgettext_lazy("attribute", "Text")
    NUMBER = "number", pgettext_lazy("attribute", "Whole number")
    DATE = "date", pgettext_lazy("attribute", "Date")
    YES_NO = "yes_no", pgettext_lazy("attribute", "Yes or no")
    CHOICE = "choice", pgettext_lazy("attribute", "One of a list")


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


class RewardKind(models.TextChoices):
    """What a reward is: points of a currency, a benefit of the catalogue, or something that another part fulfils."""

    POINTS = "points", pgettext_lazy("reward", "Points")
    BENEFIT = "benefit", pgettext_lazy("reward", "Benefit")
    GRANT = "grant", pgettext_lazy("reward", "Coupon, lottery chance …")


class GrantItem(models.TextChoices):
    """What a grant is of."""

    COUPON = "coupon", _("Coupon")
    LOTTERY_DRAW = "lottery_draw", _("Lottery chance")


class GrantState(models.TextChoices):
    OPEN = "open", pgettext_lazy("grant", "To be given")
    FULFILLED = "fulfilled", pgettext_lazy("grant", "Given")
    CANCELLED = "cancelled", pgettext_lazy("grant", "Cancelled")
    RECALLED = "recalled", pgettext_lazy("grant", "To be taken back")


class TaskState(models.TextChoices):
    """Facts count while a task is active; what was counted is undone in every state."""

    DRAFT = "draft", pgettext_lazy("task", "Draft")
    ACTIVE = "active", pgettext_lazy("task", "Active")
    PAUSED = "paused", pgettext_lazy("task", "Paused")
    ENDED = "ended", pgettext_lazy("task", "Ended")


class TaskKind(models.TextChoices):
    """What counts for a task."""

    EVENT = "event", pgettext_lazy("task", "Events")
    ORDER = "order", pgettext_lazy("task", "Paid orders")
    PROFILE = "profile", pgettext_lazy("task", "A complete profile")
    CHECKIN = "checkin", pgettext_lazy("task", "Check-ins")


class TaskMeasure(models.TextChoices):
    """How what counts adds up."""

    COUNT = "count", pgettext_lazy("task", "How many")
    SUM = "sum", pgettext_lazy("task", "Their amount")
    DAYS = "days", pgettext_lazy("task", "On how many different days")
    STREAK = "streak", pgettext_lazy("task", "On how many days in a row")


class TaskWindow(models.TextChoices):
    """Within which time a task has to be done. Days, weeks (from Monday) and months are those of the shop."""

    WHOLE = "whole", pgettext_lazy("task", "The whole time")
    DAY = "day", pgettext_lazy("task", "Each day")
    WEEK = "week", pgettext_lazy("task", "Each week")
    MONTH = "month", pgettext_lazy("task", "Each month")
    ROLLING = "rolling", pgettext_lazy("task", "Any N days")


class TaskClaim(models.TextChoices):
    """How the reward of a task that was done is given."""

    AUTOMATIC = "auto", pgettext_lazy("task", "At once")
    BY_MEMBER = "member", pgettext_lazy("task", "When the member claims it")
