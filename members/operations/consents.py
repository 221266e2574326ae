"""Recording what members say about being contacted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from members.enums import PERSONAL_KINDS, Channel, ConsentState, Purpose, Rejection
from members.rules.consents import ConsentIn
from members.rules.facts import named
from members.rules.intake import ACCEPTED, DUPLICATE, MemberRef, Outcome, rejected
from members.rules.rejections import ItemRejected, check_instant, check_prose
from scrm.common import encryption, reactions
from scrm.common.errors import Invalid
from scrm.common.reactions import Facts
from scrm.common.transactions import atomic

# Clocks of other systems differ a little; an answer from further ahead is a mistake.
FUTURE_TOLERANCE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Entry:
    """One answer. `at` is when the member gave it; `source` and `evidence` say how we know."""

    member_id: int
    channel: str
    purpose: str
    state: str
    at: datetime
    source: str
    evidence: str = ""


def record(*, entries: Sequence[Entry], now: datetime) -> int:
    """Append answers and make the latest of each (member, channel, purpose) count; of two at once, the stricter.

    An answer already recorded word for word changes nothing. Returns how many were new.
    Raises `Invalid` for an unknown channel, purpose or state and for an answer from the future (nothing is written).
    """
    return len(_record(entries, now))


def _record(entries: Sequence[Entry], now: datetime) -> set[tuple[Any, ...]]:
    for entry in entries:
        _check(entry, now)
    # In one order everywhere, so that two writers and a sender never wait for each other in a circle.
    ordered = sorted(entries, key=lambda e: (e.member_id, e.channel, e.purpose, e.at, e.state))
    columns: list[Any] = [
        [e.member_id for e in ordered],
        [e.channel for e in ordered],
        [e.purpose for e in ordered],
        [e.state for e in ordered],
        [e.at for e in ordered],
        [e.source[:40] for e in ordered],
        [e.evidence[:300] for e in ordered],
    ]
    with atomic(), connection.cursor() as cursor:
        cursor.execute(
            """
            WITH given AS (
                SELECT DISTINCT * FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::timestamptz[],
                                              %s::text[], %s::text[])
                    AS g (member_id, channel, purpose, state, at, source, evidence)
            )
            INSERT INTO members_consententry (member_id, channel, purpose, state, at, source, evidence)
            SELECT g.* FROM given g
            WHERE NOT EXISTS (
                SELECT 1 FROM members_consententry e
                WHERE (e.member_id, e.channel, e.purpose, e.state, e.at, e.source)
                    = (g.member_id, g.channel, g.purpose, g.state, g.at, g.source))
            RETURNING member_id, channel, purpose, state, at, source
            """,
            columns,
        )
        added = set(cursor.fetchall())
        cursor.execute(
            """
            INSERT INTO members_consent AS c (member_id, channel, purpose, state, at)
            SELECT DISTINCT ON (member_id, channel, purpose) member_id, channel, purpose, state, at
            FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::timestamptz[])
                AS g (member_id, channel, purpose, state, at)
            ORDER BY member_id, channel, purpose, at DESC, state DESC  -- 'withdrawn' sorts after 'granted'
            ON CONFLICT (member_id, channel, purpose) DO UPDATE SET state = EXCLUDED.state, at = EXCLUDED.at
            WHERE EXCLUDED.at > c.at OR (EXCLUDED.at = c.at AND EXCLUDED.state > c.state)
            """,
            columns[:5],
        )
        if added:
            members = sorted({int(row[0]) for row in added})
            reactions.run(Facts(now=now, member_ids=members, topics=frozenset({"consent"})))
    return added


def land(*, items: Sequence[ConsentIn], now: datetime) -> list[Outcome]:
    """Record answers that other systems send, item by item: accepted, duplicate, or rejected with a typed reason.

    Nobody is made here: an answer of somebody unknown is rejected. One transaction.
    """
    outcomes: list[Outcome | None] = [None] * len(items)
    entries: dict[int, Entry] = {}
    with atomic():
        members = _members([item.member for item in items], [item.source for item in items])
        for index, (item, member) in enumerate(zip(items, members, strict=True)):
            try:
                if isinstance(member, ItemRejected):
                    raise member
                check_prose(item.evidence, "evidence")
                check_instant(item.at, "at", latest=now + FUTURE_TOLERANCE)
            except ItemRejected as problem:
                outcomes[index] = rejected(problem)
            else:
                entries[index] = Entry(
                    member, item.channel, item.purpose, item.state, item.at, item.source, item.evidence
                )
        added = _record(list(entries.values()), now) if entries else set()
    for index, entry in entries.items():
        key = (entry.member_id, entry.channel, entry.purpose, entry.state, entry.at, entry.source)
        outcomes[index] = ACCEPTED if key in added else DUPLICATE
        added.discard(key)  # the same once more in this batch
    return [outcome for outcome in outcomes if outcome is not None]


def _members(refs: Sequence[MemberRef], sources: Sequence[str]) -> list[int | ItemRejected]:
    """The known, active member of each reference: by id, else by the strongest identity that anybody has."""
    slots: list[list[tuple[str, str]] | ItemRejected] = []
    for ref, source in zip(refs, sources, strict=True):
        try:
            slots.append([_slot(one.kind, one.value) for one in named(ref, source)])
        except ItemRejected as problem:
            slots.append(problem)
    wanted = sorted({slot for one in slots if not isinstance(one, ItemRejected) for slot in one})
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT i.kind, i.value, i.member_id
            FROM unnest(%s::text[], %s::text[]) AS w (kind, value)
            JOIN members_identity i ON i.kind = w.kind AND i.value = w.value
            """,
            [[kind for kind, _value in wanted], [value for _kind, value in wanted]],
        )
        owners = {(kind, value): member_id for kind, value, member_id in cursor.fetchall()}
        ids = {*owners.values(), *(ref.member_id for ref in refs if ref.member_id is not None)}
        cursor.execute("SELECT id FROM members_member WHERE id = ANY(%s) AND status = 'active'", [list(ids)])
        living = {row[0] for row in cursor.fetchall()}
    found: list[int | ItemRejected] = []
    for ref, one in zip(refs, slots, strict=True):
        if isinstance(one, ItemRejected):
            found.append(one)
            continue
        candidates = [ref.member_id] if ref.member_id is not None else [owners.get(slot) for slot in one]
        known = next((member for member in candidates if member in living), None)
        found.append(known if known is not None else ItemRejected(Rejection.UNKNOWN_MEMBER, "member"))
    return found


def _slot(kind: str, value: str) -> tuple[str, str]:
    return (kind, encryption.blind_index(kind, value)) if kind in PERSONAL_KINDS else (kind, value)


def _check(entry: Entry, now: datetime) -> None:
    for value, known, field in (
        (entry.channel, Channel.values, "channel"),
        (entry.purpose, Purpose.values, "purpose"),
        (entry.state, ConsentState.values, "state"),
    ):
        if value not in known:
            raise Invalid(_("Not a known value: %(value)s") % {"value": value[:40]}, field=field)
    if entry.at > now + FUTURE_TOLERANCE:
        raise Invalid(_("The answer lies in the future."), code="in_future", field="at")
