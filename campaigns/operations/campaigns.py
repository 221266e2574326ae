"""A campaign's life, as people steer it: draft, schedule, start, pause, resume, stop."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from campaigns.enums import CampaignState, MissingValue, QuietAction
from campaigns.models import Campaign, CampaignChunk, ChannelAccount
from campaigns.queries import contents, templates
from campaigns.rules import lifecycle
from scrm.common.access import DataScope
from scrm.common.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from scrm.common.models import Notification
from scrm.common.transactions import atomic, current_actor
from tags.queries import segments

EDITABLE = (CampaignState.DRAFT, CampaignState.SCHEDULED)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a campaign's author decides, apart from when."""

    name: str
    segment_id: int
    account_id: int
    template_id: int | None = None
    subject: str = ""
    body: str = ""
    control_percent: int = 0
    respects_cap: bool = True
    cap_touches: int = 5
    cap_days: int = 7
    missing_value: str = MissingValue.BLANK
    quiet_action: str = QuietAction.HOLD
    quiet_from: time | None = None
    quiet_until: time | None = None
    scheduled_at: datetime | None = None  # None: as soon as it is started

    @classmethod
    def of(cls, campaign: Campaign) -> Plan:
        """The plan that a campaign has now."""
        return cls(**{name: getattr(campaign, name) for name in cls.__dataclass_fields__})


def create(*, plan: Plan, user_id: int | None) -> Campaign:
    """A new draft. Raises `Invalid` with the field at fault."""
    account = _account(plan.account_id)
    _check(plan)
    with atomic():
        return Campaign.objects.create(created_by_id=user_id, channel=account.channel, **_columns(plan))


def update(*, campaign_id: int, plan: Plan, version: int) -> Campaign:
    """Change a draft; a scheduled campaign becomes a draft again, since what was checked is not what it says now.

    Raises `Conflict` (`stale`) when somebody else changed it since `version`, (`not_editable`) once it has started.
    """
    account = _account(plan.account_id)
    _check(plan)
    with atomic():
        campaign = _locked(campaign_id)
        if campaign.state not in EDITABLE:
            raise Conflict(_("A campaign that has started cannot be changed."), code="not_editable")
        if campaign.version != version:
            raise Conflict(_("Somebody else changed this campaign meanwhile."), code="stale", version=campaign.version)
        for name, value in _columns(plan).items():
            setattr(campaign, name, value)
        campaign.channel = account.channel
        campaign.state = CampaignState.DRAFT
        campaign.version += 1
        campaign.save()
    return campaign


def duplicate(*, campaign_id: int, user_id: int | None) -> Campaign:
    """A new draft with the same audience, content and rules."""
    with atomic():
        source = Campaign.objects.filter(pk=campaign_id).first()
        if source is None:
            raise NotFound("campaign")
        name = (_("%(name)s (copy)") % {"name": source.name[:70]})[:80]
        copied = {field: getattr(source, field) for field in Plan.__dataclass_fields__}
        copied |= {"name": name, "scheduled_at": None}
        return Campaign.objects.create(created_by_id=user_id, channel=source.channel, **copied)


def delete_draft(*, campaign_id: int) -> None:
    """Remove a draft. Raises `Conflict` (`not_a_draft`) for anything that may have been sent."""
    with atomic():
        campaign = _locked(campaign_id)
        if campaign.state != CampaignState.DRAFT:
            raise Conflict(_("Only drafts can be deleted."), code="not_a_draft")
        campaign.delete()


def schedule(*, campaign_id: int, at: datetime | None, now: datetime) -> Campaign:
    """Let a draft start at `at`, or right away when that is None or past. The content must be usable.

    Raises `Invalid` (content, account), `Conflict` (`wrong_state`), `Forbidden` (`scope`) when the current actor does
    not see every member: a campaign writes to its whole audience.
    """
    if current_actor().scope != DataScope.ALL:
        raise Forbidden(_("Only somebody who sees all members can start a campaign."), code="scope")
    with atomic():
        campaign = _move(campaign_id, lifecycle.SCHEDULE)
        content = contents.parse(subject=campaign.subject, body=campaign.body)
        if not campaign.body.strip():
            raise Invalid(_("The message has no text."), code="empty_body", field="body")
        if contents.needs_html(campaign.channel) and not campaign.subject.strip():
            raise Invalid(_("An e-mail needs a subject."), code="empty_subject", field="subject")
        if not campaign.account.is_active:
            raise Invalid(_("The account is switched off."), code="account_inactive", field="account_id")
        del content
        campaign.scheduled_at = max(at, now) if at else now
        campaign.save(update_fields=["state", "scheduled_at"])
    return campaign


def unschedule(*, campaign_id: int) -> Campaign:
    """Make a scheduled campaign a draft again."""
    return _steer(campaign_id, lifecycle.UNSCHEDULE)


def pause(*, campaign_id: int) -> Campaign:
    """Hold a campaign: no message is claimed after this returned; those in a worker's hands stop at its next batch."""
    return _steer(campaign_id, lifecycle.PAUSE)


