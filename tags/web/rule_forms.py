"""The form of a tag rule: what was typed, and the definition it stands for."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from members.queries.event_fields import event_types
from scrm.common import conditions
from tags.enums import RuleForm as Form
from tags.models import TagRule
from tags.queries import tagging

MATCHES = [("any", _("Any of the words")), ("all", _("All of the words"))]
_SEPARATORS = re.compile(r"[\n\r,，;；、]+")
# Fields of each form, beside those of every form.
_OF_FORM = {
    Form.KEYWORD: ("min_count", "within_days"),
    Form.INTEREST: ("half_life_days", "threshold"),
}


class RuleForm(forms.Form):
    """Three forms in one: `form` says which of the fields count."""

    tag = forms.ChoiceField(required=False, label=_("Tag"))
    group = forms.ChoiceField(required=False, label=_("Group of the new tag"))
    name = forms.CharField(required=False, max_length=40, label=_("Name of the new tag"))
    version = forms.IntegerField(required=False, min_value=1, widget=forms.HiddenInput)
    form = forms.ChoiceField(choices=Form.choices, initial=Form.CONDITION, widget=forms.RadioSelect)
    condition = forms.CharField(required=False, max_length=200_000, widget=forms.HiddenInput)
    types = forms.MultipleChoiceField(
        required=False, label=_("Events"), widget=forms.CheckboxSelectMultiple(attrs={"class": "form-check-input"})
    )
    property = forms.CharField(
        required=False,
        max_length=60,
        label=_("Where the words are looked for"),
        initial="title",
        widget=forms.TextInput(attrs={"list": "event-properties"}),
        help_text=_("A property of the event: text of a message, title of a page."),
    )
    keywords = forms.CharField(
        required=False,
        max_length=4_000,
        label=_("Words"),
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("One to a line, or parted by commas. Empty: every such event counts."),
    )
    match = forms.ChoiceField(
        required=False, choices=MATCHES, initial="any", widget=forms.RadioSelect, label=_("Which of them")
    )
    min_count = forms.IntegerField(
        required=False, min_value=1, max_value=10_000, initial=1, label=_("At least so many times")
    )
    within_days = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=3_650,
        label=_("Within so many days"),
        help_text=_("Empty: at any time."),
    )
    half_life_days = forms.FloatField(
        required=False, min_value=0.1, max_value=3_650, initial=14, label=_("Interest halves every … days")
    )
    threshold = forms.FloatField(
        required=False,
        min_value=0.0001,
        max_value=100_000,
        initial=2,
        label=_("The tag is on from this weight"),
        help_text=_("An event weighs 1 when it happens."),
    )

    def __init__(self, *args: Any, rule: TagRule | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: dict[str, Any] = self.fields
        if rule is not None:
            # A rule stays with its tag.
            for name in ("tag", "group", "name"):
                del fields[name]
        else:
            choices: dict[str, list[Any]] = {}
            for tag in tagging.without_rule():
                choices.setdefault(tag.group.name, []).append((str(tag.pk), tag.name))
            fields["tag"].choices = [("", _("A new tag")), *choices.items()]
            fields["group"].choices = [(str(group.pk), group.name) for group in tagging.all_groups()]
        fields["types"].choices = [(choice.value, choice.label) for choice in event_types()]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        kind = values.get("form")
        if self.errors or kind not in Form.values:
            return values
        if kind == Form.CONDITION:
            # Each fault is shown at its row by the builder: see `condition_faults`.
            values["definition"] = {"condition": None}
            try:
                values["definition"] = {"condition": conditions.loads(values.get("condition") or "null")}
            except conditions.BadCondition:
                self.add_error(None, str(_("The condition cannot be read.")))
            return values
        definition: dict[str, Any] = {
            "types": values["types"],
            "keywords": [word.strip() for word in _SEPARATORS.split(values["keywords"]) if word.strip()],
        }
        if definition["keywords"]:
            definition |= {"property": values["property"], "match": values["match"] or "any"}
        for name in _OF_FORM[Form(kind)]:
            if values.get(name) is not None:
                definition[name] = values[name]
        values["definition"] = definition
        return values


def initial_of(rule: TagRule) -> dict[str, Any]:
    """What the form shows for a saved rule."""
    definition = rule.definition
    return {
        "version": rule.version,
        "form": rule.form,
        **{name: value for name, value in definition.items() if name not in ("condition", "keywords")},
        "keywords": "\n".join(definition.get("keywords") or []),
    }
