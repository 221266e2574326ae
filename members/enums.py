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
    KNOWN_CODE = "known_code", _("This code has been delivered before")
    CODE_TWICE = "code_twice", _("The same code twice")
    IN_PAST = "in_past", _("In the past")


class AttributeType(models.TextChoices):
    """What a custom attribute holds: text, a whole number, a date, yes or no, or one of a list."""

    TEXT = "text", pgettext_lazy("attribute", "Text")
    NUMBER = "number", pgettext_lazy("attribute", "Whole number")
    DATE = "date", pgettext_lazy("attribute", "Date")
    YES_NO = "yes_no", pgettext_lazy("attribute", "Yes or no")
    CHOICE = "choice", pgettext_lazy("attribute", "One of a list")


class UsualEvent(models.TextChoices):
    """The types of events that the product makes itself or names in its templates, by key."""

    PAGE_VIEWED = "page.viewed", _("Viewed a page")
    PRODUCT_VIEWED = "product.viewed", _("Viewed a product")
    PRODUCT_FAVORITED = "product.favorited", _("Added to favourites")
    CART_ADDED = "cart.added", _("Put into the cart")
    LIVESTREAM_WATCHED = "livestream.watched", _("Watched a livestream")
    REVIEW_POSTED = "review.posted", _("Posted a review")
    COUPON_RECEIVED = "coupon.received", _("Received a coupon")
    COUPON_REDEEMED = "coupon.redeemed", _("Redeemed a coupon")
    MEMBER_REGISTERED = "member.registered", _("Registered")
    APP_OPENED = "app.opened", _("Opened the app")
    SEARCH_PERFORMED = "search.performed", _("Searched")
    MESSAGE_SENT = "message.sent", _("Was sent a message")
    MESSAGE_DELIVERED = "message.delivered", _("Message delivered")
    MESSAGE_OPENED = "message.opened", _("Opened a message")
    MESSAGE_CLICKED = "message.clicked", _("Clicked a link")
    MESSAGE_REPLIED = "message.replied", _("Replied")
    MESSAGE_UNSUBSCRIBED = "message.unsubscribed", _("Unsubscribed")
    TAG_ADDED = "tag.added", _("Tag added")
    TAG_REMOVED = "tag.removed", _("Tag removed")
    SEGMENT_ENTERED = "segment.entered", _("Entered a segment")
    SEGMENT_LEFT = "segment.left", _("Left a segment")
    LIFECYCLE_CHANGED = "lifecycle.changed", _("Lifecycle stage changed")
    AIPL_CHANGED = "aipl.changed", _("AIPL stage changed")
    RFM_CHANGED = "rfm.changed", _("RFM class changed")
    POINTS_EXPIRING = "points.expiring", _("Points expire soon")
    BENEFIT_CLAIMED = "benefit.claimed", _("Got a benefit")
    BENEFIT_REDEEMED = "benefit.redeemed", _("Used a benefit")
    BENEFIT_RETURNED = "benefit.returned", _("The use of a benefit was taken back")
    BENEFIT_VOIDED = "benefit.voided", _("A benefit was voided")
    BENEFIT_EXPIRED = "benefit.expired", _("A benefit expired unused")
    TIER_UPGRADED = "tier.upgraded", _("Tier upgraded")
    TIER_DOWNGRADED = "tier.downgraded", _("Tier downgraded")
    TIER_RETAINED = "tier.retained", _("Tier kept")
    TIER_EXPIRING = "tier.expiring", _("Was told that the tier expires")
    MEMBERSHIP_STARTED = "membership.started", _("Bought a membership")
    MEMBERSHIP_RENEWED = "membership.renewed", _("Renewed a membership")
    MEMBERSHIP_RENEWAL_DUE = "membership.renewal_due", _("Membership is to be renewed")
    MEMBERSHIP_EXPIRING = "membership.expiring", _("Membership ends soon")
    MEMBERSHIP_ENDED = "membership.ended", _("Membership ended")
    MEMBERSHIP_REFUNDED = "membership.refunded", _("Membership refunded")
    TASK_COMPLETED = "task.completed", _("Did a task")
    TASK_UNDONE = "task.undone", _("A task no longer counts as done")
    CHECKIN_DONE = "checkin.done", _("Checked in")
    CONSENT_GRANTED = "consent.granted", _("Consent given")
    CONSENT_WITHDRAWN = "consent.withdrawn", _("Consent withdrawn")