def hold(*, campaign_id: int, error: DomainError) -> None:
    """Pause a campaign that cannot go on by itself, say why, and tell its author. Nothing when it is not sending."""
    with atomic():
        _end_by_itself(campaign_id, CampaignState.SENDING, error, state=CampaignState.PAUSED)


def fail(*, campaign_id: int, error: DomainError, now: datetime) -> None:
    """End a campaign that cannot be prepared, say why, and tell its author. Nothing when it is not preparing."""
    with atomic():
        _end_by_itself(campaign_id, CampaignState.PREPARING, error, state=CampaignState.FAILED, finished_at=now)


def _end_by_itself(campaign_id: int, source: CampaignState, error: DomainError, **values: Any) -> None:
    reason = {"stop_reason": str(error)[:200], "stop_code": error.code}
    if not Campaign.objects.filter(pk=campaign_id, state=source).update(**values, **reason):
        return
    campaign = Campaign.objects.get(pk=campaign_id)
    if campaign.created_by_id is not None:
        Notification.objects.create(
            user_id=campaign.created_by_id,
            level="danger",
            message=gettext_noop("The campaign “%(name)s” has stopped: %(reason)s"),
            values={"name": campaign.name, "reason": campaign.stop_reason},
            url=f"/campaigns/{campaign_id}/",
        )


def resume(*, campaign_id: int) -> Campaign:
    """Let a paused campaign go on where it was."""
    with atomic():
        campaign = _move(campaign_id, lifecycle.RESUME)
        if campaign.audience_size is None:
            campaign.state = CampaignState.PREPARING
        campaign.stop_reason = campaign.stop_code = ""
        campaign.save(update_fields=["state", "stop_reason", "stop_code"])
    return campaign


def stop(*, campaign_id: int, reason: str = "", now: datetime) -> Campaign:
    """End a campaign for good. What is still pending is skipped as `stopped`, chunk by chunk, in the background."""
    with atomic():
        campaign = _move(campaign_id, lifecycle.STOP)
        campaign.stop_reason, campaign.finished_at = reason[:200], now
        campaign.save(update_fields=["state", "stop_reason", "finished_at"])
        # Held and put-off chunks are wound up now, not when their time would have come.
        CampaignChunk.objects.filter(campaign_id=campaign_id).exclude(not_before=None).update(not_before=None)
    return campaign


def _steer(campaign_id: int, act: lifecycle.Act) -> Campaign:
    with atomic():
        campaign = _move(campaign_id, act)
        campaign.save(update_fields=["state"])
    return campaign


def _move(campaign_id: int, act: lifecycle.Act) -> Campaign:
    """The campaign, locked, in the state that the act leads to. Not saved."""
    campaign = _locked(campaign_id)
    if campaign.state not in act.sources:
        raise Conflict(
            _("Not possible while the campaign is: %(state)s") % {"state": CampaignState(campaign.state).label},
            code="wrong_state",
            state=campaign.state,
        )
    campaign.state = act.target
    return campaign


def _locked(campaign_id: int) -> Campaign:
    campaign = Campaign.objects.select_for_update(of=("self",)).filter(pk=campaign_id).first()
    if campaign is None:
        raise NotFound("campaign")
    return campaign


def _account(account_id: int) -> ChannelAccount:
    account = ChannelAccount.objects.filter(pk=account_id).first()
    if account is None:
        raise Invalid(_("There is no such account."), field="account_id")
    return account


def _columns(plan: Plan) -> dict[str, Any]:
    return {name: getattr(plan, name) for name in Plan.__dataclass_fields__}


_RANGES = (("control_percent", 0, 50), ("cap_touches", 1, 100), ("cap_days", 1, 90))
_OUT_OF_RANGE = gettext_noop("Between %(low)d and %(high)d.")


def _check(plan: Plan) -> None:
    if not plan.name.strip():
        raise Invalid(_("A campaign needs a name."), code="missing", field="name")
    for field, limit in (("name", 80), ("subject", 200)):
        if len(getattr(plan, field)) > limit or "\x00" in getattr(plan, field):
            raise Invalid(_("At most %(limit)d characters.") % {"limit": limit}, code="too_long", field=field)
    for field, low, high in _RANGES:
        if not low <= getattr(plan, field) <= high:
            raise Invalid(_(_OUT_OF_RANGE) % {"low": low, "high": high}, code="out_of_range", field=field)
    for field, known in (("missing_value", MissingValue.values), ("quiet_action", QuietAction.values)):
        if getattr(plan, field) not in known:
            raise Invalid(_("Not a known value."), field=field)
    if (plan.quiet_from is None) != (plan.quiet_until is None):
        raise Invalid(_("Quiet hours need a beginning and an end."), code="missing", field="quiet_until")
    for field, look in (("segment_id", segments.get), ("template_id", templates.get)):
        value = getattr(plan, field)
        if value is not None:
            try:
                look(value)
            except NotFound as error:
                raise Invalid(_("Not a known value."), field=field) from error
    contents.parse(subject=plan.subject, body=plan.body)
