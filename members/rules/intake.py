"""What the intake takes: the shape of one item of each kind, read from JSON or from a file's row.

An item that `read_item` or `read_batch` gave out has the right types and lengths; what needs more than its own shape
(times, identities, sums) is checked by `members.rules.facts`.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from members.enums import Rejection
from members.rules.rejections import ItemRejected

Key = Annotated[str, Meta(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]*$")]
Number = Annotated[str, Meta(min_length=1, max_length=64)]
Value = Annotated[str, Meta(min_length=1, max_length=160)]
Instant = Annotated[datetime, Meta(tz=True)]
Properties = Annotated[dict[str, Any], Meta(max_length=500)]
DEFAULT_SOURCE = "api"


class IdentityIn(Struct, frozen=True, forbid_unknown_fields=True):
    """One way of recognising a member."""

    kind: Literal["phone", "email", "unionid", "openid", "external_userid", "app_user", "device", "number"]
    value: Value


class MemberRef(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whom a fact is about: a member id, or identities as a list, or the common ones by name."""

    member_id: Annotated[int, Meta(ge=1, le=2**63 - 1)] | None = None
    identities: Annotated[list[IdentityIn], Meta(max_length=20)] = []
    phone: Value | None = None
    email: Value | None = None
    unionid: Value | None = None
    openid: Value | None = None
    external_userid: Value | None = None
    app_user: Value | None = None
    device: Value | None = None
    number: Value | None = None


class EventIn(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Something a member did. (source, message_id) is its identity: sending it again changes nothing."""

    source: Key = DEFAULT_SOURCE
    message_id: Annotated[str, Meta(min_length=1, max_length=128)]
    type: Annotated[str, Meta(min_length=1, max_length=60)]
    occurred_at: Instant
    member: MemberRef
    amount: Decimal | None = None
    properties: Properties = {}


class OrderLineIn(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What was bought; `unit_price` in major units, up to four decimals."""

    sku: Number
    quantity: int
    unit_price: Decimal
    name: Annotated[str, Meta(max_length=200)] = ""
    category: Annotated[str, Meta(max_length=60)] = ""


class OrderRefundIn(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A refund inside its order."""

    number: Number
    amount: Decimal
    refunded_at: Instant
    reason: Annotated[str, Meta(max_length=200)] = ""


class OrderIn(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An order at one point of its life. (source, number) is its identity.

    Amounts are decimal strings in major units. `amount` defaults to the lines less `discount`, `version_at` (the
    shop's time of this version) to the latest time in it, `paid_at` of a paid order to `ordered_at`.
    """

    source: Key = DEFAULT_SOURCE
    number: Number
    member: MemberRef
    state: Literal["created", "paid", "shipped", "completed", "closed"]
    ordered_at: Instant
    amount: Decimal | None = None
    discount: Decimal = Decimal(0)
    paid_at: Instant | None = None
    version_at: Instant | None = None
    store: Annotated[str, Meta(min_length=1, max_length=32)] | None = None
    channel: Annotated[str, Meta(max_length=24)] = ""
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}$")] | None = None
    lines: Annotated[list[OrderLineIn], Meta(max_length=5000)] | None = None  # left out: those known stay
    refunds: Annotated[list[OrderRefundIn], Meta(max_length=200)] = []


class RefundIn(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A refund by itself: of an order (`order_number`, which may arrive later), or of a member."""

    source: Key = DEFAULT_SOURCE
    number: Number
    amount: Decimal
    refunded_at: Instant
    order_number: Number | None = None
    member: MemberRef | None = None
    reason: Annotated[str, Meta(max_length=200)] = ""


class MemberIn(MemberRef, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A member's profile. Fields that are given replace what is known; attributes are merged key by key."""

    source: Key = DEFAULT_SOURCE
    name: Annotated[str, Meta(max_length=60)] | None = None
    gender: Literal["", "f", "m"] | None = None
    birth_on: date | None = None
    province: Annotated[str, Meta(max_length=40)] | None = None
    city: Annotated[str, Meta(max_length=40)] | None = None
    country: Annotated[str, Meta(max_length=60)] | None = None
    language: Annotated[str, Meta(max_length=8)] | None = None
    time_zone: Annotated[str, Meta(max_length=40)] | None = None
    store: Annotated[str, Meta(min_length=1, max_length=32)] | None = None
    owner: Annotated[str, Meta(min_length=1, max_length=32)] | None = None  # the staff number
    joined_at: Instant | None = None
    attributes: Properties = {}


Item = TypeVar("Item", EventIn, OrderIn, RefundIn, MemberIn)


class Outcome(Struct, frozen=True, omit_defaults=True):
    """What became of one item: accepted, updated, duplicate, ignored (an older version) or rejected."""

    status: Literal["accepted", "updated", "duplicate", "ignored", "rejected"]
    id: str | None = None
    code: str = ""
    field: str = ""
    message: str = ""


ACCEPTED = Outcome("accepted")
DUPLICATE = Outcome("duplicate")


def rejected(error: ItemRejected) -> Outcome:
    """The outcome of an item that cannot be taken."""
    return Outcome("rejected", code=error.code.value, field=error.field, message=str(Rejection(error.code).label))


def read_item(kind: type[Item], raw: Any, *, from_text: bool = False) -> Item:
    """One item from plain values (a dict). Raises `ItemRejected`.

    `from_text` also reads numbers and dates written as text, as a file's cells are.
    """
    try:
        return msgspec.convert(raw, kind, strict=not from_text)
    except msgspec.ValidationError as error:
        raise explain(error) from error
    except RecursionError as error:
        raise ItemRejected(Rejection.OUT_OF_RANGE) from error


def explain(error: msgspec.ValidationError) -> ItemRejected:
    """The typed reason and the field path behind a decoder's complaint."""
    text, _, path = str(error).partition(" - at ")
    field = path.strip("`").removeprefix("$").replace("[...]", "").lstrip(".")
    code = Rejection.WRONG_TYPE
    if text.startswith("Object missing required field "):
        code, field = Rejection.MISSING, _join(field, text.split("`")[1])
    elif text.startswith("Object contains unknown field "):
        code, field = Rejection.UNKNOWN_FIELD, _join(field, text.split("`", 1)[1].rstrip("`")[:100])
    elif text.endswith("got `null`") or " of length >= " in text:
        code = Rejection.MISSING
    elif " of length <= " in text:
        code = Rejection.TOO_LONG
    elif "out of range" in text or " >= " in text or " <= " in text:
        code = Rejection.OUT_OF_RANGE
    elif text.startswith("Invalid") or "matching regex" in text or "timezone" in text:
        code = Rejection.INVALID
    elif not field and text.startswith("Expected `object`"):
        code = Rejection.NOT_AN_OBJECT
    return ItemRejected(code, field)


def _join(parent: str, name: str) -> str:
    return f"{parent}.{name}" if parent else name
