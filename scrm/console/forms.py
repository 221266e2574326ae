"""Forms of the console's own pages."""

from __future__ import annotations

import zoneinfo
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth import password_validation
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from members.queries import organisation
from scrm.common.access import DataScope, Permission, Role
from scrm.common.models import User

_ZONES = [("", _("The shop's zone"))] + [(name, name) for name in sorted(zoneinfo.available_timezones()) if "/" in name]


class ProfileForm(forms.ModelForm):
    """One's own name, language and time zone."""

    class Meta:
        model = User
        fields = ["display_name", "language", "time_zone"]
        labels = {
            "display_name": pgettext_lazy("person", "Name"),
            "language": _("Language"),
            "time_zone": _("Time zone"),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["language"] = forms.ChoiceField(choices=settings.LANGUAGES, label=_("Language"))
        self.fields["time_zone"] = forms.ChoiceField(choices=_ZONES, required=False, label=_("Time zone"))


class UserForm(forms.Form):
    """A console user with role and data scope."""

    username = forms.CharField(max_length=60, label=_("User name"))
    display_name = forms.CharField(max_length=60, required=False, label=pgettext_lazy("person", "Name"))
    role = forms.ChoiceField(choices=Role.choices, label=_("Role"))
    data_scope = forms.ChoiceField(choices=DataScope.choices, label=_("Data scope"))
    staff_id = forms.TypedChoiceField(
        required=False,
        coerce=int,
        empty_value=None,
        label=_("Staff member"),
        help_text=_("Whose store, region or members the data scope refers to."),
    )
    password = forms.CharField(
        required=False, widget=forms.PasswordInput(render_value=False), label=_("Password"), strip=False
    )
    is_active = forms.BooleanField(required=False, initial=True, label=_("May log in"))

    def __init__(self, *args: Any, user: User | None = None, **kwargs: Any) -> None:
        self.user = user
        super().__init__(*args, **kwargs)
        self.fields["staff_id"].choices = [("", "—"), *organisation.staff_choices()]  # type: ignore[attr-defined]

    def clean_username(self) -> str:
        username: str = self.cleaned_data["username"]
        others = User.objects.all() if self.user is None else User.objects.exclude(pk=self.user.pk)
        if others.filter(username=username).exists():
            raise forms.ValidationError(_("This user name is taken."))
        return username

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        if not password and self.user is None:
            raise forms.ValidationError(_("A new user needs a password."))
        if password:
            password_validation.validate_password(password, self.user)
        return password

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("data_scope") not in (None, DataScope.ALL) and not data.get("staff_id"):
            self.add_error("staff_id", _("This data scope needs a staff member."))
        return data


class ApiKeyForm(forms.Form):
    """A new API key."""

    name = forms.CharField(max_length=80, label=_("Name"))
    scopes = forms.MultipleChoiceField(
        choices=[choice for choice in Permission.choices if choice[0] != Permission.HOME],
        widget=forms.CheckboxSelectMultiple(attrs={"class": "form-check-input"}),
        label=_("Scopes"),
    )
    allowed_ips = forms.CharField(
        required=False,
        label=_("Allowed addresses"),
        help_text=_("IP addresses or networks, separated by commas. Empty: from everywhere."),
    )
    expires_on = forms.DateField(
        required=False, label=_("Expires on"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
