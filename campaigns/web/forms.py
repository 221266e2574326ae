"""Forms of campaigns, templates and accounts. They check shapes; what makes sense is checked by the operations."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from campaigns.enums import ChannelKind, MissingValue, QuietAction
from campaigns.queries import accounts, templates
from tags.queries import segments

_ONLY_TIME = forms.TimeInput(attrs={"type": "time"}, format="%H:%M")


class AudienceForm(forms.Form):
    """Step 1: who, and by which account."""

    name = forms.CharField(max_length=80, label=_("Campaign name"))
    segment_id = forms.TypedChoiceField(coerce=int, label=_("Segment"))
    account_id = forms.TypedChoiceField(coerce=int, label=_("Channel account"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chosen = self.initial.get("segment_id")
        listed = [(segment.pk, segment.name) for segment in segments.listed().order_by("-pk")[:500]]
        if chosen and chosen not in dict(listed):
            listed.append((chosen, segments.get(chosen).name))
        self.fields["segment_id"].choices = [("", _("Choose a segment")), *listed]  # type: ignore[attr-defined]
        self.fields["account_id"].choices = [  # type: ignore[attr-defined]
            (account.pk, f"{account.get_channel_display()} · {account.name}") for account in accounts.active()
        ]


class ContentForm(forms.Form):
    """Step 2: what it says."""

    template_id = forms.TypedChoiceField(coerce=int, required=False, empty_value=None, label=_("Template"))
    subject = forms.CharField(max_length=200, required=False, label=_("Subject"))
    body = forms.CharField(
        max_length=20_000, strip=False, widget=forms.Textarea(attrs={"rows": 12}), label=_("Message")
    )
    missing_value = forms.ChoiceField(choices=MissingValue.choices, label=_("When a value is missing"))

    def __init__(self, *args: Any, channel: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        found = [(template.pk, template.name) for template in templates.list_all(channel=channel)[:200]]
        chosen = self.initial.get("template_id")
        if chosen and chosen not in dict(found):
            found.append((chosen, templates.get(chosen).name))
        self.fields["template_id"].choices = [("", _("Write it here")), *found]  # type: ignore[attr-defined]
        self.fields["subject"].required = channel == ChannelKind.EMAIL


class ScheduleForm(forms.Form):
    """Step 3: when, and what holds it back."""

    when = forms.ChoiceField(
        choices=[("now", _("As soon as it is started")), ("at", _("At a set time"))],
        widget=forms.RadioSelect,
        label=_("Start"),
    )
    scheduled_at = forms.DateTimeField(
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        label=_("Time"),
    )
    quiet_from = forms.TimeField(required=False, widget=_ONLY_TIME, label=_("Quiet from"))
    quiet_until = forms.TimeField(required=False, widget=_ONLY_TIME, label=_("Quiet until"))
    quiet_action = forms.ChoiceField(choices=QuietAction.choices, label=_("In quiet hours"))
    respects_cap = forms.BooleanField(required=False, label=_("Keep to the frequency cap"))
    cap_touches = forms.IntegerField(min_value=1, max_value=100, label=_("Messages at most"))
    cap_days = forms.IntegerField(min_value=1, max_value=90, label=_("Within days"))
    control_percent = forms.IntegerField(
        min_value=0,
        max_value=50,
        label=_("Control group (%)"),
        help_text=_("These members get nothing, so that the effect can be told from chance."),
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("when") == "at" and not data.get("scheduled_at") and "scheduled_at" not in self.errors:
            self.add_error("scheduled_at", _("Say when."))
        if data.get("when") == "now":
            data["scheduled_at"] = None
        return data


class TemplateForm(forms.Form):
    """A message template."""

    name = forms.CharField(max_length=60, label=_("Name"))
    channel = forms.ChoiceField(choices=ChannelKind.choices, label=_("Channel"))
    subject = forms.CharField(max_length=200, required=False, label=_("Subject"))
    body = forms.CharField(
        max_length=20_000, strip=False, widget=forms.Textarea(attrs={"rows": 12}), label=_("Message")
    )


class AccountForm(forms.Form):
    """A channel account; the mail server's fields are only read for e-mail."""

    name = forms.CharField(max_length=60, label=_("Name"))
    channel = forms.ChoiceField(choices=ChannelKind.choices, label=_("Channel"))
    host = forms.CharField(max_length=253, required=False, label=_("Mail server"))
    port = forms.IntegerField(min_value=1, max_value=65535, required=False, initial=587, label=_("Port"))
    security = forms.ChoiceField(
        choices=[("starttls", "STARTTLS"), ("tls", "TLS"), ("", _("None"))], required=False, label=_("Encryption")
    )
    username = forms.CharField(max_length=120, required=False, label=_("User name"))
    password = forms.CharField(
        max_length=200,
        required=False,
        strip=False,
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password"}),
        label=_("Password"),
        help_text=_("Kept encrypted and never shown. Empty: stays as it is."),
    )
    sender_address = forms.CharField(max_length=254, required=False, label=_("Sender address"))
    sender_name = forms.CharField(max_length=60, required=False, label=_("Sender name"))
    is_active = forms.BooleanField(required=False, initial=True, label=_("In use"))
