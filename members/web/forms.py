"""Forms about members, stores and staff. They read what was typed; the operations decide."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from members.enums import Gender
from members.models import Member
from members.operations.profiles import Changes
from members.queries import organisation

SPARE_ATTRIBUTES = 2


def _whole(value: str) -> int:
    return int(value)


class ProfileForm(forms.Form):
    """What staff may change about a member."""

    name = forms.CharField(max_length=60, required=False, label=pgettext_lazy("member", "Name"))
    gender = forms.ChoiceField(choices=Gender.choices, required=False, label=_("Gender"))
    birth_on = forms.DateField(
        required=False,
        label=_("Birthday"),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    province = forms.CharField(max_length=40, required=False, label=_("Province"))
    city = forms.CharField(max_length=40, required=False, label=_("City"))
    store = forms.TypedChoiceField(required=False, coerce=_whole, empty_value=None, label=_("Store"))
    owner = forms.TypedChoiceField(required=False, coerce=_whole, empty_value=None, label=_("Owner"))
    seen_at = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, member: Member, **kwargs: Any) -> None:
        self.member = member
        kwargs["initial"] = {
            "name": member.name,
            "gender": member.gender,
            "birth_on": member.birth_on,
            "province": member.province,
            "city": member.city,
            "store": member.store_id,
            "owner": member.owner_id,
            "seen_at": member.updated_at.isoformat(),
        }
        super().__init__(*args, **kwargs)
        stores = organisation.store_choices(keep=member.store_id)
        staff = organisation.staff_choices(keep=member.owner_id)
        self.fields["store"].choices = [("", "—"), *stores]  # type: ignore[attr-defined]
        self.fields["owner"].choices = [("", "—"), *staff]  # type: ignore[attr-defined]

    def clean_seen_at(self) -> datetime:
        try:
            seen = datetime.fromisoformat(self.cleaned_data["seen_at"])
        except ValueError as error:
            raise forms.ValidationError(_("Open the form again.")) from error
        if seen.tzinfo is None:
            raise forms.ValidationError(_("Open the form again."))
        return seen

    @property
    def attribute_rows(self) -> list[tuple[str, str]]:
        """Name and value of each custom attribute, and a few empty rows."""
        if self.is_bound:
            names, values = (self.data.getlist(name) for name in ("attribute_name", "attribute_value"))  # type: ignore[attr-defined]
            return list(zip(names, values, strict=False))
        known = [(str(name), "" if value is None else str(value)) for name, value in self.member.attributes.items()]
        return known + [("", "")] * SPARE_ATTRIBUTES

    def changes(self) -> Changes:
        """What was typed. An attribute whose text did not change keeps its type."""
        data = self.cleaned_data
        before = self.member.attributes
        attributes = {
            name.strip(): before[name] if name in before and str(before[name]) == value else value
            for name, value in self.attribute_rows
            if name.strip()
        }
        return Changes(
            name=data["name"],
            gender=data["gender"],
            birth_on=data["birth_on"],
            province=data["province"],
            city=data["city"],
            store_id=data["store"],
            owner_id=data["owner"],
            attributes=attributes,
        )


class StoreForm(forms.Form):
    code = forms.CharField(max_length=32, label=_("Code"))
    name = forms.CharField(max_length=80, label=_("Name"))
    kind = forms.ChoiceField(label=_("Kind"))
    region = forms.TypedChoiceField(required=False, coerce=_whole, empty_value=None, label=_("Region"))
    city = forms.CharField(max_length=40, required=False, label=_("City"))
    is_active = forms.BooleanField(required=False, initial=True, label=_("In business"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["kind"].choices = organisation.STORE_KINDS  # type: ignore[attr-defined]
        self.fields["region"].choices = [("", "—"), *organisation.region_choices()]  # type: ignore[attr-defined]


class RegionForm(forms.Form):
    code = forms.CharField(max_length=32, label=_("Code"))
    name = forms.CharField(max_length=60, label=_("Name"))


class StaffForm(forms.Form):
    number = forms.CharField(max_length=32, label=_("Staff number"))
    name = forms.CharField(max_length=60, label=_("Name"))
    store = forms.TypedChoiceField(required=False, coerce=_whole, empty_value=None, label=_("Store"))
    region = forms.TypedChoiceField(required=False, coerce=_whole, empty_value=None, label=_("Region"))
    is_active = forms.BooleanField(required=False, initial=True, label=_("At work"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["store"].choices = [("", "—"), *organisation.store_choices()]  # type: ignore[attr-defined]
        self.fields["region"].choices = [("", "—"), *organisation.region_choices()]  # type: ignore[attr-defined]
