"""What earning rules say, in the reader's language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from members.models import EventType, Source, Store
from members.queries.member_tiers import known_tiers
from members.rules.earning import Definition, Multiplier, decimal
from members.rules.earning_windows import Window
from scrm.common import conditions, money


def refusal(code: str) -> str:
    """Why a definition is refused."""
    words = {
        "missing": lambda: _("This is needed."),
        "not_an_object": lambda: _("This is not an object."),
        "not_a_list": lambda: _("This is not a list."),
        "not_a_pair": lambda: _("Two values are needed."),
        "not_a_text": lambda: _("This is not a text."),
        "not_whole": lambda: _("A whole number is needed."),
        "not_a_number": lambda: _("A number is needed."),
        "not_a_day": lambda: _("There is no such day."),
        "bad_text": lambda: _("This text is too long or has characters that cannot be shown."),
        "unknown_field": lambda: _("This does not belong here."),
        "unknown_choice": lambda: _("This cannot be chosen."),
        "too_many": lambda: _("These are too many."),
        "out_of_range": lambda: _("The number is out of range."),
        "too_exact": lambda: _("At most six decimals."),
        "ends_early": lambda: _("It ends before it starts."),
        "always": lambda: _("Say when: dates, weekdays, hours, days or birthdays."),
        "below_shorter": lambda: _("A longer limit cannot be below a shorter one."),
        "not_of_events": lambda: _("This is only for orders."),
        "not_of_orders": lambda: _("This is only for events."),
    }  # fmt: skip
    return words[code]()


def unknown(kind: str, value: str) -> str:
    """That there is no such store, tag, product …"""
    words = {
        "source": lambda: _("There is no source “%(value)s”."),
        "store": lambda: _("There is no store “%(value)s”."),
        "product": lambda: _("There is no product “%(value)s”."),
        "category": lambda: _("There is no product category “%(value)s”."),
        "tag": lambda: _("There is no tag %(value)s."),
        "tier": lambda: _("There is no tier “%(value)s”."),
    }  # fmt: skip
    return words[kind]() % {"value": value}


def sentences(definition: Definition, *, currency: str) -> list[str]:
    """The rule in plain words, one sentence a part. `currency` is the name of the points."""
    said = [_base(definition, currency)]
    if definition.condition is not None:
        try:
            who = conditions.describe(conditions.parse(definition.condition))
        except conditions.BadCondition as error:
            who = str(error)
        said.append(_("Only for members: %(condition)s.") % {"condition": who})
    said += [_multiplied(one) for one in definition.multipliers]
    if len(definition.multipliers) > 1:
        said.append(
            _("Of several factors the highest counts.")
            if definition.highest
            else _("Several factors multiply.")
        )  # fmt: skip
    if limits := [_limit(name, value) for name, value in definition.caps.items()]:
        said.append(_("At most %(limits)s.") % {"limits": _listed(limits)})
    if definition.stacking == "best":
        said.append(_("Of the rules of the group “%(group)s” only the best counts.") % {"group": definition.group})
    if definition.stacking == "stop":
        said.append(_("When it gives something, no rule after it counts."))
    return said


def _base(definition: Definition, currency: str) -> str:
    where = _scope(definition)
    values = {"points": f"{definition.points:,}", "currency": currency, "what": where}
    if definition.per is None:
        if definition.trigger == "event":
            return _("%(points)s %(currency)s for every %(what)s.") % values
        return (
            _("%(points)s %(currency)s for every order %(what)s.") % values
            if where
            else _("%(points)s %(currency)s for every order.") % values
        )
    values["per"] = f"¥{_major(definition.per)}"
    values["rounding"] = _("rounded half up") if definition.half_up else _("rounded down")
    if definition.trigger == "event":
        return _("%(points)s %(currency)s per %(per)s of every %(what)s, %(rounding)s.") % values
    if where:
        return _("%(points)s %(currency)s per %(per)s of orders %(what)s, %(rounding)s.") % values
    return _("%(points)s %(currency)s per %(per)s of every order, %(rounding)s.") % values


def _scope(definition: Definition) -> str:
    if definition.trigger == "event":
        kind = EventType.objects.filter(key=definition.event_type).first()
        name = _("event “%(name)s”") % {"name": str(kind) if kind else definition.event_type}
        if definition.where:
            leaf = {
                "field": "event",
                "op": "true",
                "with": {"type": [definition.event_type], "where": list(definition.where)},
            }
            try:
                return conditions.describe(conditions.parse(leaf))
            except conditions.BadCondition:
                return name
        return name
    parts = []
    if definition.products or definition.categories:
        parts.append(
            _("on %(names)s") % {"names": _listed(sorted(definition.categories) + sorted(definition.products))}
        )
    if definition.stores:
        names = dict(Store.objects.filter(code__in=definition.stores).values_list("code", "name"))
        parts.append(
            _("in %(names)s") % {"names": _listed(names.get(code, code) for code in sorted(definition.stores))}
        )
    if definition.channels:
        parts.append(_("over the channel %(names)s") % {"names": _listed(sorted(definition.channels))})
    if definition.sources:
        names = {one.key: str(one) for one in Source.objects.filter(key__in=definition.sources)}
        parts.append(
            _("from %(names)s") % {"names": _listed(names.get(key, key) for key in sorted(definition.sources))}
        )
    if definition.minimum:
        parts.append(_("from ¥%(amount)s") % {"amount": _major(definition.minimum)})
    return pgettext("between values", ", ").join(parts)


def _multiplied(one: Multiplier) -> str:
    values = {"factor": decimal(one.factor), "when": factor_when(one)}
    text = _("×%(factor)s %(when)s.") % values
    return f"{one.name}{pgettext('after a name', ': ')}{text}" if one.name else text


def factor_when(one: Multiplier) -> str:
    """When a multiplier holds."""
    if one.window is not None:
        return _window(one.window)
    value = one.value
    if one.kind == "tier":
        return _("for the tier %(name)s") % {"name": known_tiers().get(value, value)}
    if one.kind == "tag":
        return conditions_tag(int(value))
    if one.kind == "store":
        found = Store.objects.filter(code=value).values_list("name", flat=True).first()
        return _("in %(names)s") % {"names": found or value}
    if one.kind == "channel":
        return _("over the channel %(names)s") % {"names": value}
    return _("on %(names)s") % {"names": value}


def conditions_tag(tag_id: int) -> str:
    """Who has a tag, as conditions say it."""
    try:
        return _("for members: %(condition)s") % {
            "condition": conditions.describe(conditions.parse({"field": "tag", "op": "any_of", "value": [tag_id]}))
        }
    except conditions.BadCondition:
        return _("for a tag that is gone")


def _window(window: Window) -> str:
    parts = []
    if window.start and window.until:
        parts.append(
            _("from %(first)s to %(last)s") % {"first": _day(window.start), "last": _day(window.until)}
            if window.start != window.until
            else _("on %(names)s") % {"names": _day(window.start)}
        )
    elif window.start:
        parts.append(_("from %(first)s on") % {"first": _day(window.start)})
    elif window.until:
        parts.append(_("until %(last)s") % {"last": _day(window.until)})
    if window.weekdays:
        names = [
            _("Mondays"), _("Tuesdays"), _("Wednesdays"), _("Thursdays"), _("Fridays"), _("Saturdays"), _("Sundays"),
        ]  # fmt: skip
        parts.append(_("on %(names)s") % {"names": _listed(names[day - 1] for day in sorted(window.weekdays))})
    if window.days:
        parts.append(_("on day %(days)s of the month") % {"days": _listed(str(day) for day in sorted(window.days))})
    if window.hours:
        parts.append(_("from %(first)s:00 to %(last)s:00") % {"first": window.hours[0], "last": window.hours[1]})
    if window.birthday:
        parts.append(_("in the month of the birthday") if window.birthday == "month" else _("on the birthday"))
    return pgettext("between values", ", ").join(parts)


def _limit(name: str, value: int) -> str:
    words = {
        "order": _("%(points)s for one order"),
        "day": _("%(points)s a day and member"),
        "month": _("%(points)s a month and member"),
        "ever": _("%(points)s ever a member"),
        "budget": _("%(points)s for the whole programme"),
    }
    return words[name] % {"points": f"{value:,}"}


def limit_words(name: str) -> str:
    """Which limit made a line smaller."""
    words = {
        "order": _("limit per order"),
        "day": _("limit per day"),
        "month": _("limit per month"),
        "ever": _("limit per member"),
        "budget": _("the programme's budget is used up"),
    }
    return words[name]


def line_sentence(said: Mapping[str, Any]) -> str:
    """A line of an explanation as a member reads it: "+120 = ¥60.00 × 1/¥1 × 双倍积分日 ×2 (rule, version 3)"."""
    if "rule_id" not in said:
        return _("%(points)s for ¥%(amount)s given back") % {
            "points": said["points"], "amount": money.to_decimal(said["refund"]),
        }  # fmt: skip
    text = calculation(said)
    if limits := said.get("limits"):
        text += pgettext("before a limit", "; ") + _listed(limit_words(one) for one in limits)
    return _("%(text)s (%(rule)s, version %(number)s)") % {
        "text": text, "rule": said["rule"], "number": said["version"],
    }  # fmt: skip


def calculation(said: Mapping[str, Any]) -> str:
    """How the points of a line come about: "+120 = ¥60.00 × 1/¥1.00 × 双倍积分日 ×2"."""
    points, _slash, per = said["rate"].partition("/")
    how = f"¥{money.to_decimal(said['base'])} × {points}/¥{per}" if per else points
    return " ".join([f"+{said['points']:,} = {how}", *said["times"]])


def _major(minor: int) -> str:
    return money.to_decimal(minor).removesuffix(".00")


def _day(day: Any) -> str:
    return date_format(day, "DATE_FORMAT")


def _listed(parts: Iterable[str]) -> str:
    return pgettext("between values", ", ").join(parts)
