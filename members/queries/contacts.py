"""What is needed to write to members: their address and the words to call them by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import connection

from members.enums import IdentityKind, MemberStatus
from members.queries.consents import ADDRESS_KINDS
from scrm.common import encryption


@dataclass(frozen=True, slots=True)
class Recipient:
    """A member as the sender of a message sees one. `time_zone` is the member's, else the store's, else empty."""

    member_id: int
    name: str
    gender: str
    city: str
    store_name: str
    time_zone: str


def addresses(*, member_ids: Iterable[int], kind: str) -> dict[int, str]:
    """The plain address of each member that has one of this kind; of several, the newest.

    For sending only: showing one to a person goes through the audited reveal.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT DISTINCT ON (member_id) member_id, value, sealed FROM members_identity
               WHERE member_id = ANY(%s) AND kind = %s ORDER BY member_id, id DESC""",
            [list(member_ids), kind],
        )
        return {
            member_id: value if sealed is None else encryption.unseal(sealed)
            for member_id, value, sealed in cursor.fetchall()
        }


def with_address(*, member_ids: Iterable[int], channel: str) -> set[int]:
    """Those of `member_ids` that have an address on the channel. A channel that writes to nobody needs none."""
    ids = list(member_ids)
    kind: IdentityKind | None = ADDRESS_KINDS.get(channel)
    if kind is None:
        return set(ids)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT member_id FROM members_identity WHERE member_id = ANY(%s) AND kind = %s",
            [ids, kind.value],
        )
        return {row[0] for row in cursor.fetchall()}


def recipients(*, member_ids: Iterable[int]) -> dict[int, Recipient]:
    """The active ones of these members, by id: an erased or merged member is nobody to write to."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT m.id, m.name, m.gender, m.city, COALESCE(s.name, ''),
                   COALESCE(NULLIF(m.time_zone, ''), s.time_zone, '')
            FROM members_member m LEFT JOIN members_store s ON s.id = m.store_id
            WHERE m.id = ANY(%s) AND m.status = %s
            """,
            [list(member_ids), MemberStatus.ACTIVE.value],
        )
        return {row[0]: Recipient(*row) for row in cursor.fetchall()}
