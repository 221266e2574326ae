"""What follows from decisions about tiers: rows, history, timelines, gifts, and what hangs on tiers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from members.models import TierScheme
from members.operations import rewards, tier_rows, timeline
from members.operations.tier_rows import Entry, State
from members.queries import tier_schemes
from members.rules.tier_steps import Move
from members.rules.tiers import Scheme, Span
from scrm.common import reactions
from scrm.common.reactions import Facts

SOURCE = "tiers"


@dataclass(frozen=True, slots=True)
class Notice:
    """A tier expires, and so much of what keeps it is there yet."""

    expires_at: datetime
    value: int
    needed: int
    span: Span


@dataclass(frozen=True, slots=True)
class Change:
    """One member before and after; `moves` are of the earned tier."""

    before: State
    after: State
    moves: list[Move]
    notice: Notice | None = None


def apply(
    scheme: Scheme,
    changes: Sequence[Change],
    *,
    now: datetime,
    gifts: bool = True,
    why: str = "",
) -> int:
    """Write what differs and let follow what follows; answers how many members' tiers differ. Inside a transaction."""
    written: list[State] = []
    entries: list[Entry] = []
    moved: list[Change] = []
    warned: list[Change] = []
    # Before everybody was placed for the first time nobody has risen: no events, no gifts.
    introduced = (
        any(change.moves for change in changes) and not TierScheme.objects.filter(applied_at__isnull=False).exists()
    )
    for change in changes:
        before, after = change.before, change.after
        listed = _entries(scheme, change, introduced=introduced, why=why, now=now)
        after = replace(after, move_count=before.move_count + len(listed))
        if not before.row and not listed and _is_nothing(scheme, after):
            continue
        if replace(after, row=before.row) != before or listed:
            written.append(after)
        entries += listed
        if listed or _shown(before) != _shown(after):
            moved.append(replace(change, after=after))
        elif change.notice is not None:
            warned.append(change)
    tier_rows.write(written)
    tier_rows.log(entries, version=scheme.version, now=now)
    if not introduced:
        _tell(scheme, [*moved, *warned], now=now)
        if gifts:
            _give(scheme, moved, now=now)
            _take_back(moved, now=now)
    touched = sorted(change.before.member_id for change in moved)
    if touched:
        reactions.run(Facts(now=now, member_ids=touched, topics=frozenset({"tier"})))
    return len(touched)


def _is_nothing(scheme: Scheme, state: State) -> bool:
    """The lowest tier, and nothing to say about it but when to look again."""
    plain = state.standing is None and state.hand is None and state.paid is None
    return plain and state.next_check_at is None and state.tier_id == scheme.base.tier_id


def _shown(state: State) -> tuple[Any, ...]:
    return state.tier_id, state.source, state.since, state.expires_at


def _entries(scheme: Scheme, change: Change, *, introduced: bool, why: str, now: datetime) -> list[Entry]:
    """The moves of the earned tier, and the one of the tier that counts where something else has changed it."""
    before, after = change.before, change.after
    number = before.move_count
    found: list[Entry] = []
    for move in change.moves:
        number += 1
        facts = {
            "value": move.value, "needed": move.needed, "basis": scheme.basis,
            "from": move.span[0].isoformat(), "to": move.span[1].isoformat(),
        }  # fmt: skip
        kind = "introduced" if introduced else move.kind
        found.append(
            Entry(before.member_id, number, kind, move.reason, move.before, move.after, move.at, move.cycle, facts)
        )
    base = scheme.base.tier_id
    was = before.tier_id if before.tier_id is not None else base
    earned = after.standing.tier_id if after.standing is not None else base
    other = after.source != "earned" or before.source != "earned"
    if other and after.tier_id is not None and (was, before.source) != (after.tier_id, after.source):
        reason = after.source if after.source != "earned" else f"{before.source}_ended"
        if after.source == "earned" and any(move.after == earned for move in change.moves):
            return found
        up = scheme.level(after.tier_id) >= scheme.level(was)
        facts = {"why": why} if why else {}
        if after.expires_at is not None and after.source != "earned":
            facts["until"] = after.expires_at.isoformat()
        found.append(
            Entry(
                before.member_id, number + 1, "upgraded" if up else "downgraded", reason, was, after.tier_id,
                after.since if after.source != "earned" and after.since else min(before.expires_at or now, now),
                after.standing.cycle if after.standing is not None else 0, facts,
            )
        )  # fmt: skip
    return found


def _tell(scheme: Scheme, changes: Sequence[Change], *, now: datetime) -> None:
    """Events on timelines, about the tier that counts."""
    names = {pk: tier.name for pk, tier in tier_schemes.tiers().items()} if changes else {}
    rows: dict[str, list[tuple[int, str, datetime, dict[str, Any]]]] = {}
    for change in changes:
        before, after = change.before, change.after
        was = before.tier_id if before.tier_id is not None else scheme.base.tier_id
        last = change.moves[-1] if change.moves else None
        what = {
            "before": names.get(was, ""), "after": names.get(after.tier_id or 0, ""), "source": after.source,
            "expires_at": after.expires_at and after.expires_at.isoformat(),
            **({"value": last.value, "needed": last.needed, "reason": last.reason} if last is not None else {}),
        }  # fmt: skip
        kind = ""
        if after.tier_id != was:
            kind = "upgraded" if scheme.level(after.tier_id or 0) > scheme.level(was) else "downgraded"
        elif last is not None and last.kind == "retained" and after.source == "earned":
            kind = "retained"
        if kind:
            number = before.move_count + len(change.moves)
            rows.setdefault(f"tier.{kind}", []).append(
                (before.member_id, f"tier.{kind}:{number}:{now.timestamp():.0f}", now, what)
            )
        if change.notice is not None and after.standing is not None:
            notice = change.notice
            rows.setdefault("tier.expiring", []).append(
                (
                    before.member_id, f"tier.expiring:{after.standing.cycle}", now,
                    {
                        "tier": names.get(after.tier_id or 0, ""), "expires_at": notice.expires_at.isoformat(),
                        "value": notice.value, "needed": notice.needed, "lacking": notice.needed - notice.value,
                    },
                )
            )  # fmt: skip
    for type_, listed in rows.items():
        timeline.append(source=SOURCE, type=type_, rows=listed, now=now)


def gift_source(tier_id: int, cycle: int) -> str:
    """What the gifts of one reaching of a tier are given for."""
    return f"tier:{tier_id}:{cycle}"


def _give(scheme: Scheme, changes: Sequence[Change], *, now: datetime) -> None:
    """Once for each member, tier and term."""
    risen = [(change, move) for change in changes for move in change.moves if move.kind == "upgraded"]
    if not risen:
        return
    listed = tier_schemes.gifts(scheme.version)
    names = tier_schemes.tiers()
    given = [
        rewards.Gift(
            member_id=change.before.member_id,
            reference=gift_source(move.after, move.cycle),
            source=gift_source(move.after, move.cycle),
            rewards=listed[move.after],
            reason=_("Gift for reaching %(tier)s") % {"tier": names[move.after].name},
        )
        for change, move in risen
        if move.after in listed
    ]
    if given:
        rewards.give(gifts=given, now=now)


def _take_back(changes: Sequence[Change], *, now: datetime) -> None:
    """Who loses a tier by a refund gives back what reaching it gave."""
    for change in changes:
        standing = change.before.standing
        if standing is not None and any(move.reason == "refund" for move in change.moves):
            rewards.take_back(
                member_id=change.before.member_id, source=gift_source(standing.tier_id, standing.cycle),
                reason="refund", now=now,
            )  # fmt: skip
