"""Forms of the pages of segments. They check shape; what is allowed is decided in tags.operations."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _

from tags.queries import segment_lists
from tags.web.forms import LIST_KINDS


class MembersGivenForm(forms.Form):
    """Members as a pasted text or an uploaded file."""

    text = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 8, "class": "pasted", "spellcheck": "false"}),
        label=_("Paste them here"),
        help_text=_("Phones, e-mail addresses, member numbers or ids; one to a line, or parted by commas."),
    )
    file = forms.FileField(
        required=False, label=_("Or upload a file"), help_text=_("CSV or XLSX; columns are known by their headers.")
    )
    kind = forms.ChoiceField(required=False, choices=LIST_KINDS, label=_("What the list holds"))

    @property
    def given(self) -> UploadedFile[bytes] | str | None:
        """The file, else the text, else nothing."""
        return self.cleaned_data["file"] or self.cleaned_data["text"].strip() or None


class NewListForm(MembersGivenForm):
    name = forms.CharField(max_length=60, label=_("Name"))
    description = forms.CharField(max_length=300, required=False, label=_("What it is for"))

    field_order = ["name", "description", "text", "file", "kind"]


class ImportForm(MembersGivenForm):
    """Members to add to a list that exists: something has to be given."""

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        if not values.get("file") and not (values.get("text") or "").strip():
            self.add_error("text", _("The list is empty."))
        return values


class PickForm(forms.Form):
    """Where a selection of the member list goes: to a list that exists, or to a new one."""

    segment = forms.TypedChoiceField(coerce=int, empty_value=None, required=False, label=_("A list that exists"))
    name = forms.CharField(max_length=60, required=False, label=_("Or a new list"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["segment"].choices = [  # type: ignore[attr-defined]  # a ChoiceField
            ("", "—"),
            *((segment.pk, segment.name) for segment in segment_lists.editable()[:500]),
        ]

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors and bool(values.get("segment")) == bool((values.get("name") or "").strip()):
            self.add_error("name", _("Choose a list, or name a new one."))
        return values


class SampleForm(forms.Form):
    """How much of a segment is drawn: a share or a number."""

    percent = forms.DecimalField(
        required=False, min_value=0, max_value=100, max_digits=6, decimal_places=3, label=_("Per cent")
    )
    size = forms.IntegerField(required=False, min_value=1, max_value=100_000_000, label=_("Number of members"))
    name = forms.CharField(
        required=False, max_length=60, label=_("Name"), help_text=_("Empty: it is named after the segment.")
    )


class SplitForm(forms.Form):
    parts = forms.IntegerField(min_value=2, max_value=10, initial=2, label=_("Number of parts"))


class RenameForm(forms.Form):
    name = forms.CharField(max_length=60, label=_("Name"))
    description = forms.CharField(max_length=300, required=False, label=_("What it is for"))
    version = forms.IntegerField(min_value=1, widget=forms.HiddenInput)
