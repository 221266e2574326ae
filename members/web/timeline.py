"""What an entry of the timeline says to people."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

from members.enums import Channel, ConsentState, OrderState, Purpose
from members.queries.timeline import Entry

MOST_PROPERTIES = 8


@dataclass(frozen=True, slots=True)
class Look:
    """How a kind of entry is drawn, and which of its properties say the most."""

    title: str | Promise
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


_PRODUCT = _of("product", "product_name", "name", "title", "sku")
_CAMPAIGN = _of("campaign", "campaign_name", "subject", "channel")
LOOKS: dict[str, Look] = {
    "page.viewed": Look(gettext_lazy("Viewed a page"), icon="eye", tell=_of("title", "path", "url", "sku")),
    "product.viewed": Look(gettext_lazy("Viewed a product"), icon="eye", tell=_PRODUCT),
    "product.favorited": Look(gettext_lazy("Added to favourites"), icon="heart", tone="pink", tell=_PRODUCT),
    "cart.added": Look(gettext_lazy("Put into the cart"), icon="shopping-cart", tone="amber", tell=_PRODUCT),
    "livestream.watched": Look(
        gettext_lazy("Watched a livestream"), icon="video", tone="violet", tell=_of("title", "sku")
    ),
    "review.posted": Look(gettext_lazy("Posted a review"), icon="message-star", tone="amber", tell=_of("text", "sku")),
    "coupon.received": Look(
        gettext_lazy("Received a coupon"), icon="ticket", tone="amber", tell=_of("name", "template")
    ),
    "coupon.redeemed": Look(
        gettext_lazy("Redeemed a coupon"), icon="ticket", tone="green", tell=_of("name", "template")
    ),
    "member.registered": Look(gettext_lazy("Registered"), icon="user-plus", tone="jade"),
    "app.opened": Look(gettext_lazy("Opened the app"), icon="device-mobile"),
    "search.performed": Look(gettext_lazy("Searched"), icon="search", tell=_of("query", "keyword")),
    "message.sent": Look(gettext_lazy("Was sent a message"), icon="send", tone="blue", tell=_CAMPAIGN),
    "message.delivered": Look(gettext_lazy("Message delivered"), icon="mail-check", tone="blue", tell=_CAMPAIGN),
    "message.opened": Look(gettext_lazy("Opened a message"), icon="mail-opened", tone="blue", tell=_CAMPAIGN),
    "message.clicked": Look(gettext_lazy("Clicked a link"), icon="click", tone="violet", tell=_of("url", "campaign")),
    "message.replied": Look(gettext_lazy("Replied"), icon="message-reply", tone="green", tell=_of("text", "campaign")),
    "message.unsubscribed": Look(gettext_lazy("Unsubscribed"), icon="mail-off", tone="red", tell=_CAMPAIGN),
    "tag.added": Look(gettext_lazy("Tag added"), icon="tag", tone="jade", tell=_of("tags", "tag", "name")),
    "tag.removed": Look(gettext_lazy("Tag removed"), icon="tag-off", tell=_of("tags", "tag", "name")),
    "segment.entered": Look(
        gettext_lazy("Entered a segment"), icon="filter", tone="violet", tell=_of("segment", "name")
    ),
    "segment.left": Look(gettext_lazy("Left a segment"), icon="filter-off", tell=_of("segment", "name")),
    "lifecycle.changed": Look(
        gettext_lazy("Lifecycle stage changed"), icon="recycle", tone="jade", tell=_change(_stages)
    ),
    "aipl.changed": Look(gettext_lazy("AIPL stage changed"), icon="recycle", tone="jade", tell=_change(_stages)),
    "rfm.changed": Look(gettext_lazy("RFM class changed"), icon="grid-dots", tone="violet", tell=_change()),
    "task.completed": Look(gettext_lazy("Did a task"), icon="target", tone="green", tell=_of("name", "task")),
    "task.undone": Look(
        gettext_lazy("A task no longer counts as done"), icon="target-off", tone="red", tell=_of("name", "task")
    ),
    "checkin.done": Look(gettext_lazy("Checked in"), icon="calendar-check", tone="green", tell=_of("day")),
    "consent.granted": Look(gettext_lazy("Consent given"), icon="shield-check", tone="green", tell=_consent),
    "consent.withdrawn": Look(gettext_lazy("Consent withdrawn"), icon="shield-off", tone="red", tell=_consent),
}


def present(entry: Entry) -> Item:
    """A title, a sentence and a picture; for a type nobody described, its key and its properties."""
    if entry.kind == "order":
        return _order(entry)
    if entry.kind == "refund":
        text = " · ".join(part for part in (f"#{entry.number}", entry.state) if part)
        return Item(
            entry.at, _("Refund"), icon="receipt-refund", tone="red",
            amount=entry.amount, text=text, source=entry.source,
        )  # fmt: skip
    key = entry.type_key
    if key == "lifecycle.changed" and entry.properties.get("kind") == "aipl":
        key = "aipl.changed"
    look = LOOKS.get(key)
    if look is None:
        return Item(
            entry.at,
            entry.type_name or entry.type_key,
            icon="point",
            tone="grey",
            amount=entry.amount,
            source=entry.source,
            details=list(_details(entry.properties)),
        )
    text = look.tell(entry.properties) if look.tell else ""
    return Item(entry.at, str(look.title), look.icon, look.tone, entry.amount, text, entry.source)


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
