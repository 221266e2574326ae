"""What an item has to keep beyond its shape, and its values as they are stored. Pure: `now` comes in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from msgspec.structs import astuple

from members.enums import PAID_STATES, OrderState, Rejection
from members.rules import identities, rejections
from members.rules.identities import Named
from members.rules.intake import EventIn, MemberIn, MemberRef, OrderIn, OrderLineIn, OrderRefundIn, RefundIn
from members.rules.rejections import ItemRejected
from scrm.common.money import to_minor

LARGEST_QUANTITY = 1_000_000
LARGEST_UNIT_PRICE = Decimal(10) ** 9
_PRICE_STEP = Decimal("0.0001")
_PAID = frozenset(state.value for state in PAID_STATES)
_RANK = {state.value: rank for rank, state in enumerate(OrderState)}
_SIMPLE_KEYS = ("phone", "email", "unionid", "openid", "external_userid", "app_user", "device", "number")

# An event's identities strongest first, its amount in minor units, its properties as JSON.
Happening = tuple[list[Named], int | None, str]


def named(ref: MemberRef, source: str, parent: str = "member") -> list[Named]:
    """The normalised identities of a reference, strongest first. Raises `ItemRejected` when it names nobody."""
    prefix = f"{parent}." if parent else ""
    # In the order of the struct: a profile's own fields come after its reference's.
    _, _, *values = astuple(ref)
    found = [
        identities.normalise(kind, value, source=source, field=prefix + kind)
        for kind, value in zip(_SIMPLE_KEYS, values, strict=False)
        if value is not None
    ]
    for index, one in enumerate(ref.identities):
        path = f"{prefix}identities[{index}].value"
        found.append(identities.normalise(one.kind, one.value, source=source, field=path))
    if not found and ref.member_id is None:
        raise ItemRejected(Rejection.NO_IDENTITY, parent)
    return identities.by_strength(found) if len(found) > 1 else found


def events(items: Sequence[EventIn], latest: datetime) -> list[Happening | ItemRejected]:
    """The values of events, each checked or refused, in order.

    What nearly always holds is looked at for the whole batch at once; only a batch that fails there is taken apart.
    """
    try:
        _check_events_together(items, latest)
    except ItemRejected:
        check: Callable[[EventIn, datetime], int | None] = check_event
    else:
        check = _amount
    found: list[Happening | ItemRejected] = []
    for item in items:
        try:
            amount = check(item, latest)
            found.append(
                (
                    named(item.member, item.source),
                    amount,
                    rejections.properties_json(item.properties, "properties") if item.properties else "{}",
                )
            )
        except ItemRejected as error:
            found.append(error)
    return found


def _check_events_together(items: Sequence[EventIn], latest: datetime) -> None:
    if not items:
        return
    for source in {item.source for item in items}:
        rejections.check_source(source)
    rejections.check_text("".join({item.type for item in items}), "type")
    rejections.check_text("".join([item.message_id for item in items]), "message_id")
    instants = [item.occurred_at for item in items]
    if any(instant.tzinfo is None for instant in instants):
        raise ItemRejected(Rejection.INVALID, "occurred_at")
    rejections.check_instant(max(instants), "occurred_at", latest=latest)
    rejections.check_instant(min(instants), "occurred_at", latest=latest)


def check_event(item: EventIn, latest: datetime) -> int | None:
    """Refuse what cannot be stored; the amount in minor units."""
    rejections.check_source(item.source)
    rejections.check_text(item.message_id, "message_id")
    rejections.check_text(item.type, "type")
    rejections.check_instant(item.occurred_at, "occurred_at", latest=latest)
    return _amount(item, latest)


def _amount(item: EventIn, _latest: datetime) -> int | None:
    return None if item.amount is None else rejections.amount(item.amount, "amount")


@dataclass(frozen=True, slots=True)
class Line:
    sku: str
    name: str
    category: str
    quantity: int
    unit_price: Decimal  # major units
    amount: int  # minor units


@dataclass(frozen=True, slots=True)
class Repayment:
    number: str
    amount: int  # minor units
    refunded_at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Purchase:
    """An order as it is stored; amounts in minor units."""

    number: str
    state: str
    store: str | None
    channel: str
    currency: str | None
    amount: int
    discount: int
    ordered_at: datetime
    paid_at: datetime | None
    version_at: datetime
    lines: list[Line] | None = None  # None: those known stay
    refunds: list[Repayment] = field(default_factory=list)

    @property
    def version(self) -> tuple[datetime, int]:
        """Orders the versions: by the shop's time, then by how far the order has come."""
        return self.version_at, _RANK[self.state]


def version(version_at: datetime, state: str) -> tuple[datetime, int]:
    """The same of a stored order."""
    return version_at, _RANK[state]


