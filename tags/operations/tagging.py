"""Putting tags on members and taking them off, for many at once. Every change goes to the timeline."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.utils.translation import gettext as _

from members.operations import summaries
from scrm.common.errors import Conflict, Invalid, NotFound
from scrm.common.transactions import atomic
from tags.enums import Choice, TagKind
from tags.models import Tag
from tags.operations import tag_moves, watch_effects, watch_rounds
from tags.operations.watch_effects import Moved
from tags.rules import tagging as rules

MAX_TAGS = 50
MAX_REASON = 200


@dataclass(frozen=True, slots=True)
class Change:
    """How many assignments were added and removed; what was so already does not count."""

    added: int
    removed: int


def assign(
    *,
    member_ids: Collection[int],
    tag_ids: Collection[int],
    source: str = TagKind.MANUAL,
    reason: str = "",
    now: datetime,
) -> Change:
    """Put tags on members. A tag of a single-choice group takes the place of the group's other tags.

    Members that are not active are passed over. A tag that a member has already is left as it is, save that its
    validity starts anew; put on by hand over a rule, it is the hand's from then on. What hangs on the tags follows in
    the same transaction. Raises `NotFound`, `Conflict` (`tag_archived`), `Invalid` (`one_of_group`, `too_many_tags`,
    `reason_too_long`).
    """
    with atomic():
        tags = _tags(tag_ids, for_assignment=True)
        _check_reason(reason)
        members = _lock(member_ids)
        if not members:
            return Change(0, 0)
        singles = [tag.group_id for tag in tags.values() if _is_single(tag)]
        replaced = _replace(members, list(tags), singles) if singles else []
        added = _insert(members, tags, source=source, reason=reason, now=now)
        _follow(Moved(added=added, removed=replaced), reason=reason, now=now)
        return Change(len(added), len(replaced))


def remove(
    *, member_ids: Collection[int], tag_ids: Collection[int], source: str = "", reason: str = "", now: datetime
) -> Change:
    """Take tags off members; of those that `source` put on, when it is given.

    A rule whose tag was taken off does not put it on again before it has turned false. When a tag of a single-choice
    group is taken off, the rules of the group take their turn. Raises `NotFound`, `Invalid`.
    """
    with atomic():
        tags = _tags(tag_ids, for_assignment=False)
        _check_reason(reason)
        summaries.hold(member_ids)
        with connection.cursor() as cursor:
            cursor.execute(
                """
                DELETE FROM tags_membertag
                WHERE member_id = ANY(%s) AND tag_id = ANY(%s) AND (%s = '' OR source = %s)
                RETURNING member_id, tag_id
                """,
                [sorted(set(member_ids)), list(tags), source, source],
            )
            removed = cursor.fetchall()
        moved = Moved(removed=removed)
        suppress(removed)
        places = {(member_id, tags[tag_id].group_id) for member_id, tag_id in removed if _is_single(tags[tag_id])}
        turned = watch_effects.settle_groups(places, now=now) if places else Moved()
        _follow(moved, reason=reason, now=now)
        if turned.added or turned.removed:
            tag_moves.note(added=turned.added, removed=turned.removed, by="rule", now=now)
            watch_rounds.follow_moves(turned, now=now)
        return Change(0, len(removed))


def suppress(pairs: Collection[tuple[int, int]]) -> None:
    """Keep the rules of these (member, tag) from putting the tag on again before they turn false and true."""
    if not pairs:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE tags_watchmember x SET suppressed = true
            FROM unnest(%s::bigint[], %s::bigint[]) AS v (member_id, tag_id) JOIN tags_tagrule r ON r.tag_id = v.tag_id
            WHERE x.watch_id = r.watch_id AND x.member_id = v.member_id
            """,
            [[member_id for member_id, _ in pairs], [tag_id for _, tag_id in pairs]],
        )


def lapse(*, now: datetime, limit: int = 1_000) -> int:
    """Remove assignments whose validity is over, with a word on the timeline; answers how many.

    A rule does not put such a tag on again before it has turned false and true. Members that somebody is busy with
    wait for the next time.
    """
    with atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT member_id FROM tags_membertag WHERE expires_at <= %s LIMIT %s",
            [now, limit],
        )
        members = [row[0] for row in cursor.fetchall()]
        if not members:
            return 0
        held = summaries.hold(members, wait=False)
        cursor.execute(
            "DELETE FROM tags_membertag WHERE member_id = ANY(%s) AND expires_at <= %s RETURNING member_id, tag_id",
            [held, now],
        )
        lapsed = cursor.fetchall()
        suppress(lapsed)
        tag_moves.note(removed=lapsed, by="validity", now=now)
        watch_rounds.follow_moves(Moved(removed=lapsed), now=now)
        return len(lapsed)


