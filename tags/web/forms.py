"""Forms of the pages of tags. They check shape; what is allowed is decided in tags.operations."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from tags.enums import Choice, Colour
from tags.queries import tagging

LIST_KINDS = [
    ("", _("Find out by itself")),
    ("phone", _("Phone numbers")),
    ("email", _("E-mail addresses")),
    ("number", _("Member numbers")),
    ("external_userid", _("WeCom external user ids")),
    ("unionid", _("UnionIDs")),
    ("app_user", _("App user ids")),
    ("member_id", _("Ids of this system")),
]


class GroupForm(forms.Form):
    name = forms.CharField(max_length=40, label=_("Name"))
    choice = forms.ChoiceField(
        choices=Choice.choices,
        initial=Choice.MULTIPLE,
        widget=forms.RadioSelect,
        label=_("How many tags of the group a member may have"),
    )
    colour = forms.ChoiceField(choices=Colour.choices, initial=Colour.BLUE, label=_("Colour"))
    wecom_group_id = forms.CharField(
        max_length=64,
        required=False,
        label=_("WeCom tag group id"),
        help_text=_(
            "The group of the company's tags in WeCom that this one mirrors. Names there have up to 15 characters."
        ),
    )


class TagForm(forms.Form):
    group = forms.ChoiceField(label=_("Tag group"))
    name = forms.CharField(max_length=40, label=_("Name"), help_text=_("A new name keeps members and history."))
    description = forms.CharField(max_length=200, required=False, label=_("What it means"))
    colour = forms.ChoiceField(choices=[("", _("As the group")), *Colour.choices], required=False, label=_("Colour"))
    owner = forms.TypedChoiceField(
        coerce=int,
        empty_value=None,
        required=False,
        label=pgettext_lazy("of a tag", "Owner"),
        help_text=_("Who answers for its meaning."),
    )
    valid_days = forms.IntegerField(
        min_value=1,
        max_value=3_650,
        required=False,
        label=_("Valid for days"),
        help_text=_("Empty: until somebody takes it off."),
    )
    wecom_tag_id = forms.CharField(
        max_length=64,
        required=False,
        label=_("WeCom tag id"),
        help_text=_("The company's tag in WeCom that this one mirrors. Names there have up to 30 characters."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        groups = [(str(group.pk), group.name) for group in tagging.all_groups()]
        owners = [("", _("Nobody")), *((user.pk, str(user)) for user in tagging.possible_owners())]
        self.fields["group"].choices = groups  # type: ignore[attr-defined]  # a ChoiceField
        self.fields["owner"].choices = owners  # type: ignore[attr-defined]  # a ChoiceField


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


class ListForm(BulkForm):
    """A list of members, pasted or as a file, and the tags for them."""

    text = forms.CharField(
        required=False,
        max_length=200_000,
        widget=forms.Textarea(attrs={"class": "pasted", "rows": 10, "spellcheck": "false"}),
        label=_("Paste the list"),
        help_text=_("One to a line, or parted by commas: phones, e-mails, member numbers or ids."),
    )
    file = forms.FileField(
        required=False, label=_("Or upload it"), help_text=_("CSV or Excel (XLSX), up to a million rows.")
    )
    kind = forms.ChoiceField(
        required=False, choices=LIST_KINDS, label=_("What is in it"), help_text=_("Files name it in their header.")
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if not self.errors:
            if bool(values.get("text", "").strip()) == bool(values.get("file")):
                raise forms.ValidationError(_("Paste a list or upload a file, one of both."))
            if not values.get("add") and not values.get("remove"):
                raise forms.ValidationError(_("Choose at least one tag."))
        return values
