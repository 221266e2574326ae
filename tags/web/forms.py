"""Forms of the pages of tags. They check shape; what is allowed is decided in tags.operations."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from tags.enums import Choice, Colour
from tags.queries import tagging


class GroupForm(forms.Form):
    name = forms.CharField(max_length=40, label=_("Name"))
    choice = forms.ChoiceField(
        choices=Choice.choices,
        initial=Choice.MULTIPLE,
        widget=forms.RadioSelect,
        label=_("How many tags of the group a member may have"),
    )
    colour = forms.ChoiceField(choices=Colour.choices, initial=Colour.BLUE, label=_("Colour"))
    position = forms.IntegerField(
        min_value=0, max_value=32_767, initial=0, label=_("Position"), help_text=_("Smaller comes first.")
    )


class TagForm(forms.Form):
    group = forms.ChoiceField(label=_("Tag group"))
    name = forms.CharField(max_length=40, label=_("Name"))
    description = forms.CharField(max_length=200, required=False, label=_("What it means"))
    valid_days = forms.IntegerField(
        min_value=1,
        max_value=3_650,
        required=False,
        label=_("Valid for days"),
        help_text=_("Empty: until somebody takes it off."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["group"].choices = [  # type: ignore[attr-defined]  # a ChoiceField
            (str(group.pk), group.name) for group in tagging.all_groups()
        ]


class SegmentForm(forms.Form):
    name = forms.CharField(max_length=60, label=_("Name"))
    description = forms.CharField(max_length=300, required=False, label=_("What it is for"))
    version = forms.IntegerField(min_value=1, required=False, widget=forms.HiddenInput)
    condition = forms.CharField(max_length=200_000, required=False, widget=forms.HiddenInput)


class BulkForm(forms.Form):
    """Tags to put on and to take off a selection of members."""

    add = forms.MultipleChoiceField(required=False)
    remove = forms.MultipleChoiceField(required=False)
    reason = forms.CharField(max_length=200, required=False, label=_("Reason"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(str(tag.pk), tag.name) for tag in tagging.listed()]
        for name in ("add", "remove"):
            self.fields[name].choices = choices  # type: ignore[attr-defined]  # MultipleChoiceFields
