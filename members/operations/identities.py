"""Finding the member behind a fact, or making one: for a whole batch at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from django.db import connection, transaction

from members.enums import PERSONAL_KINDS, Rejection
from members.operations import columns
from members.rules.identities import STRONG, WEAK, Named, mask_email, mask_phone
from members.rules.rejections import ItemRejected
from scrm.common import encryption, statements
from scrm.common.errors import Conflict

_PERSONAL = frozenset(kind.value for kind in PERSONAL_KINDS)
# A race for a new identity is lost to a transaction that has committed, so the next look finds it.
_ATTEMPTS = 5
Slot = tuple[str, str]  # kind and lookup value


@dataclass(slots=True)
class Claim:
    """What one item says about whom it is about. `label` names the item in the evidence of a merge candidate."""

    member_id: int | None
    named: list[Named]
    source_id: int
    seen_at: datetime
    label: str = ""


@dataclass(slots=True)
class Resolution:
    """Who is meant: a member id per claim, or why not; what was made and what is still to be written."""

    members: list[int | ItemRejected]
    created: list[int] = field(default_factory=list)
    # Claims that made their member, by index.
    creators: set[int] = field(default_factory=set)
    # Whether anything was written: then a caller that refuses an item has to undo it.
    wrote: bool = False
    # Members known before who were given an identity more.
    attached: set[int] = field(default_factory=set)
    # member id → (masked phone, masked e-mail) to show where none is shown yet.
    masks: dict[int, tuple[str, str]] = field(default_factory=dict)

    @property
    def members_of(self) -> dict[str, set[int]]:
        """What it changed of whom, for `Facts.members_of`."""
        created = set(self.created)
        found = {"created": created, "profile": created, "identity": created | self.attached}
        return {topic: members for topic, members in found.items() if members}

    @property
    def topics(self) -> frozenset[str]:
        """What it changed, for `Facts.topics`."""
        return frozenset(self.members_of)


@dataclass(slots=True)
class _Newcomer:
    source_id: int
    joined_at: datetime
    claim: int
    phone: str = ""
    email: str = ""


def resolve(claims: Sequence[Claim]) -> Resolution:
    """The member of every claim, made where nobody is known. Inside a transaction.

    Claims are taken in order, as if each had come alone. Identities named together belong together: unknown ones are
    attached to the member found; when they lead to different members the strongest wins and the pair is kept as a
    merge candidate. Of concurrent batches with the same new identity exactly one makes the member.
    """
    slots = [[_slot(one) for one in claim.named] for claim in claims]
    for _ in range(_ATTEMPTS):
        attempt = _Attempt(claims, slots)
        attempt.decide()
        if not attempt.attached:
            attempt.note_candidates()
            return attempt.result
        point = transaction.savepoint()
        if attempt.write():
            attempt.result.wrote = True
            transaction.savepoint_commit(point)
            attempt.note_candidates()
            return attempt.result
        transaction.savepoint_rollback(point)
    raise Conflict("The same members are being created by others; send it again.", code="busy")


def known(claimed: Iterable[Named]) -> dict[Named, int]:
    """The member behind each identity that is known already.

    An identity never changes hands while facts come in, so whoever is named by one known identity alone needs no
    more than this. Inside a transaction that is planned `by_index`.
    """
    slots = {one: _slot(one) for one in claimed}
    owners = _by_slot(statements.fetch(_OWNERS, _listed(set(slots.values()))))
    return {one: owners[slot] for one, slot in slots.items() if slot in owners}


def _slot(one: Named) -> Slot:
    if one.kind in _PERSONAL:
        return one.kind, encryption.blind_index(one.kind, one.value)
    return one.kind, one.value


class _Attempt:
    """One look at the identities, and what follows from it. New members are negative until they have an id."""

    def __init__(self, claims: Sequence[Claim], slots: list[list[Slot]]) -> None:
        self.claims = claims
        self.slots = slots
        self.result = Resolution(members=[])
        self.newcomers: list[_Newcomer] = []
        self.attached: dict[Slot, tuple[int, Named]] = {}
        self.candidates: dict[tuple[int, int], dict[str, Any]] = {}
        self.owners = _owners({slot for one in slots for slot in one})
        self.living = _living({claim.member_id for claim in claims if claim.member_id is not None})

    def decide(self) -> None:
        owners, members = self.owners, self.result.members
        for index, (claim, slots) in enumerate(zip(self.claims, self.slots, strict=True)):
            if claim.member_id is None and len(slots) == 1 and slots[0] in owners:
                members.append(self._seen(owners[slots[0]], claim))
                continue
            if claim.member_id is not None and claim.member_id not in self.living:
                members.append(ItemRejected(Rejection.UNKNOWN_MEMBER, "member.member_id"))
                continue
            found = [(slot[0], owners[slot]) for slot in slots if slot in owners]
            chosen = self._choose(claim, slots, found)
            if chosen is None:
                self.newcomers.append(_Newcomer(claim.source_id, claim.seen_at, index))
                chosen = -len(self.newcomers)
                self.result.creators.add(index)
            for slot, named in zip(slots, claim.named, strict=True):
                if slot not in owners:
                    owners[slot] = chosen
                    self.attached[slot] = (chosen, named)
            for _, other in found:
                if other != chosen:
                    self._suspect(claim, found, chosen, other)
            members.append(self._seen(chosen, claim))

    def _choose(self, claim: Claim, slots: list[Slot], found: list[tuple[str, int]]) -> int | None:
        if claim.member_id is not None:
            return self.living[claim.member_id]
        better = [member for kind, member in found if kind not in WEAK]
        if better:
            return better[0]
        # A known device beside an unknown phone is no proof of who holds it.
        if found and all(kind in WEAK for kind, _ in slots):
            return found[0][1]
        return None

    def _seen(self, member: int, claim: Claim) -> int:
        if member < 0:
            newcomer = self.newcomers[-member - 1]
            newcomer.joined_at = min(newcomer.joined_at, claim.seen_at)
        return member

    def _suspect(self, claim: Claim, found: list[tuple[str, int]], chosen: int, other: int) -> None:
        kinds = {kind for kind, member in found if member in (chosen, other)}
        self.candidates.setdefault(
            (chosen, other),
            {"fact": claim.label, "identities": found, "strong": bool(kinds & STRONG)},
        )

    def write(self) -> bool:
        """Make the new members and identities; False when another transaction was first with one of them."""
        ids = _make_members(self.newcomers, self.attached)
        real = {-number: member_id for number, member_id in enumerate(ids, 1)}
        rows = sorted((slot, real.get(member, member), named) for slot, (member, named) in self.attached.items())
        with connection.cursor() as cursor:
            cursor.execute(
                f"""
                INSERT INTO members_identity (kind, value, member_id, sealed)
                SELECT kind, value, member_id, decode(sealed, 'hex')
                FROM unnest({columns.TEXTS}, {columns.TEXTS}, %s::bigint[], {columns.TEXTS})
                     WITH ORDINALITY AS t (kind, value, member_id, sealed, n)
                ORDER BY n ON CONFLICT (kind, value) DO NOTHING
                """,
                [
                    columns.texts(slot[0] for slot, _, _ in rows),
                    columns.texts(slot[1] for slot, _, _ in rows),
                    columns.integers(member for _, member, _ in rows),
                    columns.texts(
                        encryption.seal(named.value).hex() if named.kind in _PERSONAL else None for _, _, named in rows
                    ),
                ],
            )
            if cursor.rowcount < len(rows):
                return False
        for _, member, named in rows:
            if named.kind in _PERSONAL:
                phone, email = self.result.masks.get(member, ("", ""))
                self.result.masks[member] = (
                    phone or (mask_phone(named.value) if named.kind == "phone" else ""),
                    email or (mask_email(named.value) if named.kind == "email" else ""),
                )
        for member in ids:
            self.result.masks.pop(member, None)
        self.result.created = ids
        self.result.attached = {member for _, member, _ in rows} - set(ids)
        self.result.members = [
            real.get(member, member) if isinstance(member, int) else member for member in self.result.members
        ]
        self.candidates = {
            (real.get(one, one), real.get(other, other)): {
                **evidence,
                "identities": [[kind, real.get(member, member)] for kind, member in evidence["identities"]],
            }
            for (one, other), evidence in self.candidates.items()
        }
        return True

    def note_candidates(self) -> None:
        """Keep the pairs that one fact named together."""
        note_candidates(self.candidates)


def note_candidates(suspects: Mapping[tuple[int, int], dict[str, Any]]) -> None:
    """Keep pairs of members as merge candidates, with the evidence, unless they are known already."""
    if not suspects:
        return
    pairs = sorted(
        (min(pair), max(pair), msgspec.json.encode(evidence).decode(), int(evidence["strong"]))
        for pair, evidence in suspects.items()
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO members_mergecandidate (first_id, second_id, evidence, strong)
            SELECT first_id, second_id, evidence::jsonb, strong = 1
            FROM unnest(%s::bigint[], %s::bigint[], {columns.TEXTS}, %s::bigint[])
                 WITH ORDINALITY AS t (first_id, second_id, evidence, strong, n)
            ORDER BY n ON CONFLICT DO NOTHING
            """,
            [
                columns.integers(first for first, *_ in pairs),
                columns.integers(second for _, second, *_ in pairs),
                columns.texts(evidence for _, _, evidence, _ in pairs),
                columns.integers(strong for *_, strong in pairs),
            ],
        )


