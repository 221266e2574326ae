from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


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