def purchase(item: OrderIn, latest: datetime) -> Purchase:
    """An order's values, checked: times, amounts, sums of lines and refunds. Raises `ItemRejected`."""
    rejections.check_text(item.number, "number")
    rejections.check_text(item.channel, "channel")
    rejections.check_instant(item.ordered_at, "ordered_at", latest=latest)
    for name in ("paid_at", "version_at"):
        instant = getattr(item, name)
        if instant is not None:
            rejections.check_instant(instant, name, latest=latest)
    lines = None
    if item.lines is not None:
        lines = [_line(line, f"lines[{index}]") for index, line in enumerate(item.lines)]
    discount = rejections.amount(item.discount, "discount")
    if item.amount is not None:
        amount = rejections.amount(item.amount, "amount")
    elif lines:
        amount = max(sum(line.amount for line in lines) - discount, 0)
        rejections.amount(Decimal(amount) / 100, "lines")
    else:
        raise ItemRejected(Rejection.MISSING, "amount")
    refunds = _repayments(item.refunds, amount, latest)
    paid_at = item.paid_at
    if paid_at is None and item.state in _PAID:
        paid_at = item.ordered_at
    # Not the refunds' times: they are facts of their own, and must not make an old state look new.
    version_at = item.version_at or max(item.ordered_at, paid_at or item.ordered_at)
    return Purchase(
        number=item.number,
        state=item.state,
        store=item.store,
        channel=item.channel,
        currency=item.currency,
        amount=amount,
        discount=discount,
        ordered_at=item.ordered_at,
        paid_at=paid_at,
        version_at=version_at,
        lines=lines,
        refunds=refunds,
    )


def _line(line: OrderLineIn, path: str) -> Line:
    rejections.check_text(line.sku, f"{path}.sku")
    rejections.check_text(line.name, f"{path}.name")
    rejections.check_text(line.category, f"{path}.category")
    if line.quantity <= 0:
        raise ItemRejected(Rejection.NON_POSITIVE, f"{path}.quantity")
    if line.quantity > LARGEST_QUANTITY:
        raise ItemRejected(Rejection.OUT_OF_RANGE, f"{path}.quantity")
    price = line.unit_price
    if price.is_finite() and price < 0:
        raise ItemRejected(Rejection.NON_POSITIVE, f"{path}.unit_price")
    if not price.is_finite() or price > LARGEST_UNIT_PRICE:
        raise ItemRejected(Rejection.OUT_OF_RANGE, f"{path}.unit_price")
    price = price.quantize(_PRICE_STEP, ROUND_HALF_UP)
    total = price * line.quantity
    if total > rejections.LARGEST_AMOUNT:
        raise ItemRejected(Rejection.OUT_OF_RANGE, path)
    return Line(line.sku, line.name, line.category, line.quantity, price, to_minor(total))


def _repayments(items: list[OrderRefundIn], amount: int, latest: datetime) -> list[Repayment]:
    found: dict[str, Repayment] = {}
    for index, item in enumerate(items):
        path = f"refunds[{index}]"
        repayment = _repayment(item, latest, f"{path}.")
        if found.setdefault(repayment.number, repayment) != repayment:
            raise ItemRejected(Rejection.CONFLICTING_DUPLICATE, f"{path}.number")
    if sum(one.amount for one in found.values()) > amount:
        raise ItemRejected(Rejection.OUT_OF_RANGE, "refunds")
    return list(found.values())


def _repayment(item: OrderRefundIn | RefundIn, latest: datetime, prefix: str = "") -> Repayment:
    rejections.check_text(item.number, f"{prefix}number")
    rejections.check_prose(item.reason, f"{prefix}reason")
    rejections.check_instant(item.refunded_at, f"{prefix}refunded_at", latest=latest)
    amount = rejections.amount(item.amount, f"{prefix}amount")
    if amount == 0:
        raise ItemRejected(Rejection.NON_POSITIVE, f"{prefix}amount")
    return Repayment(item.number, amount, item.refunded_at, item.reason)


def repayment(item: RefundIn, latest: datetime) -> Repayment:
    """A refund's values, checked. Raises `ItemRejected`."""
    if item.order_number is not None:
        rejections.check_text(item.order_number, "order_number")
    elif item.member is None:
        raise ItemRejected(Rejection.NO_IDENTITY, "member")
    return _repayment(item, latest)


def check_member(item: MemberIn, latest: datetime) -> None:
    """Refuse profile values that cannot be stored."""
    for name in ("name", "province", "city", "country", "language", "time_zone"):
        value = getattr(item, name)
        if value is not None:
            rejections.check_text(value, name)
    if item.joined_at is not None:
        rejections.check_instant(item.joined_at, "joined_at", latest=latest)
    if item.birth_on is not None and not (item.birth_on.year >= 1900 and item.birth_on <= latest.date()):
        raise ItemRejected(Rejection.OUT_OF_RANGE, "birth_on")