_OWNERS = f"""
    SELECT i.kind, i.value, i.member_id
    FROM unnest({columns.named("kinds")}, {columns.named("values")}) AS t (kind, value)
    JOIN members_identity i ON i.kind = t.kind AND i.value = t.value
"""


def _owners(slots: set[Slot]) -> dict[Slot, int]:
    if not slots:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_OWNERS, _listed(slots))
        return _by_slot(cursor.fetchall())


def _listed(slots: set[Slot]) -> dict[str, str]:
    listed = list(slots)
    return {
        "kinds": columns.texts(kind for kind, _ in listed),
        "values": columns.texts(value for _, value in listed),
    }


def _by_slot(rows: Sequence[tuple[Any, ...]]) -> dict[Slot, int]:
    return {(kind, value): member_id for kind, value, member_id in rows}


def _living(member_ids: set[int]) -> dict[int, int]:
    """The member that each id stands for now: itself, or the one it was merged into. Erased ones are left out."""
    if not member_ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, COALESCE(merged_into_id, id) FROM members_member "
            "WHERE id = ANY(%s::bigint[]) AND status <> 'erased'",
            [columns.integers(sorted(member_ids))],
        )
        return dict(cursor.fetchall())


def _make_members(newcomers: list[_Newcomer], attached: dict[Slot, tuple[int, Named]]) -> list[int]:
    if not newcomers:
        return []
    for member, named in attached.values():
        if member < 0:
            newcomer = newcomers[-member - 1]
            if named.kind == "phone":
                newcomer.phone = newcomer.phone or mask_phone(named.value)
            elif named.kind == "email":
                newcomer.email = newcomer.email or mask_email(named.value)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH made AS (
                INSERT INTO members_member (id, status, name, gender, province, city, country, language, time_zone,
                                            phone_masked, email_masked, source_id, joined_at)
                SELECT nextval(pg_get_serial_sequence('members_member', 'id')), 'active', '', '', '', '', '', '', '',
                       COALESCE(phone, ''), COALESCE(email, ''), source_id, joined_at
                FROM unnest({columns.TEXTS}, {columns.TEXTS}, %s::bigint[], %s::timestamptz[])
                     WITH ORDINALITY AS t (phone, email, source_id, joined_at, n)
                ORDER BY n RETURNING id
            ), summaries AS (
                INSERT INTO members_membersummary (member_id) SELECT id FROM made
            )
            SELECT id FROM made ORDER BY id
            """,
            [
                columns.texts(one.phone for one in newcomers),
                columns.texts(one.email for one in newcomers),
                columns.integers(one.source_id for one in newcomers),
                columns.instants(one.joined_at for one in newcomers),
            ],
        )
        return [member_id for (member_id,) in cursor.fetchall()]


def lock_members(member_ids: Sequence[int]) -> None:
    """Hold the rows of members until the transaction ends: always in the order of their ids, so nobody deadlocks."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM members_member WHERE id = ANY(%s::bigint[]) ORDER BY id FOR NO KEY UPDATE",
            [columns.integers(sorted(set(member_ids)))],
        )


def show_masks(masks: dict[int, tuple[str, str]]) -> None:
    """Show the masked phone and e-mail of members that showed none. Their rows are locked first, in order."""
    if not masks:
        return
    members = sorted(masks)
    lock_members(members)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE members_member m
            SET phone_masked = CASE WHEN m.phone_masked = '' THEN COALESCE(t.phone, '') ELSE m.phone_masked END,
                email_masked = CASE WHEN m.email_masked = '' THEN COALESCE(t.email, '') ELSE m.email_masked END,
                updated_at = now()
            FROM unnest(%s::bigint[], {columns.TEXTS}, {columns.TEXTS}) AS t (id, phone, email)
            WHERE m.id = t.id AND (m.phone_masked = '' AND t.phone <> '' OR m.email_masked = '' AND t.email <> '')
            """,
            [
                columns.integers(members),
                columns.texts(masks[member][0] for member in members),
                columns.texts(masks[member][1] for member in members),
            ],
        )