def _follow(moved: Moved, *, reason: str, now: datetime) -> None:
    """Note what moved and let the watches that hang on it follow."""
    tag_moves.note(added=moved.added, removed=moved.removed, reason=reason, now=now)
    watch_rounds.follow_moves(moved, now=now)


def _is_single(tag: Tag) -> bool:
    return tag.group.choice == Choice.SINGLE


Pairs = list[tuple[int, int]]


def _tags(tag_ids: Collection[int], *, for_assignment: bool) -> dict[int, Tag]:
    wanted = set(tag_ids)
    if not wanted:
        raise Invalid(_("Choose at least one tag."), code="no_tag", field="tags")
    if len(wanted) > MAX_TAGS:
        raise Invalid(_("Too many tags at once."), code="too_many_tags", field="tags")
    tags = {tag.pk: tag for tag in Tag.objects.filter(pk__in=wanted).select_related("group")}
    if len(tags) < len(wanted):
        raise NotFound(_("There is no such tag."), field="tags")
    if for_assignment:
        archived = next((tag for tag in tags.values() if tag.archived_at is not None), None)
        if archived is not None:
            raise Conflict(_("The tag “%(name)s” is archived.") % {"name": archived.name}, code="tag_archived")
        if rules.crowded_groups((tag.group_id, tag.group.choice == Choice.SINGLE) for tag in tags.values()):
            raise Invalid(_("Only one tag of this group can be chosen."), code="one_of_group", field="tags")
    return tags


def _check_reason(reason: str) -> None:
    if len(reason) > MAX_REASON or "\x00" in reason:
        raise Invalid(
            _("The reason is at most %(count)s characters long.") % {"count": MAX_REASON},
            code="reason_too_long",
            field="reason",
        )


def _lock(member_ids: Collection[int]) -> list[int]:
    """The active ones, locked in order: of two assignments to one single-choice group the later one wins whole."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM members_member WHERE id = ANY(%s) AND status = 'active' ORDER BY id FOR NO KEY UPDATE",
            [sorted(set(member_ids))],
        )
        members = [row[0] for row in cursor.fetchall()]
    summaries.hold(members)
    return members


def _replace(members: list[int], tag_ids: list[int], groups: list[int]) -> Pairs:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            DELETE FROM tags_membertag mt USING tags_tag t
            WHERE t.id = mt.tag_id AND t.group_id = ANY(%s) AND mt.tag_id <> ALL(%s) AND mt.member_id = ANY(%s)
            RETURNING mt.member_id, mt.tag_id
            """,
            [groups, tag_ids, members],
        )
        return list(cursor.fetchall())


def _insert(members: list[int], tags: dict[int, Tag], *, source: str, reason: str, now: datetime) -> Pairs:
    values = [members, list(tags)]
    with connection.cursor() as cursor:
        # A lapsed assignment is over: putting the tag on again is a new one.
        cursor.execute(
            "DELETE FROM tags_membertag WHERE member_id = ANY(%s) AND tag_id = ANY(%s) AND expires_at <= %s",
            [*values, now],
        )
        cursor.execute(
            """
            INSERT INTO tags_membertag (member_id, tag_id, source, reason, assigned_at, expires_at)
            SELECT m.id, t.id, %s, %s, %s, %s + t.valid_days * interval '1 day'
            FROM unnest(%s::bigint[]) AS m (id) CROSS JOIN tags_tag t WHERE t.id = ANY(%s)
            ORDER BY 1, 2
            ON CONFLICT DO NOTHING RETURNING member_id, tag_id
            """,
            [source, reason, now, now, *values],
        )
        added: Pairs = list(cursor.fetchall())
        if any(tag.valid_days for tag in tags.values()):
            cursor.execute(
                """
                UPDATE tags_membertag mt SET expires_at = %s + t.valid_days * interval '1 day' FROM tags_tag t
                WHERE t.id = mt.tag_id AND t.valid_days IS NOT NULL AND mt.member_id = ANY(%s) AND mt.tag_id = ANY(%s)
                """,
                [now, *values],
            )
        if source == TagKind.MANUAL:
            cursor.execute(
                """
                UPDATE tags_membertag SET source = %s, reason = %s
                WHERE member_id = ANY(%s) AND tag_id = ANY(%s) AND source = ANY(%s)
                """,
                [source, reason, *values, list(watch_effects.RULE_KINDS)],
            )
    return added
