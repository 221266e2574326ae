"""What there is to do: campaigns that are due, audiences to fix, chunks to claim."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Exists, F, OuterRef, Q

from campaigns.enums import CampaignState
from campaigns.models import Campaign, CampaignChunk
from campaigns.models.campaigns import ChunkState

# Hints sent by one sweep; the next one is seconds away.
MOST_HINTS = 500


def to_prepare(*, now: datetime) -> list[int]:
    """Campaigns whose time has come, or whose audience is being fixed by somebody who may be gone."""
    return list(
        Campaign.objects.filter(
            Q(state=CampaignState.SCHEDULED, scheduled_at__lte=now) | Q(state=CampaignState.PREPARING)
        )
        .order_by("pk")
        .values_list("pk", flat=True)[:MOST_HINTS]
    )


def claimable(*, now: datetime, campaign_id: int | None = None) -> list[tuple[int, int]]:
    """(campaign, chunk number) of what a worker could claim now: ready and due, or with a lapsed lease.

    Chunks of stopped campaigns are among them, to be wound up; those of paused ones only to settle a lapsed lease.
    """
    ready = Q(state=ChunkState.READY) & (Q(not_before=None) | Q(not_before__lte=now))
    lapsed = Q(state=ChunkState.CLAIMED, leased_until__lt=now)
    running = Q(campaign__state__in=[CampaignState.SENDING, CampaignState.STOPPED])
    chunks = CampaignChunk.objects.filter((ready & running) | lapsed)
    if campaign_id is not None:
        chunks = chunks.filter(campaign_id=campaign_id)
    return list(chunks.order_by(F("campaign_id"), F("number")).values_list("campaign_id", "number")[:MOST_HINTS])


def to_finish() -> list[int]:
    """Campaigns that are sending although nothing is left to send."""
    open_chunks = CampaignChunk.objects.filter(campaign_id=OuterRef("pk")).exclude(state=ChunkState.DONE)
    return list(
        Campaign.objects.filter(~Exists(open_chunks), state=CampaignState.SENDING)
        .order_by("pk")
        .values_list("pk", flat=True)[:MOST_HINTS]
    )
