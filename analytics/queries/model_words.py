"""Models and their values in words: names of values, how each is computed, why a member has one."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from analytics.enums import ModelKey
from analytics.rules.model_tags import category, channel, churn, hour, price, promotion

Text = str | Promise

LEVELS: dict[str, Text] = {
    "high": pgettext_lazy("level", "High"),
    "middle": pgettext_lazy("level", "Middle"),
    "low": pgettext_lazy("level", "Low"),
}
BY_LEVEL = (ModelKey.PRICE, ModelKey.PROMOTION, ModelKey.CHURN)

# Tags stand without their group's name beside them, so they say what they are about.
_LEVEL_TAGS: dict[str, dict[str, Text]] = {
    ModelKey.PRICE: {
        "high": gettext_lazy("Price-sensitive"),
        "middle": gettext_lazy("Medium prices"),
        "low": gettext_lazy("Not price-sensitive"),
    },
    ModelKey.PROMOTION: {
        "high": gettext_lazy("Promotion-sensitive"),
        "middle": gettext_lazy("Average use of promotions"),
        "low": gettext_lazy("Buys without promotions"),
    },
    ModelKey.CHURN: {
        "high": gettext_lazy("High churn risk"),
        "middle": gettext_lazy("Medium churn risk"),
        "low": gettext_lazy("Low churn risk"),
    },
}
_CHANNELS: dict[str, Text] = {
    "shop": gettext_lazy("Store"),
    "pos": gettext_lazy("Store"),
    "online": gettext_lazy("Online shop"),
    "mini": gettext_lazy("Mini program"),
    "tmal": gettext_lazy("Tmall"),
    "live": gettext_lazy("Livestream"),
    "web": gettext_lazy("Website"),
    "app": gettext_lazy("App"),
    "email": pgettext_lazy("channel", "E-mail"),
    "sms": gettext_lazy("SMS"),
    "wecom": gettext_lazy("WeCom"),
    "official_account": gettext_lazy("Official account"),
    "app_push": gettext_lazy("App push"),
    "sandbox": pgettext_lazy("channel", "Sandbox"),
}

DESCRIPTIONS: dict[str, Text] = {
    ModelKey.PRICE: gettext_lazy(
        "How cheap a member buys within each category. Each line of the last two years is placed among all prices of "
        "its category; a mean in the cheapest 40% is high sensitivity, in the dearest 40% low. With few lines the "
        "answer leans to the middle."
    ),
    ModelKey.PROMOTION: gettext_lazy(
        "How often a member's orders of the last two years carry a discount, against all members: high from twice "
        "their odds, low up to half of them. With few orders the answer leans to everybody's."
    ),
    ModelKey.CATEGORY: gettext_lazy(
        "Categories that make up 30% of a member's purchases or more, and 1.5 times as much as with others. "
        "Purchases lose half of their weight in 180 days; up to three categories are kept."
    ),
    ModelKey.HOUR: gettext_lazy(
        "The hour between 8:00 and 22:00 in which a member buys, acts and answers most. Answers to messages count "
        "threefold, facts lose half of their weight in 90 days, and everybody's day is added for want of evidence."
    ),
    ModelKey.CHANNEL: gettext_lazy(
        "The channel with half or more of a member's purchases and answers to messages; otherwise “several channels”. "
        "Facts lose half of their weight in 180 days."
    ),
    ModelKey.CHURN: gettext_lazy(
        "The probability that a member buys again within 90 days, by how many of their own purchase rhythms have "
        "passed since the last one, learnt from what members like them did. Risk is high below 20%, low from 50%."
    ),
}
MINIMUMS: dict[str, int] = {
    ModelKey.PRICE: price.MINIMUM,
    ModelKey.PROMOTION: promotion.MINIMUM,
    ModelKey.CATEGORY: category.MINIMUM,
    ModelKey.HOUR: hour.MINIMUM,
    ModelKey.CHANNEL: channel.MINIMUM,
    ModelKey.CHURN: churn.MINIMUM,
}


def value_label(model: str, value: str) -> str:
    """What a value is called beside its model's name."""
    if model in BY_LEVEL:
        return str(LEVELS[value])
    if model == ModelKey.HOUR:
        return f"{int(value):02d}:00–{int(value) + 1:02d}:00"
    if model == ModelKey.CHANNEL:
        return _("Several channels") if value == channel.SEVERAL else str(_CHANNELS.get(value, value))
    return _("No preference") if value == category.BROAD else value


def tag_name(model: str, value: str) -> str:
    """What the value's tag is called when it is made."""
    if model in BY_LEVEL:
        return str(_LEVEL_TAGS[model][value])
    if model == ModelKey.HOUR:
        return _("Contact %(hours)s") % {"hours": value_label(model, value)}
    if model == ModelKey.CHANNEL and value != channel.SEVERAL:
        return _("Prefers %(channel)s") % {"channel": value_label(model, value)}
    if model == ModelKey.CATEGORY and value != category.BROAD:
        return _("Prefers %(category)s") % {"category": value}
    return value_label(model, value)


def reason(model: str) -> str:
    """Why a member has a value, with {percent}, {score} and {evidence} still to be filled in."""
    match ModelKey(model):
        case ModelKey.PRICE:
            return _("Price sensitivity {percent}% (50% is the middle), from {evidence} lines")
        case ModelKey.PROMOTION:
            return _("{percent}% of orders with a discount (smoothed), from {evidence} orders")
        case ModelKey.CATEGORY:
            return _("Buys it {score} times as much as others, from {evidence} lines")
        case ModelKey.HOUR:
            return _("{percent}% of activity around this hour, from {evidence} facts")
        case ModelKey.CHANNEL:
            return _("{percent}% of purchases and answers (smoothed), from {evidence} facts")
        case ModelKey.CHURN:
            return _("{percent}% probability of buying within 90 days, from {evidence} purchase days")


def unknown(model: str) -> str:
    """What is missing while a member's value is unknown."""
    values = {"count": MINIMUMS[model]}
    match ModelKey(model):
        case ModelKey.PRICE | ModelKey.CATEGORY:
            return _("Fewer than %(count)s order lines with a known category") % values
        case ModelKey.PROMOTION:
            return _("Fewer than %(count)s orders") % values
        case ModelKey.CHURN:
            return _("No purchase in the last two years")
        case _:
            return _("Fewer than %(count)s purchases, visits or answers") % values


def why(model: str, score: float, evidence: int) -> str:
    """Why a member has a value, in the reader's language."""
    return (
        reason(model)
        .replace("{percent}", str(round(score * 100)))
        .replace("{score}", f"{score:g}")
        .replace("{evidence}", str(evidence))
    )
