"""What an entry of the timeline says to people."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from members.enums import Channel, ConsentState, EntryKind, OrderState, Purpose, usual_name
from members.queries.timeline import Entry
from scrm.common.display import integer

MOST_PROPERTIES = 8


@dataclass(frozen=True, slots=True)
class Look:
    """How a type of event is drawn, and which of its properties say the most."""

    icon: str
    tone: str = "grey"
    tell: Callable[[dict[str, Any]], str] | None = None


@dataclass(frozen=True, slots=True)
class Item:
    at: datetime
    title: str
    icon: str
    tone: str
    amount: int | None = None  # minor units
    text: str = ""
    source: str = ""
    # Properties that no sentence covers, as (name, value).
    details: list[tuple[str, str]] = field(default_factory=list)


def _of(*names: str) -> Callable[[dict[str, Any]], str]:
    """The first of these properties that has a value."""

    def tell(properties: dict[str, Any]) -> str:
        return next((_plain(properties[name]) for name in names if properties.get(name) not in (None, "")), "")

    return tell


def _change(labels: Callable[[], dict[str, str]] | None = None) -> Callable[[dict[str, Any]], str]:
    """“before → after”."""

    def tell(properties: dict[str, Any]) -> str:
        known = labels() if labels else {}
        before, after = (str(properties.get(name) or "") for name in ("before", "after"))
        return f"{known.get(before, before) or _('none')} → {known.get(after, after) or _('none')}"

    return tell


def _stages() -> dict[str, str]:
    return {
        "prospect": _("Prospect"),
        "new": _("New customer"),
        "active": pgettext("lifecycle stage", "Active"),
        "sleeping": _("Sleeping"),
        "lost": _("Lost"),
        "returned": _("Returned"),
        "awareness": _("Awareness"),
        "interest": _("Interest"),
        "purchase": _("Purchase"),
        "loyalty": _("Loyalty"),
    }


def _consent(properties: dict[str, Any]) -> str:
    words = [dict(Channel.choices), dict(Purpose.choices), dict(ConsentState.choices)]
    names = ("channel", "purpose", "state")
    return " · ".join(
        str(known.get(str(properties[name]), properties[name]))
        for known, name in zip(words, names, strict=True)
        if properties.get(name)
    )


def _expiring(properties: dict[str, Any]) -> str:
    return _("%(amount)s %(name)s to use by %(day)s") % {
        "amount": integer(properties.get("amount")),
        "name": properties.get("name", ""),
        "day": properties.get("day", ""),
    }


_PRODUCT = _of("product", "product_name", "name", "title", "sku")
_CAMPAIGN = _of("campaign", "campaign_name", "subject", "channel")
LOOKS: dict[str, Look] = {
    "page.viewed": Look(icon="eye", tell=_of("title", "path", "url", "sku")),
    "product.viewed": Look(icon="eye", tell=_PRODUCT),
    "product.favorited": Look(icon="heart", tone="pink", tell=_PRODUCT),
    "cart.added": Look(icon="shopping-cart", tone="amber", tell=_PRODUCT),
    "livestream.watched": Look(icon="video", tone="violet", tell=_of("title", "sku")),
    "review.posted": Look(icon="message-star", tone="amber", tell=_of("text", "sku")),
    "coupon.received": Look(icon="ticket", tone="amber", tell=_of("name", "template")),
    "coupon.redeemed": Look(icon="ticket", tone="green", tell=_of("name", "template")),
    "member.registered": Look(icon="user-plus", tone="jade"),
    "app.opened": Look(icon="device-mobile"),
    "search.performed": Look(icon="search", tell=_of("query", "keyword")),
    "message.sent": Look(icon="send", tone="blue", tell=_CAMPAIGN),
    "message.delivered": Look(icon="mail-check", tone="blue", tell=_CAMPAIGN),
    "message.opened": Look(icon="mail-opened", tone="blue", tell=_CAMPAIGN),
    "message.clicked": Look(icon="click", tone="violet", tell=_of("url", "campaign")),
    "message.replied": Look(icon="message-reply", tone="green", tell=_of("text", "campaign")),
    "message.unsubscribed": Look(icon="mail-off", tone="red", tell=_CAMPAIGN),
    "tag.added": Look(icon="tag", tone="jade", tell=_of("tags", "tag", "name")),
    "tag.removed": Look(icon="tag-off", tell=_of("tags", "tag", "name")),
    "segment.entered": Look(icon="filter", tone="violet", tell=_of("segment", "name")),
    "segment.left": Look(icon="filter-off", tell=_of("segment", "name")),
    "lifecycle.changed": Look(icon="recycle", tone="jade", tell=_change(_stages)),
    "aipl.changed": Look(icon="recycle", tone="jade", tell=_change(_stages)),
    "rfm.changed": Look(icon="grid-dots", tone="violet", tell=_change()),
    "points.expiring": Look(icon="hourglass", tone="amber", tell=_expiring),
    "consent.granted": Look(icon="shield-check", tone="green", tell=_consent),
    "consent.withdrawn": Look(icon="shield-off", tone="red", tell=_consent),
    "benefit.claimed": Look(icon="gift", tone="amber", tell=_of("benefit")),
    "benefit.redeemed": Look(icon="gift", tone="green", tell=_of("benefit")),
    "benefit.returned": Look(icon="gift", tone="red", tell=_of("benefit")),
    "benefit.voided": Look(icon="gift-off", tell=_of("benefit")),
    "benefit.expired": Look(icon="gift-off", tell=_of("benefit")),
    "tier.upgraded": Look(icon="medal", tone="jade", tell=_change()),
    "tier.downgraded": Look(icon="medal", tone="amber", tell=_change()),
    "tier.retained": Look(icon="medal", tone="jade", tell=_of("after")),
    "tier.expiring": Look(icon="medal", tone="amber", tell=_of("tier")),
    "membership.started": Look(icon="crown", tone="violet", tell=_of("plan")),
    "membership.renewed": Look(icon="crown", tone="violet", tell=_of("plan")),
    "membership.renewal_due": Look(icon="crown", tone="amber", tell=_of("plan")),
    "membership.expiring": Look(icon="crown", tone="amber", tell=_of("plan")),
    "membership.ended": Look(icon="crown", tell=_of("plan")),
    "membership.refunded": Look(icon="crown", tone="red", tell=_of("plan")),
    "task.completed": Look(icon="target", tone="green", tell=_of("name", "task")),
    "task.undone": Look(icon="target-off", tone="red", tell=_of("name", "task")),
    "checkin.done": Look(icon="calendar-check", tone="green", tell=_of("day")),
}


def present(entry: Entry) -> Item:
    """A title, a sentence and a picture; for a type that is drawn in no way of its own, its properties.

    The name that the brand gave a type goes before the usual one.
    """
    if entry.kind == "order":
        return _order(entry)
    if entry.kind == "points":
        return _points(entry)
    if entry.kind == "refund":
        text = " · ".join(part for part in (f"#{entry.number}", entry.state) if part)
        return Item(
            entry.at, _("Refund"), icon="receipt-refund", tone="red",
            amount=entry.amount, text=text, source=entry.source,
        )  # fmt: skip
    key = entry.type_key
    if key == "lifecycle.changed" and entry.properties.get("kind") == "aipl":
        key = "aipl.changed"
    title = entry.type_name or usual_name(key) or key
    look = LOOKS.get(key)
    if look is None:
        return Item(
            entry.at,
            title,
            icon="point",
            tone="grey",
            amount=entry.amount,
            source=entry.source,
            details=list(_details(entry.properties)),
        )
    text = look.tell(entry.properties) if look.tell else ""
    return Item(entry.at, title, look.icon, look.tone, entry.amount, text, entry.source)


def _points(entry: Entry) -> Item:
    """ "获得 120 积分"."""
    points = int(entry.properties["points"])
    words = {"name": entry.type_name, "amount": integer(abs(points))}
    titles = {
        EntryKind.EARN: _("Earned %(amount)s %(name)s"),
        EntryKind.SPEND: _("Spent %(amount)s %(name)s"),
        EntryKind.POST: _("Spent %(amount)s %(name)s"),
        EntryKind.REFUND: _("Was given back %(amount)s %(name)s"),
        EntryKind.REVERSE: _("%(amount)s %(name)s were taken back"),
        EntryKind.EXPIRE: _("%(amount)s %(name)s expired"),
    }
    other = _("%(amount)s %(name)s were credited") if points > 0 else _("%(amount)s %(name)s were taken away")
    return Item(
        entry.at,
        titles.get(EntryKind(entry.type_key), other) % words,
        icon="coins",
        tone="green" if points > 0 else "grey",
        text=str(entry.properties.get("reason") or ""),
    )


def _order(entry: Entry) -> Item:
    goods = "、".join(entry.products) if entry.products else ""
    more = entry.line_count - len(entry.products)
    if more > 0:
        goods += " " + ngettext("and %(count)s more", "and %(count)s more", more) % {"count": more}
    label = OrderState(entry.state).label if entry.state in OrderState.values else entry.state
    paid = entry.state not in (OrderState.CREATED, OrderState.CLOSED)
    return Item(
        entry.at,
        _("Placed an order"),
        icon="shopping-bag",
        tone="green" if paid else "grey",
        amount=entry.amount,
        text=" · ".join(part for part in (str(label), goods, f"#{entry.number}", entry.store) if part),
        source=entry.source,
    )


def _details(properties: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name in list(properties)[:MOST_PROPERTIES]:
        yield str(name)[:40], _plain(properties[name])


def _plain(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(one, str | int) for one in value):
        text = "、".join(str(one) for one in value)
    elif isinstance(value, dict | list):
        text = json.dumps(value, ensure_ascii=False)
    elif isinstance(value, bool):
        text = _("yes") if value else _("no")
    else:
        text = str(value)
    return text if len(text) <= 120 else f"{text[:120]}…"
