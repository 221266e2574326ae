"""Finding members by the ways they are recognised."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from members.enums import PERSONAL_KINDS, MemberStatus
from members.models import Identity, Member
from members.queries import scopes
from members.rules import identities as rules
from members.rules.rejections import ItemRejected
from scrm.common import encryption
from scrm.common.access import Actor

_PERSONAL = frozenset(kind.value for kind in PERSONAL_KINDS)


@dataclass(frozen=True, slots=True)
class Found:
    """The members meant, and the places of the identities that lead to nobody the actor sees."""

    member_ids: list[int]
    unknown: list[int]


def visible_members(*, actor: Actor, member_ids: Collection[int], named: Sequence[tuple[str, str]]) -> Found:
    """Active members given by id or by (kind, value), limited to those the actor sees. Two queries.

    A member number is written `number@source` here.
    """
    keys: list[tuple[str, str] | None] = [_key(kind, value) for kind, value in named]
    wanted = {key for key in keys if key is not None}
    owners = {
        (row.kind, row.value): row.member_id
        for row in Identity.objects.filter(
            kind__in={kind for kind, _ in wanted}, value__in={value for _, value in wanted}
        )
    }
    asked = set(member_ids) | {owners[key] for key in wanted if key in owners}
    seen = set(
        Member.objects.filter(scopes.members_of(actor), pk__in=asked, status=MemberStatus.ACTIVE).values_list(
            "pk", flat=True
        )
    )
    unknown = [place for place, key in enumerate(keys) if key is None or owners.get(key) not in seen]
    return Found(sorted(seen), unknown)


def _key(kind: str, value: str) -> tuple[str, str] | None:
    try:
        normal = rules.normalise(kind, value, source="", field="value")
    except ItemRejected:
        return None
    if normal.kind in _PERSONAL:
        return normal.kind, encryption.blind_index(normal.kind, normal.value)
    return normal.kind, normal.value
