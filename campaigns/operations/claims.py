"""Claiming a chunk of recipients: who is written to is decided here, once, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection

from campaigns.channels import channel
from campaigns.enums import CampaignState, MessageState, SkipReason, UnknownReason
from campaigns.models import Campaign, CampaignChunk
from campaigns.models.campaigns import ChunkState
from campaigns.queries import touches
from campaigns.queries.campaigns import audience_sql
from campaigns.rules import eligibility, quiet
from members.queries import consents, contacts
from members.queries.contacts import Recipient
from scrm.common import clock
from scrm.common.transactions import atomic

# How long a claim holds without being renewed. Renewed with every batch that is recorded.
LEASE = timedelta(seconds=120)


@dataclass(frozen=True, slots=True)
class Claimed:
    """Messages that this worker, and nobody else, hands over. `hold_until`: when others of the chunk are due."""

    campaign: Campaign
    number: int
    lease: int
    messages: Sequence[tuple[UUID, Recipient]]
    hold_until: datetime | None


def claim(*, campaign_id: int, number: int, now: datetime) -> Claimed | None:
    """Lease a chunk and decide, for each of its pending members, to send, to skip (with a reason) or to hold.

    Guarantees: of several callers one gets it, the others None. Consent, audience, address, cap, quiet hours and the
    campaign's state are read in this transaction; a withdrawal, a pause or a stop that committed before is seen, one
    that has not waits for us. A lapsed lease is settled first: what its worker may have handed over becomes unknown,
    or, where the provider takes a message once, is handed over again.
    """
    with atomic():
        chunk = (
            CampaignChunk.objects.select_for_update(skip_locked=True, of=("self",))
            .filter(campaign_id=campaign_id, number=number)
            .exclude(state=ChunkState.DONE)
            .first()
        )
        if chunk is None:
            return None
        if chunk.state == ChunkState.CLAIMED:
            if chunk.leased_until is not None and chunk.leased_until >= now:
                return None
        elif chunk.not_before is not None and chunk.not_before > now:
            return None
        campaign = _hold_campaign(campaign_id)
        if chunk.state == ChunkState.CLAIMED:
            _settle(campaign, chunk)
        chunk.lease += 1
        if campaign.state == CampaignState.SENDING:
            claimed = _decide(campaign, chunk, now)
        else:
            if campaign.state == CampaignState.STOPPED:
                _stop(campaign, chunk)
            claimed = None
        if claimed is not None and claimed.messages:
            chunk.state, chunk.leased_until, chunk.not_before = ChunkState.CLAIMED, now + LEASE, None
            chunk.save(update_fields=["state", "lease", "leased_until", "not_before"])
            return claimed
        release(chunk, not_before=claimed.hold_until if claimed else None)
        return None


def release(chunk: CampaignChunk, *, not_before: datetime | None) -> None:
    """Let go of a chunk inside the caller's transaction: done when nobody in it is pending, else ready again."""
    chunk.state = ChunkState.READY if _pending(chunk, limit=1) else ChunkState.DONE
    chunk.leased_until, chunk.not_before = None, not_before
    chunk.save(update_fields=["state", "lease", "leased_until", "not_before"])


def _hold_campaign(campaign_id: int) -> Campaign:
    """The campaign, which nobody pauses, stops or edits until this transaction ends; other claims are not hindered."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM campaigns_campaign WHERE id = %s FOR SHARE", [campaign_id])
    return Campaign.objects.select_related("segment", "account").get(pk=campaign_id)


def _pending(chunk: CampaignChunk, *, limit: int | None = None) -> list[tuple[UUID, int, int]]:
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT id, member_id, lease FROM campaigns_message
               WHERE campaign_id = %s AND state = %s AND member_id BETWEEN %s AND %s
               ORDER BY member_id LIMIT %s""",
            [chunk.campaign_id, MessageState.PENDING.value, chunk.first_member_id, chunk.last_member_id, limit],
        )
        return list(cursor.fetchall())


