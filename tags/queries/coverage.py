"""How many members have each tag, as it was last counted: a page never counts millions of assignments."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

from django.db import connection
from django.utils.translation import gettext as _

from members.queries import scopes
from scrm.common.access import Actor
from tags.enums import TagKind
from tags.models import Tag, TagStatistic

# Of how many of the newest events the latest changes of a tag are picked.
_NEWEST = 20_000


@dataclass(frozen=True, slots=True)
class Counted:
    """Members with a tag at the end of `day`; today's is of the last count."""

    members: int
    day: date


@dataclass(frozen=True, slots=True)
class Moved:
    """A member who got the tag or lost it."""

    member_id: int
    name: str
    added: bool
    at: datetime
    reason: str


def latest() -> dict[int, Counted]:
    """The last count of every tag that was counted. One probe of the primary key per tag."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT t.id, s.members, s.counted_on FROM tags_tag t CROSS JOIN LATERAL (
                SELECT members, counted_on FROM tags_tagstatistic WHERE tag_id = t.id ORDER BY counted_on DESC LIMIT 1
            ) s
            """
        )
        return {tag_id: Counted(members, day) for tag_id, members, day in cursor.fetchall()}


def few(tag_ids: Collection[int], *, now: datetime, most: int = 1_000) -> dict[int, int]:
    """Members with each of these tags, counted no further than `most` + 1: for tags that were never counted."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT t.id, (SELECT count(*) FROM (
                SELECT 1 FROM tags_membertag mt
                WHERE mt.tag_id = t.id AND (mt.expires_at IS NULL OR mt.expires_at > %s) LIMIT %s
            ) first_ones)
            FROM unnest(%s::bigint[]) AS t (id)
            """,
            [now, most + 1, list(tag_ids)],
        )
        return dict(cursor.fetchall())


def latest_of(tag_id: int) -> Counted | None:
    """The last count of one tag."""
    row = TagStatistic.objects.filter(tag_id=tag_id).order_by("-counted_on").first()
    return None if row is None else Counted(row.members, row.counted_on)


def by_source(tag_id: int, *, actor: Actor, now: datetime) -> list[tuple[str, int]]:
    """Exactly how many of the members whom the actor sees have the tag now, by how it was put on; the most first."""
    scope, params = scopes.member_sql(actor)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT mt.source, count(*) FROM tags_membertag mt JOIN members_member m ON m.id = mt.member_id
            WHERE mt.tag_id = %s AND (mt.expires_at IS NULL OR mt.expires_at > %s) AND m.status = 'active' AND {scope}
            GROUP BY mt.source ORDER BY count(*) DESC
            """,
            [tag_id, now, *params],
        )
        labels = {kind.value: str(kind.label) for kind in TagKind}
        return [(labels.get(source, source), number) for source, number in cursor.fetchall()]


def latest_changes(tag_id: int, *, actor: Actor, limit: int = 10) -> list[Moved]:
    """Who got the tag and who lost it last, among the newest events of all; of the members whom the actor sees."""
    scope, params = scopes.member_sql(actor)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT m.id, m.name, t.key = 'tag.added', e.occurred_at, COALESCE(e.properties ->> 'reason', '')
            FROM (SELECT member_id, type_id, occurred_at, properties FROM members_event ORDER BY id DESC LIMIT %s) e
            JOIN members_eventtype t ON t.id = e.type_id AND t.key IN ('tag.added', 'tag.removed')
            JOIN members_member m ON m.id = e.member_id
            WHERE e.properties ->> 'tag_id' = %s AND m.status = 'active' AND {scope}
            ORDER BY e.occurred_at DESC, m.id LIMIT %s
            """,
            [_NEWEST, str(tag_id), *params, limit],
        )
        return [Moved(key, name or _("Member %d") % key, *rest) for key, name, *rest in cursor.fetchall()]


def overlap(*, tag_id: int, into_id: int, now: datetime) -> tuple[int, int]:
    """How many have the one tag now, and how many of them have the other one too."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT count(*), count(*) FILTER (WHERE EXISTS (
                SELECT 1 FROM tags_membertag o WHERE o.member_id = mt.member_id AND o.tag_id = %s
                AND (o.expires_at IS NULL OR o.expires_at > %s)))
            FROM tags_membertag mt WHERE mt.tag_id = %s AND (mt.expires_at IS NULL OR mt.expires_at > %s)
            """,
            [into_id, now, tag_id, now],
        )
        having, both = cursor.fetchone()
        return having, both


def merged_into(tag_ids: Collection[int]) -> dict[int, list[Tag]]:
    """The signposts that point at each tag."""
    found: dict[int, list[Tag]] = {}
    for tag in Tag.objects.filter(merged_into__in=tag_ids).order_by("name"):
        if tag.merged_into_id is not None:
            found.setdefault(tag.merged_into_id, []).append(tag)
    return found
