"""Tasks and rewards in words, in the language that is active."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from members.enums import GrantItem, IdentityKind, TaskKind, TaskMeasure, TaskWindow
from members.models import (
    Attribute,
    CheckInCalendar,
    Event,
    EventType,
    Order,
    PointsCurrency,
    Source,
    Store,
    Task,
)
from members.queries.event_fields import properties
from members.rules.attributes import PREFIX
from scrm.common import conditions, display, money
from scrm.common.conditions import operators
from scrm.common.conditions.where import Test, read_tests
from scrm.common.errors import DomainError


class Words:
    """Puts tasks into words. What things are called is looked up once, when it is first needed."""

    @cached_property
    def types(self) -> dict[str, str]:
        return {kind.key: str(kind) for kind in EventType.objects.all()}

    @cached_property
    def sources(self) -> dict[int, str]:
        return {one.pk: str(one) for one in Source.objects.all()}

    @cached_property
    def stores(self) -> dict[int, str]:
        return {one.pk: str(one) for one in Store.objects.all()}

    @cached_property
    def calendars(self) -> dict[int, str]:
        return dict(CheckInCalendar.objects.values_list("pk", "name"))

    @cached_property
    def attributes(self) -> dict[str, str]:
        return dict(Attribute.objects.values_list("key", "label"))

    @cached_property
    def currencies(self) -> dict[str, str]:
        return {"points": "积分", "growth": "成长值", **dict(PointsCurrency.objects.values_list("key", "name"))}

    def sentence(self, task: Task) -> str:
        """What has to be done: "3 × Page viewed within each week, once"."""
        parts = [self._what(task), self._window(task), self._times(task)]
        text = pgettext("between values", ", ").join(part for part in parts if part)
        if task.who:
            text = _("%(text)s; for members with: %(who)s") % {"text": text, "who": who(task.who)}
        return text

    def _what(self, task: Task) -> str:
        match task.kind:
            case TaskKind.PROFILE:
                return _("Fill in: %(fields)s") % {
                    "fields": _list([self.field_label(one) for one in task.counting["fields"]])
                }
            case TaskKind.CHECKIN:
                name = self.calendars.get(task.counting["calendar"], "…")
                subject = _("check in (%(calendar)s)") % {"calendar": name}
            case TaskKind.ORDER:
                subject = self._orders(task.counting)
            case _:
                subject = self._events(task.counting)
        n = task.needed
        if task.measure == TaskMeasure.SUM:
            return _("%(subject)s: ¥%(amount)s in all") % {"subject": subject, "amount": money.to_decimal(n)}
        if task.measure == TaskMeasure.DAYS:
            words = ngettext("%(subject)s on %(n)s day", "%(subject)s on %(n)s different days", n)
        elif task.measure == TaskMeasure.STREAK:
            words = ngettext("%(subject)s on %(n)s day in a row", "%(subject)s on %(n)s days in a row", n)
        else:
            words = ngettext("%(subject)s: %(n)s time", "%(subject)s: %(n)s times", n)
        return words % {"subject": subject, "n": n}

    def _events(self, counting: Mapping[str, Any]) -> str:
        subject = _list([self.types.get(key, key) for key in counting["types"]])
        tests = [self._test(test) for test in read_tests(counting.get("where", []))]
        if not tests:
            return subject
        return pgettext("condition", "%(subject)s (%(details)s)") % {
            "subject": subject, "details": pgettext("between conditions", " and ").join(tests),
        }  # fmt: skip

    def _test(self, test: Test) -> str:
        labels = {choice.value: str(choice.label) for choice in properties()}
        words = {"subject": labels.get(test.property, test.property), "operator": operators.where_label(test.op)}
        if test.value is None:
            return pgettext("condition", "%(subject)s %(operator)s") % words
        given = test.value if isinstance(test.value, tuple) else (test.value,)
        shown = [
            pgettext("condition", "“%(text)s”") % {"text": one} if isinstance(one, str) else f"{one:f}" for one in given
        ]
        return pgettext("condition", "%(subject)s %(operator)s %(value)s") % {**words, "value": _list(shown)}

    def _orders(self, counting: Mapping[str, Any]) -> str:
        details: list[str] = []
        for key, names in (("sources", self.sources), ("stores", self.stores)):
            if counting.get(key):
                details.append(_list([names.get(one, str(one)) for one in counting[key]]))
        details += [_list(counting[key]) for key in ("channels", "categories", "products") if counting.get(key)]
        if counting.get("minimum"):
            details.append(_("from ¥%(amount)s") % {"amount": money.to_decimal(counting["minimum"])})
        if not details:
            return _("Paid order")
        return pgettext("condition", "%(subject)s (%(details)s)") % {
            "subject": _("Paid order"), "details": pgettext("between values", ", ").join(details),
        }  # fmt: skip

    def _window(self, task: Task) -> str:
        match task.window:
            case TaskWindow.DAY:
                return _("each day")
            case TaskWindow.WEEK:
                return _("each week")
            case TaskWindow.MONTH:
                return _("each month")
            case TaskWindow.ROLLING:
                return ngettext("within any %(n)s day", "within any %(n)s days", task.window_days) % {
                    "n": task.window_days
                }
        return dates(task.starts_at, task.ends_at)

    def _times(self, task: Task) -> str:
        if task.kind == TaskKind.PROFILE or (task.times == 1 and task.window in (TaskWindow.WHOLE, TaskWindow.ROLLING)):
            return ""
        if not task.times:
            return "" if task.window not in (TaskWindow.WHOLE, TaskWindow.ROLLING) else _("as often as one likes")
        return ngettext("%(n)s time in all", "%(n)s times in all", task.times) % {"n": task.times}

    def field_label(self, key: str) -> str:
        """What a field of a profile is called."""
        if key.startswith(PREFIX):
            return self.attributes.get(key.removeprefix(PREFIX), key)
        known = {
            "name": pgettext("member", "Name"), "gender": _("Gender"), "birthday": _("Birthday"), "city": _("City"),
        }  # fmt: skip
        return known.get(key) or str(IdentityKind(key).label)

    def rewards(self, listed: Sequence[Mapping[str, Any]]) -> list[str]:
        """Each reward in words: "+30 points"."""
        return [self._reward(one) for one in listed]

    def _reward(self, one: Mapping[str, Any]) -> str:
        if one["kind"] == "points":
            return f"+{one['amount']} {self.currencies.get(one['currency'], one['currency'])}"
        label = str(GrantItem(one["item"]).label) if one["kind"] == "grant" else _("Benefit")
        return _("%(what)s “%(key)s” × %(n)s") % {"what": label, "key": one["key"], "n": one.get("quantity", 1)}


def facts(member_id: int, listed: Iterable[str]) -> dict[str, str]:
    """What counted for a member's tasks ("order:<id>", "profile:<field>" …) in words; what is gone keeps its name."""
    words = Words()
    of_kind: dict[str, list[str]] = {}
    for fact in listed:
        kind, _colon, rest = fact.partition(":")
        of_kind.setdefault(kind, []).append(rest)
    numbers = Order.objects.filter(member_id=member_id, pk__in=of_kind.get("order", []))
    events = Event.objects.filter(member_id=member_id, pk__in=of_kind.get("event", [])).select_related("type")
    said = {f"profile:{key}": words.field_label(key) for key in of_kind.get("profile", [])}
    said |= {f"checkin:{day}": _("Check-in") for day in of_kind.get("checkin", [])}
    said |= {
        f"order:{pk}": _("Order %(number)s") % {"number": number}
        for pk, number in numbers.values_list("pk", "external_number")
    }
    return said | {f"event:{event.pk}": str(event.type) for event in events}


def who(condition: Any) -> str:
    """The condition in words, or that it cannot be read any more."""
    try:
        return conditions.describe(conditions.parse(condition))
    except DomainError:
        return _("a condition that cannot be read any more")


def dates(starts_at: datetime | None, ends_at: datetime | None) -> str:
    """From when to when, empty for always."""
    if starts_at and ends_at:
        return _("%(start)s to %(end)s") % {"start": display.local(starts_at), "end": display.local(ends_at)}
    if ends_at:
        return _("until %(end)s") % {"end": display.local(ends_at)}
    return _("from %(start)s") % {"start": display.local(starts_at)} if starts_at else ""


def measured(task: Task, value: int) -> str:
    """How far it is: "2/3", or "¥120.00 / ¥300.00"."""
    value = min(value, task.needed)
    if task.measure == TaskMeasure.SUM:
        return f"¥{money.to_decimal(value)} / ¥{money.to_decimal(task.needed)}"
    return f"{value}/{task.needed}"


def _list(items: Sequence[str]) -> str:
    return pgettext("between values", ", ").join(items)
