"""Reading and writing the tiers of members: rows of `MemberTier` and `TierMove`, many at once."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from django.db import connection

from members.operations import columns
from members.rules.tier_holdings import Hand, Holding, Paid, holding
from members.rules.tier_steps import Standing
from members.rules.tiers import Scheme
from scrm.common import clock
from scrm.common.transactions import current_actor


@dataclass(frozen=True, slots=True)
class State:
    """One member's tier and what it follows from. `row`: there is one already."""

    member_id: int
    joined_on: date
    row: bool = False
    tier_id: int | None = None
    source: str = "earned"
    since: datetime | None = None
    expires_at: datetime | None = None
    standing: Standing | None = None
    noticed_cycle: int = 0
    hand: Hand | None = None
    paid: Paid | None = None
    move_count: int = 0
    next_check_at: datetime | None = None

    def held(self, scheme: Scheme, now: datetime) -> Holding:
        """The tier that counts at an instant."""
        return holding(scheme, self.standing, self.hand, self.paid, now=now)

    def settled(self, scheme: Scheme, now: datetime) -> State:
        """The same without what has ended, and with the tier that counts."""
        hand = self.hand if self.hand is not None and self.hand.until > now else None
        paid = self.paid if self.paid is not None and self.paid.until > now else None
        kept = replace(self, hand=hand, paid=paid)
        found = kept.held(scheme, now)
        since = found.since or (self.since if self.tier_id == found.tier_id else None) or now
        return replace(kept, tier_id=found.tier_id, source=found.source, since=since, expires_at=found.expires_at)


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of `TierMove` to be."""

    member_id: int
    number: int
    kind: str
    reason: str
    before: int | None
    after: int
    at: datetime
    cycle: int
    facts: dict[str, Any]


_EARNED = (
    "earned_tier_id", "earned_since", "ends_at", "earned_expires_at", "decide_at", "basis_from", "basis_to", "needed",
    "cycle",
)  # fmt: skip
_COLUMNS = (
    "tier_id", "source", "since", "expires_at", *_EARNED, "noticed_cycle", "hand_tier_id", "hand_since", "hand_until",
    "hand_rules", "paid_tier_id", "paid_since", "paid_until", "move_count", "next_check_at",
)  # fmt: skip
_TYPES = {
    "source": "text", "hand_rules": "boolean", "cycle": "int", "noticed_cycle": "int", "move_count": "int",
    **dict.fromkeys(("tier_id", "earned_tier_id", "hand_tier_id", "paid_tier_id", "needed"), "bigint"),
}  # fmt: skip


def read(member_ids: Collection[int]) -> list[State]:
    """The states of those members who are neither merged nor erased."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT m.id, m.joined_at, t.member_id IS NOT NULL, {", ".join(f"t.{name}" for name in _COLUMNS)}
            FROM members_member m LEFT JOIN members_membertier t ON t.member_id = m.id
            WHERE m.id = ANY(%s::bigint[]) AND m.status = 'active' ORDER BY m.id
            """,  # names of this file
            [columns.integers(member_ids)],
        )
        return [_state(row) for row in cursor.fetchall()]


def _state(row: Sequence[Any]) -> State:
    member_id, joined_at, there, *values = row
    joined_on = clock.shop_date(joined_at)
    if not there:
        return State(member_id, joined_on)
    known = dict(zip(_COLUMNS, values, strict=True))
    standing = None
    if known["earned_tier_id"] is not None:
        standing = Standing(*(known[name] for name in _EARNED))
    hand = paid = None
    if known["hand_tier_id"] is not None:
        hand = Hand(known["hand_tier_id"], known["hand_since"], known["hand_until"], known["hand_rules"])
    if known["paid_tier_id"] is not None:
        paid = Paid(known["paid_tier_id"], known["paid_since"], known["paid_until"])
    return State(
        member_id, joined_on, True, known["tier_id"], known["source"], known["since"], known["expires_at"], standing,
        known["noticed_cycle"], hand, paid, known["move_count"], known["next_check_at"],
    )  # fmt: skip


def _values(state: State) -> dict[str, Any]:
    earned, hand, paid = state.standing, state.hand, state.paid
    return {
        "member_id": state.member_id, "tier_id": state.tier_id, "source": state.source, "since": state.since,
        "expires_at": state.expires_at,
        "earned_tier_id": earned and earned.tier_id, "earned_since": earned and earned.since,
        "ends_at": earned and earned.ends_at, "earned_expires_at": earned and earned.expires_at,
        "decide_at": earned and earned.decide_at, "basis_from": earned and earned.basis_from,
        "basis_to": earned and earned.basis_to, "needed": earned.needed if earned else 0,
        "cycle": earned.cycle if earned else 0, "noticed_cycle": state.noticed_cycle,
        "hand_tier_id": hand and hand.tier_id, "hand_since": hand and hand.since, "hand_until": hand and hand.until,
        "hand_rules": hand.rules if hand else False,
        "paid_tier_id": paid and paid.tier_id, "paid_since": paid and paid.since, "paid_until": paid and paid.until,
        "move_count": state.move_count, "next_check_at": state.next_check_at,
    }  # fmt: skip


def write(states: Sequence[State]) -> None:
    """Store states, new ones included. Inside a transaction that holds the members."""
    if not states:
        return
    listed = ", ".join(_COLUMNS)
    kinds = ", ".join(f"{name} {_TYPES.get(name, 'timestamptz')}" for name in _COLUMNS)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO members_membertier (member_id, {listed})
            SELECT member_id, {listed} FROM jsonb_to_recordset(%s::jsonb) AS v (member_id bigint, {kinds})
            ORDER BY member_id
            ON CONFLICT (member_id) DO UPDATE SET {", ".join(f"{name} = EXCLUDED.{name}" for name in _COLUMNS)}
            """,  # names of this file
            [json.dumps([_values(state) for state in states], default=datetime.isoformat)],
        )


def log(entries: Sequence[Entry], *, version: int, now: datetime) -> None:
    """Keep what happened."""
    if not entries:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO members_tiermove (
                member_id, number, kind, reason, before_id, after_id, at, decided_at, scheme_version, cycle, facts,
                actor
            )
            SELECT v.member_id, v.number, v.kind, v.reason, v.before, v.after, v.at, %s, %s, v.cycle, v.facts, %s
            FROM jsonb_to_recordset(%s::jsonb) AS v (
                member_id bigint, number int, kind text, reason text, before bigint, after bigint, at timestamptz,
                cycle int, facts jsonb)
            """,
            [
                now, version, current_actor().ref,
                json.dumps(
                    [{name: getattr(entry, name) for name in Entry.__slots__} for entry in entries],
                    default=datetime.isoformat, ensure_ascii=False,
                ),
            ],
        )  # fmt: skip
