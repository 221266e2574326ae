"""What became of a campaign: every figure is a count of rows, so all of them add up."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from django.db import connection

from campaigns.enums import MessageState, SkipReason
from campaigns.models import Campaign
from members.queries import scopes
from scrm.common.access import Actor

# Last touch: an order belongs to the last message before it, for so long.
ATTRIBUTION_WINDOW = timedelta(days=5)
ARRIVED = (
    MessageState.HANDED,
    MessageState.DELIVERED,
    MessageState.OPENED,
    MessageState.CLICKED,
    MessageState.REPLIED,
)


@dataclass(frozen=True, slots=True)
class Report:
    """Counts of one campaign's messages. `outcomes` is by (state, reason) and adds up to `audience`."""

    audience: int
    outcomes: dict[tuple[str, str], int]
    handed: int
    opened: int
    clicked: int
    skipped: dict[str, int] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)

    def of(self, state: str) -> int:
        """How many messages are in a state, whatever the reason."""
        return sum(count for (one, _), count in self.outcomes.items() if one == state)

    @property
    def open_count(self) -> int:
        """Messages whose fate is not settled yet."""
        return self.of(MessageState.PENDING) + self.of(MessageState.CLAIMED)

    @property
    def settled(self) -> int:
        return self.audience - self.open_count

    @property
    def control(self) -> int:
        return self.skipped.get(SkipReason.CONTROL, 0)


def report(campaign_id: int, *, actor: Actor) -> Report:
    """The counts, of the members that the actor may see."""
    scope, params = scopes.member_sql(actor)
    join = "" if scope == "TRUE" else "JOIN members_member m ON m.id = t.member_id"
    with connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT t.state, t.reason, count(*), count(t.opened_at), count(t.clicked_at)
                FROM campaigns_message t {join}
                WHERE t.campaign_id = %s AND {scope} GROUP BY t.state, t.reason""",
            [campaign_id, *params],
        )
        rows = cursor.fetchall()
    arrived = {state.value for state in ARRIVED}
    return Report(
        audience=sum(count for _, _, count, _, _ in rows),
        outcomes={(state, reason): count for state, reason, count, _, _ in rows},
        handed=sum(count for state, _, count, _, _ in rows if state in arrived),
        opened=sum(opened for state, _, _, opened, _ in rows if state in arrived),
        clicked=sum(clicked for state, _, _, _, clicked in rows if state in arrived),
        skipped=_reasons(rows, MessageState.SKIPPED),
        failed=_reasons(rows, MessageState.FAILED),
    )


def _reasons(rows: list[tuple[str, str, int, int, int]], state: str) -> dict[str, int]:
    found = {reason: count for one, reason, count, _, _ in rows if one == state}
    return dict(sorted(found.items(), key=lambda item: -item[1]))


@dataclass(frozen=True, slots=True)
class Orders:
    """What followed within the window; `net_amount` in minor units, after refunds."""

    count: int
    buyers: int
    net_amount: int


def orders_after(campaign: Campaign, *, actor: Actor) -> Orders:
    """Orders paid within five days after this campaign's message, unless a later message touched the member first."""
    scope, params = scopes.member_sql(actor)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT count(*), count(DISTINCT o.member_id), COALESCE(sum(o.net_amount), 0)::bigint
            FROM campaigns_message t
            JOIN members_member m ON m.id = t.member_id
            JOIN members_order o ON o.member_id = t.member_id AND o.counts
                 AND o.paid_at >= t.handed_at AND o.paid_at < t.handed_at + make_interval(days => %s)
            WHERE t.campaign_id = %s AND t.handed_at IS NOT NULL AND t.state = ANY(%s) AND {scope}
              AND NOT EXISTS (
                  SELECT 1 FROM campaigns_message later
                  WHERE later.member_id = t.member_id AND later.handed_at > t.handed_at
                    AND later.handed_at <= o.paid_at AND later.state = ANY(%s))
            """,
            [
                ATTRIBUTION_WINDOW.days,
                campaign.pk,
                [state.value for state in ARRIVED],
                *params,
                [state.value for state in ARRIVED],
            ],
        )
        return Orders(*cursor.fetchone())