# What the product notes on a timeline without the member having done anything.
NOTED_EVENTS = frozenset(
    kind.value
    for kind in UsualEvent
    if kind.value.startswith(("tag.", "segment.", "lifecycle.", "aipl.", "rfm.", "points."))
    or kind in (UsualEvent.MESSAGE_SENT, UsualEvent.MESSAGE_DELIVERED)
)
_USUAL_NAMES = dict(UsualEvent.choices)


def usual_name(event_type: str) -> str:
    """What a type of events is called while the brand has given it no name; empty for one that is not usual."""
    return str(_USUAL_NAMES.get(event_type, ""))


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


class BenefitKind(models.TextChoices):
    DISCOUNT = "discount", pgettext_lazy("benefit", "Discount")
    FREE_SHIPPING = "free_shipping", pgettext_lazy("benefit", "Free shipping")
    BIRTHDAY_GIFT = "birthday_gift", pgettext_lazy("benefit", "Birthday gift")
    SERVICE = "service", pgettext_lazy("benefit", "Service")
    POINTS_MULTIPLIER = "points_multiplier", pgettext_lazy("benefit", "Points multiplier")
    PARTNER_CODE = "partner_code", pgettext_lazy("benefit", "Partner code")
    OTHER = "other", pgettext_lazy("benefit", "Something else")


class BenefitState(models.TextChoices):
    DRAFT = "draft", pgettext_lazy("benefit state", "Draft")
    ACTIVE = "active", pgettext_lazy("benefit state", "Active")
    ENDED = "ended", pgettext_lazy("benefit state", "Ended")


class QuotaPeriod(models.TextChoices):
    """What a quota is counted in: the shop's calendar, the member's tier cycle, or once and for all."""

    DAY = "day", pgettext_lazy("quota", "a day")
    WEEK = "week", pgettext_lazy("quota", "a week")
    MONTH = "month", pgettext_lazy("quota", "a month")
    QUARTER = "quarter", pgettext_lazy("quota", "a quarter")
    YEAR = "year", pgettext_lazy("quota", "a year")
    TIER_CYCLE = "tier_cycle", pgettext_lazy("quota", "a tier cycle")
    EVER = "ever", pgettext_lazy("quota", "in all")


class ClaimState(models.TextChoices):
    CLAIMED = "claimed", pgettext_lazy("claim", "To be used")
    REDEEMED = "redeemed", pgettext_lazy("claim", "Used")
    EXPIRED = "expired", pgettext_lazy("claim", "Expired")
    VOIDED = "voided", pgettext_lazy("claim", "Voided")
    RETURNED = "returned", pgettext_lazy("claim", "Use taken back")


class ClaimSource(models.TextChoices):
    """How a member came to a claim."""

    CLAIM = "claim", pgettext_lazy("claim", "Claimed")
    USE = "use", pgettext_lazy("claim", "Used without a claim")
    ISSUE = "issue", pgettext_lazy("claim", "Given by staff")
    REWARD = "reward", pgettext_lazy("claim", "Reward")
    BIRTHDAY = "birthday", pgettext_lazy("claim", "Birthday")


class CodeState(models.TextChoices):
    """Where a partner's code stands. One that somebody has seen is never given to anybody else."""

    FREE = "free", pgettext_lazy("partner code", "In stock")
    GIVEN = "given", pgettext_lazy("partner code", "Given out")
    WITHDRAWN = "withdrawn", pgettext_lazy("partner code", "Withdrawn")


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


class EarningTrigger(models.TextChoices):
    """What a rule gives points for."""

    ORDER = "order", pgettext_lazy("earning rule", "Orders")
    EVENT = "event", pgettext_lazy("earning rule", "Events")


class EarningState(models.TextChoices):
    """Whether a rule counts: from activating to ending, but for pauses."""

    DRAFT = "draft", pgettext_lazy("earning rule", "Draft")
    ACTIVE = "active", pgettext_lazy("earning rule", "Active")
    PAUSED = "paused", pgettext_lazy("earning rule", "Paused")
    ENDED = "ended", pgettext_lazy("earning rule", "Ended")


