"""Campaigns: the list, one of them, its audience."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import Count, QuerySet

from campaigns.enums import CampaignState
from campaigns.models import Campaign
from scrm.common.errors import NotFound
from tags.queries import segments


def list_all() -> QuerySet[Campaign]:
    """Every campaign with what its row shows."""
    return Campaign.objects.select_related("segment", "account", "created_by").defer("body")


def state_counts() -> dict[str, int]:
    """How many campaigns each state has; every state is there."""
    counted = dict(Campaign.objects.values_list("state").annotate(n=Count("pk")))
    return {state.value: counted.get(state.value, 0) for state in CampaignState}


def get(campaign_id: int) -> Campaign:
    """Raises `NotFound`."""
    campaign = (
        Campaign.objects.select_related("segment", "account", "template", "created_by").filter(pk=campaign_id).first()
    )
    if campaign is None:
        raise NotFound("campaign")
    return campaign


def using_segment(segment_id: int) -> list[Campaign]:
    """Campaigns that would be hurt by a change of the segment: those that have not ended."""
    ended = [CampaignState.FINISHED, CampaignState.STOPPED, CampaignState.FAILED]
    return list(Campaign.objects.filter(segment_id=segment_id).exclude(state__in=ended).order_by("-pk"))


def audience_sql(
    campaign: Campaign, *, as_of: datetime, member_ids: Sequence[int] | None = None
) -> tuple[str, list[Any]]:
    """One SELECT of the ids of the audience at `as_of`, of all members or of those given, and its parameters."""
    return segments.audience_sql(campaign.segment, as_of=as_of, member_ids=member_ids)
