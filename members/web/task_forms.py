"""The form of a task: what was typed, and the content it stands for."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from members.enums import TaskClaim, TaskKind, TaskMeasure, TaskState, TaskWindow
from members.models import Task
from members.operations import task_definitions
from members.operations.task_definitions import FIXED, Content
from members.queries import checkins, event_fields, fields, task_facts, tasks
from members.queries.attributes import every as every_attribute
from members.queries.task_words import Words
from members.rules.attributes import PREFIX
from members.web import reward_rows
from scrm.common import condition_editors, money
from scrm.common.conditions import operators
from scrm.common.conditions.where import OPERANDS
from scrm.common.errors import DomainError
from scrm.common.forms import refuse

_SEPARATORS = re.compile(r"[\n\r,，;；、]+")
_BLANK_TESTS = 2


@dataclass(frozen=True, slots=True)
class Icon:
    icon: str
    label: Any


ICONS = [
    Icon(icon="target", label=_("Target")),
    Icon(icon="user-check", label=pgettext_lazy("member", "Profile")),
    Icon(icon="shopping-bag", label=_("Orders")),
    Icon(icon="calendar-check", label=_("Check-in")),
    Icon(icon="eye", label=_("Looking")),
    Icon(icon="message-2", label=_("Talking")),
    Icon(icon="share", label=_("Sharing")),
    Icon(icon="star", label=_("Star")),
    Icon(icon="gift", label=_("Gift")),
    Icon(icon="flame", label=_("Flame")),
]
# Which field of the form says what an operation names.
_FIELDS = {
    "kind": "form", "counting.types": "types", "counting.sources": "sources", "counting.stores": "stores",
    "counting.channels": "channels", "counting.categories": "categories", "counting.products": "products",
    "counting.minimum": "minimum", "counting.fields": "fields_", "counting.calendar": "calendar",
    "fields": "fields_",
}  # fmt: skip


def _moment() -> forms.DateTimeInput:
    return forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")


class TaskForm(forms.Form):
    """Every kind in one form: `form` says which fields of `counting` count."""

    key = forms.CharField(
        max_length=32,
        label=_("Key of the task"),
        help_text=_("What other systems call it. It cannot be changed later."),
    )
    version = forms.IntegerField(required=False, min_value=1, widget=forms.HiddenInput)
    name = forms.CharField(max_length=40, label=_("Name"))
    description = forms.CharField(
        required=False, max_length=200, label=_("What members read"), widget=forms.Textarea(attrs={"rows": 2})
    )
    icon = forms.ChoiceField(
        required=False, label=_("Symbol"), choices=[("", "—"), *((one.icon, one.label) for one in ICONS)]
    )
    position = forms.IntegerField(
        required=False, min_value=0, max_value=10_000, initial=0, label=_("Place on the map"),
        help_text=_("Small numbers come first."),
    )  # fmt: skip
    form = forms.ChoiceField(choices=TaskKind.choices, initial=TaskKind.EVENT, widget=forms.RadioSelect)
    types = forms.MultipleChoiceField(required=False, label=_("Events"), widget=forms.CheckboxSelectMultiple)
    sources = forms.MultipleChoiceField(required=False, label=_("Sources"), widget=forms.CheckboxSelectMultiple)
    stores = forms.MultipleChoiceField(required=False, label=_("Stores"), widget=forms.CheckboxSelectMultiple)
    channels = forms.CharField(required=False, max_length=2_000, label=_("Channels"))
    categories = forms.CharField(required=False, max_length=4_000, label=_("Product categories"))
    products = forms.CharField(
        required=False, max_length=4_000, label=_("Products"),
        help_text=_("SKUs, parted by commas. Empty fields do not narrow anything down."),
    )  # fmt: skip
    minimum = forms.DecimalField(
        required=False, min_value=0, max_value=10**9, decimal_places=2, label=_("From an amount of … yuan")
    )
    fields_ = forms.MultipleChoiceField(
        required=False, label=_("What has to be filled in"), widget=forms.CheckboxSelectMultiple
    )
    calendar = forms.ChoiceField(required=False, label=_("Check-in calendar"))
    measure = forms.ChoiceField(choices=TaskMeasure.choices, label=_("What is counted"))
    needed = forms.DecimalField(
        required=False, min_value=1, max_value=10**10, decimal_places=2, initial=1, label=_("How much is needed"),
        help_text=_("Times or days; yuan where amounts are added up."),
    )  # fmt: skip
    window = forms.ChoiceField(choices=TaskWindow.choices, label=_("Time window of the task"))
    window_days = forms.IntegerField(
        required=False, min_value=1, max_value=366, label=_("N days"), help_text=_("For “Any N days” only.")
    )
    times = forms.IntegerField(
        required=False, min_value=0, max_value=1_000, initial=1, label=_("How often in all"),
        help_text=_("0: without end, in every window once."),
    )  # fmt: skip
    starts_at = forms.DateTimeField(required=False, label=_("From"), widget=_moment())
    ends_at = forms.DateTimeField(required=False, label=_("Until"), widget=_moment())
    after = forms.MultipleChoiceField(
        required=False, label=_("Unlocked when these are done"), widget=forms.CheckboxSelectMultiple
    )
    counts_earlier = forms.BooleanField(required=False, label=_("What was done before it was unlocked counts, too"))
    claim = forms.ChoiceField(
        choices=TaskClaim.choices,
        initial=TaskClaim.AUTOMATIC,
        label=_("The reward is given"),
        widget=forms.RadioSelect,
    )
    stock = forms.IntegerField(
        required=False, min_value=0, max_value=10**9, label=_("How many rewards there are"),
        help_text=_("Empty: as many as needed."),
    )  # fmt: skip
    condition = forms.CharField(required=False, max_length=200_000, widget=forms.HiddenInput)

    def __init__(self, *args: Any, task: Task | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known: dict[str, Any] = self.fields
        known["types"].choices = [(choice.value, choice.label) for choice in event_fields.event_types()]
        known["sources"].choices = [(str(choice.value), choice.label) for choice in fields.sources()]
        known["stores"].choices = [(str(choice.value), choice.label) for choice in fields.stores()]
        words = Words()
        keys = [*task_facts.PROFILE, *(f"{PREFIX}{one.key}" for one in every_attribute())]
        known["fields_"].choices = [(key, words.field_label(key)) for key in keys]
        known["calendar"].choices = [("", "—"), *((str(one.pk), one.name) for one in checkins.calendars())]
        others = [one for one in tasks.listed() if task is None or one.pk != task.pk]
        known["after"].choices = [(str(one.pk), one.name) for one in others]
        if task is not None:
            del known["key"]
            if task.state != TaskState.DRAFT:
                for name in _KEPT:
                    known[name].disabled = True

    def content(self, task: Task | None) -> Content:
        """What was typed; of a task that was started, what counts is as it was."""
        values = self.cleaned_data
        rewards = reward_rows.read(self.data, "reward")
        common: dict[str, Any] = {
            "name": values["name"], "description": values["description"].replace("\r", "").replace("\n", " "),
            "icon": values["icon"], "position": values["position"] or 0, "ends_at": values["ends_at"],
            "rewards": rewards, "claim": values["claim"], "stock": values["stock"],
            "who": condition_editors.built(values["condition"]),
        }  # fmt: skip
        if task is not None and task.state != TaskState.DRAFT:
            before = task_definitions.of(task)
            return Content(**common, **{name: getattr(before, name) for name in FIXED})
        measure = _measure(values)
        needed = values["needed"] or Decimal(1)
        return Content(
            **common,
            kind=values["form"],
            counting=self._counting(values),
            measure=measure,
            needed=money.to_minor(needed) if measure == TaskMeasure.SUM else int(needed),
            window=values["window"],
            window_days=(values["window_days"] or 0) if values["window"] == TaskWindow.ROLLING else 0,
            times=1 if values["times"] is None else values["times"],
            starts_at=values["starts_at"],
            counts_earlier=values["counts_earlier"],
            after=[int(one) for one in values["after"]],
        )

    def _counting(self, values: dict[str, Any]) -> dict[str, Any]:
        match values["form"]:
            case TaskKind.EVENT:
                return {"types": values["types"], "where": tests_of(self.data)}
            case TaskKind.PROFILE:
                return {"fields": values["fields_"]}
            case TaskKind.CHECKIN:
                return {"calendar": int(values["calendar"])} if values["calendar"] else {}
        return {
            "sources": [int(one) for one in values["sources"]],
            "stores": [int(one) for one in values["stores"]],
            **{name: _parts(values[name]) for name in ("channels", "categories", "products")},
            "minimum": money.to_minor(values["minimum"] or 0),
        }

    def refuse(self, error: DomainError) -> None:
        """Say at its field what an operation refused."""
        refuse(self, error, names=_FIELDS)


_KEPT = (
    "form", "types", "sources", "stores", "channels", "categories", "products", "minimum", "fields_", "calendar",
    "measure", "needed", "window", "window_days", "times", "starts_at", "after", "counts_earlier",
)  # fmt: skip


def _measure(values: dict[str, Any]) -> str:
    return TaskMeasure.COUNT.value if values["form"] == TaskKind.PROFILE else str(values["measure"])


def _parts(text: str) -> list[str]:
    return [part.strip() for part in _SEPARATORS.split(text) if part.strip()]


def tests_of(data: Any) -> list[dict[str, Any]]:
    """The rows of property tests; rows without a property are left out."""
    found = []
    rows = zip(data.getlist("test_property"), data.getlist("test_op"), data.getlist("test_value"), strict=False)
    for name, op, value in rows:
        if not name.strip():
            continue
        test: dict[str, Any] = {"property": name.strip(), "op": op}
        kind = str(OPERANDS[op]) if op in OPERANDS else ""
        if kind == "list":
            test["value"] = _parts(value)
        elif kind != "none":
            test["value"] = value.strip()
        found.append(test)
    return found


def shown_tests(where: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of saved tests, and some that are empty."""
    rows = [
        {**one, "value": ", ".join(map(str, one["value"])) if isinstance(one.get("value"), list) else one.get("value")}
        for one in where
    ]
    return [*rows, *({"property": "", "op": "contains", "value": ""} for _n in range(_BLANK_TESTS))]


