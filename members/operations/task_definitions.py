"""What a task may say, checked before it is stored."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from members.enums import TaskClaim, TaskKind, TaskMeasure, TaskWindow
from members.models import Attribute, CheckInCalendar, EventType, Source, Store, Task
from members.models.tasks import LARGEST_NEED
from members.operations import rewards
from members.queries.task_facts import PROFILE
from members.rules.attributes import PREFIX
from members.rules.rewards import dump
from scrm.common import conditions
from scrm.common.conditions.where import read_tests
from scrm.common.errors import Invalid

MOST_TASKS = 200
MOST_VALUES = 100
MOST_AFTER = 10
_KEY = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_MEASURES = {
    TaskKind.EVENT: {TaskMeasure.COUNT, TaskMeasure.SUM, TaskMeasure.DAYS, TaskMeasure.STREAK},
    TaskKind.ORDER: {TaskMeasure.COUNT, TaskMeasure.SUM, TaskMeasure.DAYS},
    TaskKind.PROFILE: {TaskMeasure.COUNT},
    TaskKind.CHECKIN: {TaskMeasure.STREAK, TaskMeasure.DAYS},
}


@dataclass(frozen=True, slots=True)
class Content:
    """Everything of a task that is written down, as in `Task`; `after` are the ids of the tasks that unlock it."""

    name: str
    kind: str
    counting: dict[str, Any]
    description: str = ""
    icon: str = ""
    position: int = 0
    measure: str = TaskMeasure.COUNT.value
    needed: int = 1
    window: str = TaskWindow.WHOLE.value
    window_days: int = 0
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    times: int = 1
    counts_earlier: bool = False
    who: dict[str, Any] | None = None
    rewards: list[dict[str, Any]] = field(default_factory=list)
    claim: str = TaskClaim.AUTOMATIC.value
    stock: int | None = None
    after: list[int] = field(default_factory=list)


# What members have been counting on since the task was started.
FIXED = (
    "kind", "counting", "measure", "needed", "window", "window_days", "starts_at", "times", "counts_earlier", "after",
)  # fmt: skip


def of(task: Task) -> Content:
    """What a stored task says."""
    values = {name: getattr(task, name) for name in Content.__dataclass_fields__ if name != "after"}
    return Content(**values, after=sorted(task.unlocks.values_list("after_id", flat=True)))


def check_key(key: str) -> None:
    if not _KEY.fullmatch(key):
        raise Invalid(_("A key is up to 32 of a–z, 0–9, - and _."), code="bad_key", field="key")


def checked(content: Content) -> dict[str, Any]:
    """The columns of a task that says this. Raises `Invalid`, its `field` naming what is wrong."""
    _text(content.name, 1, 40, "name")
    _text(content.description, 0, 200, "description")
    if not re.fullmatch(r"[a-z0-9-]{0,32}", content.icon):
        raise Invalid(_("There is no such icon."), code="unknown_icon", field="icon")
    _choice(content.kind, TaskKind, "kind")
    _choice(content.measure, TaskMeasure, "measure")
    _choice(content.window, TaskWindow, "window")
    _choice(content.claim, TaskClaim, "claim")
    if content.measure not in _MEASURES[TaskKind(content.kind)]:
        raise Invalid(_("This cannot be measured so."), code="measure_unfit", field="measure")
    counting = _counting(content)
    needed = len(counting["fields"]) if content.kind == TaskKind.PROFILE else content.needed
    _number(needed, 1, LARGEST_NEED if content.measure == TaskMeasure.SUM else 10_000, "needed")
    _window(content)
    _number(content.times, 0, 1_000, "times")
    _number(content.position, 0, 10_000, "position")
    if content.stock is not None:
        _number(content.stock, 0, 10**9, "stock")
    if content.starts_at is not None and content.ends_at is not None and content.ends_at <= content.starts_at:
        raise Invalid(_("It ends before it starts."), code="ends_early", field="ends_at")
    who = content.who or None
    if who is not None:
        conditions.parse(who)
    if len(set(content.after)) > MOST_AFTER:
        raise Invalid(
            _("Up to %(count)s tasks can unlock one.") % {"count": MOST_AFTER}, code="too_many", field="after"
        )
    return {
        "name": content.name.strip(),
        "description": content.description.strip(),
        "icon": content.icon,
        "position": content.position,
        "kind": content.kind,
        "counting": counting,
        "measure": content.measure,
        "needed": needed,
        "window": content.window,
        "window_days": content.window_days,
        "starts_at": content.starts_at,
        "ends_at": content.ends_at,
        "times": content.times,
        "counts_earlier": content.counts_earlier,
        "who": who,
        "rewards": dump(rewards.read(content.rewards)),
        "claim": content.claim,
        "stock": content.stock,
    }


def _window(content: Content) -> None:
    if content.window == TaskWindow.ROLLING:
        _number(content.window_days, 1, 366, "window_days")
    elif content.window_days:
        raise Invalid(_("Only a window of N days has a number of days."), code="out_of_range", field="window_days")
    if content.kind == TaskKind.PROFILE and (content.window != TaskWindow.WHOLE or content.times != 1):
        raise Invalid(_("A profile is completed once."), code="window_unfit", field="window")
    within_a_day = content.measure in (TaskMeasure.DAYS, TaskMeasure.STREAK) and content.window == TaskWindow.DAY
    if content.measure == TaskMeasure.STREAK and content.window == TaskWindow.ROLLING or within_a_day:
        raise Invalid(_("Days cannot be counted within this window."), code="window_unfit", field="window")
    if content.measure in (TaskMeasure.DAYS, TaskMeasure.STREAK):
        most = {TaskWindow.WEEK: 7, TaskWindow.MONTH: 28, TaskWindow.ROLLING: content.window_days}.get(
            TaskWindow(content.window)
        )
        if most is not None and content.needed > most:
            raise Invalid(_("The window has not so many days."), code="out_of_range", field="needed")


def _counting(content: Content) -> dict[str, Any]:
    given = content.counting
    if not isinstance(given, dict):
        raise Invalid(_("What counts is an object."), code="invalid", field="counting")
    allowed: dict[str, Callable[[Any, str], Any]] = _FIELDS[TaskKind(content.kind)]
    for name in given:
        if name not in allowed:
            raise Invalid(_("Unknown field"), code="unknown_field", field=f"counting.{name}")
    found = {name: read(given[name], f"counting.{name}") for name, read in allowed.items() if given.get(name)}
    for name in _REQUIRED.get(TaskKind(content.kind), ()):
        if not found.get(name):
            raise Invalid(_("Say what counts."), code="missing", field=f"counting.{name}")
    return found


def _texts(raw: Any, where: str) -> list[str]:
    if not isinstance(raw, list) or len(raw) > MOST_VALUES:
        raise Invalid(_("A list of up to 100 texts is needed."), code="invalid", field=where)
    for one in raw:
        if not isinstance(one, str) or not 1 <= len(one) <= 120 or not one.isprintable():
            raise Invalid(_("A list of up to 100 texts is needed."), code="invalid", field=where)
    return list(dict.fromkeys(raw))


def _types(raw: Any, where: str) -> list[str]:
    found = _texts(raw, where)
    if any(len(one) > 60 for one in found):
        raise Invalid(_("There is no such kind of event."), code="unknown_type", field=where)
    known = set(EventType.objects.filter(key__in=found).values_list("key", flat=True))
    if missing := [one for one in found if one not in known]:
        raise Invalid(
            _("There is no such kind of event: %(name)s") % {"name": missing[0]}, code="unknown_type", field=where
        )
    return found


def _tests(raw: Any, where: str) -> list[Any]:
    try:
        read_tests(raw)
    except ValueError as error:
        raise Invalid(str(error), code="bad_test", field=where) from error
    return list(raw)


def _ids(model: Any) -> Callable[[Any, str], list[int]]:
    def read(raw: Any, where: str) -> list[int]:
        if not isinstance(raw, list) or len(raw) > MOST_VALUES or not all(type(one) is int for one in raw):
            raise Invalid(_("A list of ids is needed."), code="invalid", field=where)
        wanted = {one for one in raw if 0 < one < 2**63}
        if model.objects.filter(pk__in=wanted).count() != len(set(raw)):
            raise Invalid(_("One of them does not exist."), code="unknown", field=where)
        return sorted(wanted)

    return read


def _minimum(raw: Any, where: str) -> int:
    _number(raw, 0, LARGEST_NEED, where)
    return int(raw)


def _profile(raw: Any, where: str) -> list[str]:
    found = _texts(raw, where)
    declared = {f"{PREFIX}{key}" for key in Attribute.objects.values_list("key", flat=True)}
    if any(one not in PROFILE and one not in declared for one in found):
        raise Invalid(_("A profile has no such field."), code="unknown_field", field=where)
    return found


def _calendar(raw: Any, where: str) -> int:
    if type(raw) is not int or not CheckInCalendar.objects.filter(pk=min(raw, 2**62)).exists():
        raise Invalid(_("There is no such check-in calendar."), code="unknown", field=where)
    return raw


_FIELDS: dict[TaskKind, dict[str, Callable[[Any, str], Any]]] = {
    TaskKind.EVENT: {"types": _types, "where": _tests},
    TaskKind.ORDER: {
        "sources": _ids(Source), "stores": _ids(Store), "channels": _texts, "categories": _texts, "products": _texts,
        "minimum": _minimum,
    },
    TaskKind.PROFILE: {"fields": _profile},
    TaskKind.CHECKIN: {"calendar": _calendar},
}  # fmt: skip
_REQUIRED = {TaskKind.EVENT: ("types",), TaskKind.PROFILE: ("fields",), TaskKind.CHECKIN: ("calendar",)}


def _text(value: Any, least: int, most: int, name: str) -> None:
    if not isinstance(value, str) or not least <= len(value.strip()) <= most or not value.isprintable():
        raise Invalid(
            _("%(least)s to %(most)s characters are needed.") % {"least": least, "most": most},
            code="bad_text", field=name,
        )  # fmt: skip


def _choice(value: Any, choices: Any, name: str) -> None:
    if value not in choices.values:
        raise Invalid(_("Not a valid value"), code="invalid", field=name)


def _number(value: Any, low: int, high: int, name: str) -> None:
    if type(value) is not int or not low <= value <= high:
        raise Invalid(_("Between %(low)s and %(high)s.") % {"low": low, "high": high}, code="out_of_range", field=name)
