"""Messages as lists: of a campaign, of a member, of the sandbox."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from campaigns.enums import FailReason, MessageState, SkipReason, UnknownReason
from campaigns.models import Message, SandboxMessage
from members.queries import scopes
from scrm.common.access import Actor

_REASONS: dict[str, str | Promise] = {
    reason.value: reason.label for kind in (SkipReason, FailReason, UnknownReason) for reason in kind
}


def reason_label(reason: str) -> str | Promise:
    """The words for a reason, or the reason itself."""
    return _REASONS.get(reason, reason)


def of_campaign(campaign_id: int, *, actor: Actor, state: str = "", reason: str = "") -> QuerySet[Message]:
    """A campaign's messages to members the actor may see; `state` may also be "arrived", "opened" or "clicked",
    which count as the report's funnel does.
    """
    rows = Message.objects.filter(scopes.members_of(actor, "member__"), campaign_id=campaign_id).select_related(
        "member"
    )
    arrived = [one for one in MessageState.values if one in {"handed", "delivered", "opened", "clicked", "replied"}]
    if state == "arrived":
        rows = rows.filter(state__in=arrived)
    elif state in {"opened", "clicked"}:
        rows = rows.filter(**{f"{state}_at__isnull": False}, state__in=arrived)
    elif state:
        rows = rows.filter(state=state)
    return rows.filter(reason=reason) if reason else rows


def of_member(member_id: int, *, limit: int = 20) -> list[Message]:
    """A member's latest messages. The caller has checked that the actor may see the member."""
    return list(Message.objects.filter(member_id=member_id).select_related("campaign").order_by("-id")[:limit])


def sandbox(*, actor: Actor, member_id: int | None = None) -> QuerySet[SandboxMessage]:
    """What the sandbox took, for members the actor may see."""
    rows = SandboxMessage.objects.filter(scopes.members_of(actor, "member__")).select_related("member")
    return rows if member_id is None else rows.filter(member_id=member_id)


@dataclass(frozen=True, slots=True)
class StateFilter:
    value: str
    label: str | Promise


STATE_FILTERS = (
    StateFilter("", _("All")),
    StateFilter("arrived", _("Handed over")),
    StateFilter("opened", _("Opened")),
    StateFilter("clicked", _("Clicked")),
    StateFilter("pending", _("Pending")),
    StateFilter("skipped", _("Skipped")),
    StateFilter("failed", _("Failed")),
    StateFilter("unknown", _("Unknown")),
)