def test_operators() -> list[tuple[str, str]]:
    return [(op, str(operators.where_label(op))) for op in OPERANDS]


def initial_of(task: Task) -> dict[str, Any]:
    """What the form shows of a saved task."""
    content = task_definitions.of(task)
    counting = content.counting
    shown: dict[str, Any] = {
        name: getattr(content, name)
        for name in (
            "name", "description", "icon", "position", "measure", "window", "times", "starts_at", "ends_at",
            "counts_earlier", "claim", "stock",
        )
    }  # fmt: skip
    return {
        **shown,
        "version": task.version,
        "form": content.kind,
        "types": counting.get("types", []),
        "sources": [str(one) for one in counting.get("sources", [])],
        "stores": [str(one) for one in counting.get("stores", [])],
        **{name: "、".join(counting.get(name, [])) for name in ("channels", "categories", "products")},
        "minimum": Decimal(counting["minimum"]) / 100 if counting.get("minimum") else None,
        "fields_": counting.get("fields", []),
        "calendar": str(counting.get("calendar", "")),
        "needed": Decimal(content.needed) / 100 if content.measure == TaskMeasure.SUM else content.needed,
        "window_days": content.window_days or None,
        "after": [str(one) for one in content.after],
        "condition": json.dumps(content.who, ensure_ascii=False) if content.who else "",
    }