class TierBasis(models.TextChoices):
    """What a tier is earned by."""

    GROWTH = "growth", pgettext_lazy("tier basis", "Growth")
    SPEND = "spend", pgettext_lazy("tier basis", "Net amount paid")
    ORDERS = "orders", pgettext_lazy("tier basis", "Number of orders")


class TierWindow(models.TextChoices):
    """Over what it is added up."""

    LIFETIME = "lifetime", pgettext_lazy("tier window", "All time")
    CALENDAR = "calendar", pgettext_lazy("tier window", "The current period of the calendar")
    ROLLING = "rolling", pgettext_lazy("tier window", "The last N months")
    ANNIVERSARY = "anniversary", pgettext_lazy("tier window", "The year of membership")


class TierPeriod(models.TextChoices):
    MONTH = "month", pgettext_lazy("tier period", "Calendar month")
    QUARTER = "quarter", pgettext_lazy("tier period", "Calendar quarter")
    HALF = "half", pgettext_lazy("tier period", "Half of a calendar year")
    YEAR = "year", pgettext_lazy("tier period", "Calendar year")


class TierStart(models.TextChoices):
    AT_ONCE = "at_once", pgettext_lazy("tier start", "At once")
    NEXT_PERIOD = "next_period", pgettext_lazy("tier start", "When the next period begins")


class TierValidity(models.TextChoices):
    FOREVER = "forever", pgettext_lazy("tier validity", "For good")
    PERIOD_END = "period_end", pgettext_lazy("tier validity", "Until the end of the period")
    NEXT_PERIOD_END = "next_period_end", pgettext_lazy("tier validity", "Until the end of the next period")
    MONTHS = "months", pgettext_lazy("tier validity", "N months")


class TierDowngrade(models.TextChoices):
    """What becomes of a tier that expires without having been kept."""

    KEEP = "keep", pgettext_lazy("tier downgrade", "It is kept all the same")
    ONE = "one", pgettext_lazy("tier downgrade", "One level down")
    EARNED = "earned", pgettext_lazy("tier downgrade", "Down to the level earned")


class TierOnRefund(models.TextChoices):
    """What a refund does that takes away what a tier was earned by."""

    KEEP = "keep", pgettext_lazy("tier on refund", "The tier stays until it expires")
    AT_ONCE = "at_once", pgettext_lazy("tier on refund", "The tier goes at once")


class TierSource(models.TextChoices):
    EARNED = "earned", pgettext_lazy("tier source", "Earned")
    PAID = "paid", pgettext_lazy("tier source", "Paid membership")
    HAND = "hand", pgettext_lazy("tier source", "Set by hand")


class TierMoveKind(models.TextChoices):
    INTRODUCED = "introduced", pgettext_lazy("tier move", "Placed when the ladder was introduced")
    UPGRADED = "upgraded", pgettext_lazy("tier move", "Upgraded")
    DOWNGRADED = "downgraded", pgettext_lazy("tier move", "Downgraded")
    RETAINED = "retained", pgettext_lazy("tier move", "Kept")


class TierReason(models.TextChoices):
    """Why a tier moved."""

    REACHED = "reached", pgettext_lazy("tier reason", "Reached the threshold")
    LATE = "late", pgettext_lazy("tier reason", "Facts that came late had earned it")
    RETENTION = "retention", pgettext_lazy("tier reason", "Reached what keeps the tier")
    POLICY = "policy", pgettext_lazy("tier reason", "Expired; the ladder takes nothing away")
    EXPIRED = "expired", pgettext_lazy("tier reason", "Expired without reaching what keeps the tier")
    REFUND = "refund", pgettext_lazy("tier reason", "A refund took away what it was earned by")
    HAND = "hand", pgettext_lazy("tier reason", "Set by hand")
    HAND_ENDED = "hand_ended", pgettext_lazy("tier reason", "What was set by hand has ended")
    PAID = "paid", pgettext_lazy("tier reason", "Bought a membership")
    PAID_ENDED = "paid_ended", pgettext_lazy("tier reason", "The paid membership has ended")


class MembershipState(models.TextChoices):
    ACTIVE = "active", pgettext_lazy("membership", "Running")
    ENDED = "ended", pgettext_lazy("membership", "Ended")
    REFUNDED = "refunded", pgettext_lazy("membership", "Refunded")


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