def _settle(campaign: Campaign, chunk: CampaignChunk) -> None:
    """What to believe of the messages that a worker claimed and never told about.

    Where the provider deduplicates they stay pending *with their lease*: possibly there already, safe to hand over.
    Elsewhere those whose hand-over had begun are unknown, and the others are as if they had never been claimed.
    """
    again = channel(campaign.channel).deduplicates
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE campaigns_message SET
                state = CASE WHEN %(again)s OR handed_at IS NULL THEN %(pending)s ELSE %(unknown)s END,
                reason = CASE WHEN %(again)s OR handed_at IS NULL THEN '' ELSE %(lost)s END,
                lease = CASE WHEN %(again)s OR handed_at IS NOT NULL THEN lease ELSE 0 END,
                handed_at = CASE WHEN NOT %(again)s THEN handed_at END
            WHERE campaign_id = %(campaign)s AND state = %(claimed)s AND lease = %(lease)s
              AND member_id BETWEEN %(first)s AND %(last)s
            """,
            {
                "again": again,
                "pending": MessageState.PENDING.value,
                "unknown": MessageState.UNKNOWN.value,
                "lost": UnknownReason.LOST.value,
                "campaign": campaign.pk,
                "claimed": MessageState.CLAIMED.value,
                "lease": chunk.lease,
                "first": chunk.first_member_id,
                "last": chunk.last_member_id,
            },
        )


def _stop(campaign: Campaign, chunk: CampaignChunk) -> None:
    pending = _pending(chunk)
    _skip({message_id: SkipReason.STOPPED for message_id, _, lease in pending if not lease}, campaign, chunk)
    _doubt([message_id for message_id, _, lease in pending if lease], campaign, chunk)


def _decide(campaign: Campaign, chunk: CampaignChunk, now: datetime) -> Claimed:
    pending = _pending(chunk)
    ids = [member_id for _, member_id, _ in pending]
    recipients = contacts.recipients(member_ids=ids)
    standing = eligibility.Standing(
        audience=_in_audience(campaign, ids, now) & recipients.keys(),
        consenting=consents.hold_allowed(member_ids=ids, channel=campaign.channel),
        addressed=contacts.with_address(member_ids=ids, channel=campaign.channel),
        touches=_touches(campaign, ids, now),
        quiet_until=_quiet(campaign, recipients, now),
    )
    verdict = eligibility.decide(
        ids,
        standing,
        cap=campaign.cap_touches if campaign.respects_cap else None,
        quiet_action=campaign.quiet_action,
    )
    by_member = {member_id: (message_id, lease) for message_id, member_id, lease in pending}
    skipped = {by_member[member]: reason for member, reason in verdict.skip.items()}
    _skip({message_id: reason for (message_id, lease), reason in skipped.items() if not lease}, campaign, chunk)
    _doubt([message_id for message_id, lease in skipped if lease], campaign, chunk)
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE campaigns_message SET state = %s, lease = %s, claimed_at = %s
               WHERE campaign_id = %s AND member_id = ANY(%s) AND state = %s""",
            [
                MessageState.CLAIMED.value,
                chunk.lease,
                now,
                campaign.pk,
                verdict.send,
                MessageState.PENDING.value,
            ],
        )
    return Claimed(
        campaign=campaign,
        number=chunk.number,
        lease=chunk.lease,
        messages=[(by_member[member][0], recipients[member]) for member in verdict.send],
        hold_until=min(verdict.hold.values(), default=None),
    )


def _in_audience(campaign: Campaign, member_ids: list[int], now: datetime) -> set[int]:
    sql, params = audience_sql(campaign, as_of=now, member_ids=member_ids)
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return {row[0] for row in cursor.fetchall()}


def _touches(campaign: Campaign, member_ids: list[int], now: datetime) -> dict[int, int]:
    if not campaign.respects_cap:
        return {}
    with connection.cursor() as cursor:
        # Two campaigns that claim the same member at once would each count the other out. Claims are short: one
        # after the other they are still tens of thousands of messages per second.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('campaigns.cap'))")
    return touches.count(member_ids=member_ids, days=campaign.cap_days, now=now)


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # a name that the zone database does not have
        return clock.shop_zone()


def _quiet(campaign: Campaign, recipients: dict[int, Recipient], now: datetime) -> dict[int, datetime]:
    """For whom it is quiet now, and until when; in the member's zone, else the store's, else the shop's."""
    ends: dict[str, datetime | None] = {
        name: quiet.released_at(
            now, starts=campaign.quiet_from, ends=campaign.quiet_until, zone=_zone(name) if name else clock.shop_zone()
        )
        for name in {recipient.time_zone for recipient in recipients.values()}
    }
    return {
        member_id: end for member_id, recipient in recipients.items() if (end := ends[recipient.time_zone]) is not None
    }


def _skip(reasons: dict[UUID, SkipReason], campaign: Campaign, chunk: CampaignChunk) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE campaigns_message m SET state = %s, reason = s.reason
            FROM unnest(%s::uuid[], %s::text[]) AS s (id, reason)
            WHERE m.id = s.id AND m.campaign_id = %s AND m.member_id BETWEEN %s AND %s
            """,
            [
                MessageState.SKIPPED.value,
                list(reasons),
                [reason.value for reason in reasons.values()],
                campaign.pk,
                chunk.first_member_id,
                chunk.last_member_id,
            ],
        )


def _doubt(message_ids: list[UUID], campaign: Campaign, chunk: CampaignChunk) -> None:
    """Messages of a lapsed claim that may not be handed over any more: nobody knows whether they once were."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE campaigns_message SET state = %s, reason = %s, handed_at = claimed_at
            WHERE id = ANY(%s) AND campaign_id = %s AND member_id BETWEEN %s AND %s
            """,
            [
                MessageState.UNKNOWN.value,
                UnknownReason.LOST.value,
                message_ids,
                campaign.pk,
                chunk.first_member_id,
                chunk.last_member_id,
            ],
        )
