from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class ChannelKind(models.TextChoices):
    """Channels that can send today; the values are those of `members.enums.Channel`."""

    EMAIL = "email", pgettext_lazy("channel", "E-mail")
    SANDBOX = "sandbox", pgettext_lazy("channel", "Sandbox")


class CampaignState(models.TextChoices):
    DRAFT = "draft", _("Draft")
    SCHEDULED = "scheduled", _("Scheduled")
    PREPARING = "preparing", _("Preparing")
    SENDING = "sending", _("Sending")
    PAUSED = "paused", _("Paused")
    FINISHED = "finished", _("Finished sending")
    STOPPED = "stopped", _("Stopped")
    FAILED = "failed", _("Failed")


class MessageState(models.TextChoices):
    PENDING = "pending", _("Pending")
    CLAIMED = "claimed", _("Claimed")
    HANDED = "handed", _("Handed over")
    DELIVERED = "delivered", _("Delivered")
    OPENED = "opened", _("Opened")
    CLICKED = "clicked", _("Clicked")
    REPLIED = "replied", _("Replied")
    FAILED = "failed", _("Failed")
    SKIPPED = "skipped", _("Skipped")
    UNKNOWN = "unknown", _("Unknown: needs review")


class SkipReason(models.TextChoices):
    NO_CONSENT = "no_consent", _("No consent for this channel")
    NO_ADDRESS = "no_address", _("No address on this channel")
    CAPPED = "capped", _("Frequency cap reached")
    QUIET_HOURS = "quiet_hours", _("Quiet hours")
    CONTROL = "control", _("Control group")
    LEFT_AUDIENCE = "left_audience", _("Not in the audience any more")
    STOPPED = "stopped", _("Campaign was stopped")
    MISSING_VALUE = "missing_value", _("A value in the template is missing")


class UnknownReason(models.TextChoices):
    """Why nobody knows whether a message arrived. Shown for review; never sent again by itself."""

    LOST = "lost", _("The sender was lost during the hand-over")


class QuietAction(models.TextChoices):
    """What happens to a message that falls into the quiet hours."""

    HOLD = "hold", _("Hold until they end")
    SKIP = "skip", _("Skip")


class MissingValue(models.TextChoices):
    """What happens when a field without a default has no value for a member."""

    BLANK = "blank", _("Leave it blank")
    SKIP = "skip", _("Skip the member")


class FailReason(models.TextChoices):
    REFUSED = "refused", _("Refused by the provider")
    BAD_ADDRESS = "bad_address", _("Address does not exist")
    TEMPLATE = "template", _("Template could not be rendered")
    EXHAUSTED = "exhausted", _("Given up after repeated attempts")
