"""Fixing the audience: from a segment to one message row per member, in one transaction."""

from __future__ import annotations

from datetime import datetime

from django.db import connection

from campaigns.enums import CampaignState, MessageState, SkipReason
from campaigns.models import Campaign, ShortLink
from campaigns.operations import campaigns
from campaigns.queries import contents
from campaigns.queries.campaigns import audience_sql
from scrm.common.errors import DomainError
from scrm.common.transactions import atomic

CHUNK_SIZE = 1_000


def prepare(*, campaign_id: int, now: datetime) -> bool:
    """Give every member of the audience a message, cut them into chunks, and let the sending begin.

    Does nothing (and returns False) when the campaign is neither due nor preparing, or when somebody else is at it:
    the call may be lost, doubled or cut off at any point. A member of the control group gets a message that is
    skipped from the start; who belongs to it depends on the member and the campaign only.
    A content or an audience that cannot be used fails the campaign, with its reason, and its author is told.
    """
    with atomic():
        begun = Campaign.objects.filter(pk=campaign_id, state=CampaignState.SCHEDULED, scheduled_at__lte=now).update(
            state=CampaignState.PREPARING, started_at=now
        )
    del begun
    try:
        with atomic():
            return _prepare(campaign_id, now)
    except DomainError as error:
        campaigns.fail(campaign_id=campaign_id, error=error, now=now)
        return False


def _prepare(campaign_id: int, now: datetime) -> bool:
    with connection.cursor() as cursor:
        # One at a time per campaign. The row itself is left unlocked, so that pause and stop need not wait.
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtext('campaigns.prepare'), %s)", [campaign_id])
        if not cursor.fetchone()[0]:
            return False
        campaign = Campaign.objects.filter(pk=campaign_id, state=CampaignState.PREPARING).first()
        if campaign is None:
            return False
        content = contents.parse(subject=campaign.subject, body=campaign.body)
        ShortLink.objects.filter(campaign_id=campaign_id).delete()
        ShortLink.objects.bulk_create(
            ShortLink(campaign_id=campaign_id, position=position, url=url) for position, url in enumerate(content.links)
        )
        cursor.execute("SET LOCAL statement_timeout = 0")  # an audience may be millions
        audience, params = audience_sql(campaign, as_of=now)
        cursor.execute(
            f"""
            INSERT INTO campaigns_message (campaign_id, member_id, channel, occurrence, state, reason, detail,
                                           lease, provider_id)
            SELECT %s, a.id, %s, '', CASE WHEN a.control THEN %s ELSE %s END,
                   CASE WHEN a.control THEN %s ELSE '' END, '', 0, ''
            FROM (SELECT id, (hashint8extended(id, %s) & 9223372036854775807) %% 10000 < %s AS control
                  FROM ({audience}) audience (id)) a
            ON CONFLICT DO NOTHING
            """,  # compiled from the segment's condition, values are parameters
            [
                campaign_id,
                campaign.channel,
                MessageState.SKIPPED.value,
                MessageState.PENDING.value,
                SkipReason.CONTROL.value,
                campaign_id,
                campaign.control_percent * 100,
                *params,
            ],
        )
        cursor.execute(
            """
            INSERT INTO campaigns_campaignchunk (campaign_id, number, first_member_id, last_member_id, state, lease)
            SELECT %s, number, min(member_id), max(member_id), 'ready', 0
            FROM (SELECT member_id, (row_number() OVER (ORDER BY member_id) - 1) / %s AS number
                  FROM campaigns_message WHERE campaign_id = %s AND state = %s) pending
            GROUP BY number
            ON CONFLICT DO NOTHING
            """,
            [campaign_id, CHUNK_SIZE, campaign_id, MessageState.PENDING.value],
        )
        cursor.execute("SELECT count(*) FROM campaigns_message WHERE campaign_id = %s", [campaign_id])
        size = cursor.fetchone()[0]
    started = Campaign.objects.filter(pk=campaign_id, state=CampaignState.PREPARING).update(
        state=CampaignState.SENDING, audience_size=size
    )
    if not started:  # paused or stopped meanwhile: leave nothing behind
        connection.set_rollback(True)
    return bool(started)
