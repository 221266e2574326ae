"""Recording what became of messages, a batch at a time, by the worker that holds the lease."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection

from campaigns.enums import CampaignState, FailReason, MessageState
from campaigns.models import Campaign, CampaignChunk
from campaigns.models.campaigns import ChunkState
from campaigns.operations import claims
from members.operations import summaries, timeline
from scrm.common import reactions
from scrm.common.reactions import Facts
from scrm.common.transactions import atomic

# After so many postponed hand-overs (about seven hours of growing pauses) a message has failed.
MOST_ATTEMPTS = 16
EVENT_SOURCE = "campaigns"  # kept as scrm.campaigns


@dataclass(frozen=True, slots=True)
class Row:
    """The new state of one claimed message. PENDING: provably not handed over, to be tried again."""

    message_id: UUID
    member_id: int
    state: MessageState
    reason: str = ""
    detail: str = ""
    provider_id: str = ""
    attempted: bool = True  # False: never tried, so the try is not counted


def begin(*, campaign_id: int, number: int, lease: int, message_ids: Sequence[UUID], now: datetime) -> bool:
    """Note, before a hand-over to a provider that cannot deduplicate, which messages it is of.

    After a crash only these are in doubt; the rest of the chunk provably never left. Renews the lease. Returns
    whether to go on: a worker whose lease has lapsed meanwhile, or whose campaign was paused or stopped, must not.
    """
    with atomic(), connection.cursor() as cursor:
        chunk = CampaignChunk.objects.select_for_update().get(campaign_id=campaign_id, number=number)
        if chunk.lease != lease or chunk.state != ChunkState.CLAIMED:
            return False
        if not Campaign.objects.filter(pk=campaign_id, state=CampaignState.SENDING).exists():
            return False
        cursor.execute(
            """UPDATE campaigns_message SET handed_at = %s
               WHERE id = ANY(%s) AND campaign_id = %s AND state = %s AND lease = %s
                 AND member_id BETWEEN %s AND %s""",
            [
                now,
                list(message_ids),
                campaign_id,
                MessageState.CLAIMED.value,
                lease,
                chunk.first_member_id,
                chunk.last_member_id,
            ],
        )
        chunk.leased_until = now + claims.LEASE
        chunk.save(update_fields=["leased_until"])
    return True


def record(*, campaign_id: int, number: int, lease: int, rows: Sequence[Row], now: datetime) -> bool:
    """Write outcomes, put the hand-overs on the members' timelines, and renew the lease.

    Only messages that this lease claimed are touched; one that was meanwhile called unknown gets the truth, except
    that it is never made pending again. Returns whether to go on: the lease still holds and the campaign is sending.
    """
    with atomic(), connection.cursor() as cursor:
        chunk = CampaignChunk.objects.select_for_update().get(campaign_id=campaign_id, number=number)
        _copy(rows)
        cursor.execute(
            """
            UPDATE campaigns_message m SET
                state = CASE
                    WHEN o.state = 'handed' AND m.clicked_at IS NOT NULL THEN 'clicked'
                    WHEN o.state = 'handed' AND m.opened_at IS NOT NULL THEN 'opened'
                    WHEN o.state = 'pending' AND m.attempts + 1 >= %(most)s THEN 'failed'
                    ELSE o.state END,
                reason = CASE WHEN o.state = 'pending' AND m.attempts + 1 >= %(most)s THEN %(exhausted)s
                              ELSE o.reason END,
                detail = o.detail,
                provider_id = o.provider_id,
                attempts = m.attempts + CASE WHEN o.state = 'pending' AND o.attempted THEN 1 ELSE 0 END,
                lease = CASE WHEN o.state = 'pending' THEN 0 ELSE m.lease END,
                handed_at = CASE WHEN o.state IN ('handed', 'unknown') THEN %(now)s END
            FROM campaigns_outcome o
            WHERE m.id = o.id AND m.member_id = o.member_id AND m.campaign_id = %(campaign)s AND m.lease = %(lease)s
              AND (m.state = 'claimed' OR m.state = 'unknown' AND o.state IN ('handed', 'failed'))
            RETURNING m.id, m.member_id, o.state
            """,
            {
                "most": MOST_ATTEMPTS,
                "exhausted": FailReason.EXHAUSTED.value,
                "now": now,
                "campaign": campaign_id,
                "lease": lease,
            },
        )
        handed = [(member_id, message_id) for message_id, member_id, state in cursor.fetchall() if state == "handed"]
        _tell(campaign_id, handed, now)
        if chunk.lease != lease or chunk.state != ChunkState.CLAIMED:
            return False
        chunk.leased_until = now + claims.LEASE
        chunk.save(update_fields=["leased_until"])
    return Campaign.objects.filter(pk=campaign_id, state=CampaignState.SENDING).exists()


def finish(*, campaign_id: int, number: int, lease: int, hold_until: datetime | None, now: datetime) -> None:
    """Give the chunk back: done, or ready again for those held or put off. Nothing when the lease is lost.

    Messages that were put off wait longer with each try: 30 s, 1 min, 2 min … 30 min.
    """
    with atomic(), connection.cursor() as cursor:
        chunk = CampaignChunk.objects.select_for_update().get(campaign_id=campaign_id, number=number)
        if chunk.lease != lease or chunk.state != ChunkState.CLAIMED:
            return
        cursor.execute(
            """SELECT min(attempts) FROM campaigns_message
               WHERE campaign_id = %s AND state = %s AND attempts > 0 AND member_id BETWEEN %s AND %s""",
            [campaign_id, MessageState.PENDING.value, chunk.first_member_id, chunk.last_member_id],
        )
        (attempts,) = cursor.fetchone()
        moments = [hold_until] if hold_until else []
        if attempts:
            moments.append(now + min(timedelta(seconds=30 * 2 ** (attempts - 1)), timedelta(minutes=30)))
        claims.release(chunk, not_before=min(moments, default=None))


def finish_campaign(*, campaign_id: int, now: datetime) -> bool:
    """Close a campaign of which every chunk is done."""
    with atomic():
        if CampaignChunk.objects.filter(campaign_id=campaign_id).exclude(state=ChunkState.DONE).exists():
            return False
        closed = Campaign.objects.filter(pk=campaign_id, state=CampaignState.SENDING).update(
            state=CampaignState.FINISHED, finished_at=now
        )
    return bool(closed)


def _copy(rows: Sequence[Row]) -> None:
    """The rows in a temporary table of this session: faster than arrays, and one plan for every size."""
    with connection.cursor() as cursor:
        cursor.execute(
            """CREATE TEMPORARY TABLE IF NOT EXISTS campaigns_outcome (
                   id uuid, member_id bigint, state text, reason text, detail text, provider_id text, attempted bool
               ) ON COMMIT DELETE ROWS"""
        )
        cursor.execute("DELETE FROM campaigns_outcome")
        with cursor.copy("COPY campaigns_outcome FROM STDIN") as copy:
            for row in rows:
                copy.write_row(
                    (
                        row.message_id,
                        row.member_id,
                        row.state.value,
                        row.reason,
                        row.detail[:200].replace("\x00", ""),
                        row.provider_id[:128].replace("\x00", ""),
                        row.attempted,
                    )
                )


def _tell(campaign_id: int, handed: Sequence[tuple[int, UUID]], now: datetime) -> None:
    if handed:
        name = Campaign.objects.values_list("name", flat=True).get(pk=campaign_id)
        timeline.append(
            source=EVENT_SOURCE,
            type="message.sent",
            rows=[
                (member_id, f"sent:{message_id}", now, {"campaign": name, "campaign_id": campaign_id})
                for member_id, message_id in handed
            ],
            now=now,
        )
        follow("message.sent", {member_id for member_id, _ in handed}, now)


def follow(kind: str, member_ids: Collection[int], now: datetime) -> None:
    """Have conditions over messages looked at again. Inside the transaction that changed the messages."""
    summaries.hold(member_ids)
    reactions.run(
        Facts(
            now=now,
            member_ids=sorted(member_ids),
            event_count=len(member_ids),
            topics=frozenset({"message", f"event:{kind}"}),
        )
    )
