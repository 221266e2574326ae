"""From a list that somebody pasted or uploaded to the members it means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection
from django.utils.translation import gettext as _

from members.enums import PERSONAL_KINDS, MemberStatus, Rejection
from members.models import Source
from members.queries import scopes
from members.rules import lists as rules
from members.rules.identities import Named
from members.rules.lists import Entry
from members.rules.rejections import INTERNAL_PREFIX, ItemRejected
from scrm.common import encryption
from scrm.common.access import Actor
from scrm.common.errors import Invalid

# Rows of one call of `resolve`; longer lists are resolved chunk by chunk.
CHUNK = 5_000
MAX_PASTED = 200_000  # characters
_PERSONAL = frozenset(kind.value for kind in PERSONAL_KINDS)


@dataclass(frozen=True, slots=True)
class Unresolved:
    """A row that leads to nobody, or to several: its line, its text as given, and a stable code of `Rejection`."""

    line: int
    text: str
    reason: str

    @property
    def label(self) -> str:
        """The reason in the reader's language."""
        return str(Rejection(self.reason).label)


@dataclass(frozen=True, slots=True)
class Resolved:
    """`member_ids` are distinct and ascending; `repeated` rows meant somebody whom an earlier row had named."""

    member_ids: list[int]
    unresolved: list[Unresolved]
    repeated: int = 0


def check_kind(kind: str) -> str:
    """Raises `Invalid` (`unknown_kind`) unless it is one of `rules.lists.KINDS`."""
    if kind not in rules.KINDS:
        raise Invalid(_("Not a known value."), code="unknown_kind", field="kind")
    return kind


def pasted(text: str, *, kind: str = "") -> list[Entry]:
    """The rows of a pasted text. Raises `Invalid` (`nothing_given`, `too_long`, `unknown_kind`)."""
    check_kind(kind)
    if len(text) > MAX_PASTED:
        raise Invalid(_("This is too long to paste: upload it as a file."), code="too_long", field="text")
    entries = list(rules.entries_of_text(text, kind=kind))
    if not entries:
        raise Invalid(_("The list is empty."), code="nothing_given", field="text")
    return entries


def resolve(rows: Sequence[Entry], *, actor: Actor) -> Resolved:
    """Who the rows mean, among the active members that the actor sees. Two queries, however many rows.

    A member that was merged stands for the one it was merged into. Personal identities are looked up by their blind
    index. Whoever the actor may not see is `unknown_member`, like nobody at all. Rows whose parts mean different
    members are `ambiguous_member`.
    """
    asked, refused = _asked(rows)
    found = _lookup({name for names in asked for _place, name in names}, actor)
    member_ids: set[int] = set()
    unresolved: list[Unresolved] = []
    repeated = 0
    for row, names, refusal in zip(rows, asked, refused, strict=True):
        meant: set[int] | None = None
        parts: dict[int, set[int]] = {}
        for place, name in names:
            parts.setdefault(place, set()).update(found.get(name, ()))
        for ids in filter(None, parts.values()):
            meant = ids if meant is None else meant & ids
        if meant is None:
            reason = Rejection.UNKNOWN_MEMBER if names or refusal is None else refusal
            unresolved.append(Unresolved(row.line, row.text, reason.value))
        elif len(meant) != 1:
            unresolved.append(Unresolved(row.line, row.text, Rejection.AMBIGUOUS_MEMBER.value))
        else:
            repeated += meant <= member_ids
            member_ids |= meant
    return Resolved(sorted(member_ids), unresolved, repeated)


def _asked(rows: Sequence[Entry]) -> tuple[list[list[tuple[int, Named]]], list[Rejection | None]]:
    """For each row what to look up (with the part of the row that says it), and why a part cannot be looked up."""
    sources = list(
        Source.objects.exclude(key__startswith=INTERNAL_PREFIX).order_by("key").values_list("key", flat=True)
    )
    asked: list[list[tuple[int, Named]]] = []
    refused: list[Rejection | None] = []
    for row in rows:
        names: list[tuple[int, Named]] = []
        refusal = None
        for place, (kind, text) in enumerate(row.named):
            try:
                names += [(place, name) for name in rules.candidates(kind, text, sources=sources)]
            except ItemRejected as error:
                refusal = error.code
        asked.append(names)
        refused.append(refusal)
    return asked, refused


def _lookup(names: set[Named], actor: Actor) -> dict[Named, set[int]]:
    """The active, visible members behind each name."""
    if not names:
        return {}
    wanted = sorted(names)
    own = [(place, int(name.value)) for place, name in enumerate(wanted) if name.kind == rules.MEMBER_ID]
    named = [(place, *_stored(name)) for place, name in enumerate(wanted) if name.kind != rules.MEMBER_ID]
    scope, params = scopes.member_sql(actor)
    found: dict[Named, set[int]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH given (place, member_id) AS (
                SELECT w.place, i.member_id
                FROM unnest(%s::int[], %s::text[], %s::text[]) AS w (place, kind, value)
                JOIN members_identity i ON i.kind = w.kind AND i.value = w.value
                UNION ALL
                SELECT w.place, w.id FROM unnest(%s::int[], %s::bigint[]) AS w (place, id)
            )
            SELECT DISTINCT g.place, m.id
            FROM given g
            JOIN members_member o ON o.id = g.member_id
            JOIN members_member m ON m.id = COALESCE(o.merged_into_id, o.id)
            WHERE m.status = %s AND {scope}
            """,
            [
                [place for place, _kind, _value in named],
                [kind for _place, kind, _value in named],
                [value for _place, _kind, value in named],
                [place for place, _id in own],
                [member_id for _place, member_id in own],
                MemberStatus.ACTIVE.value,
                *params,
            ],
        )
        for place, member_id in cursor.fetchall():
            found.setdefault(wanted[place], set()).add(member_id)
    return found


def _stored(name: Named) -> tuple[str, str]:
    if name.kind in _PERSONAL:
        return name.kind, encryption.blind_index(name.kind, name.value)
    return name.kind, name.value
