"""What tags and segments add to the member list: filters, and the tags of each row."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.utils.translation import gettext_lazy as _

from scrm.common import clock, panels
from scrm.common.access import Permission
from scrm.common.errors import NotFound
from scrm.common.member_filters import Filter, Group, Members, Test, Values, register
from scrm.common.panels import Badge
from tags.models import MemberTag, Tag
from tags.queries import segments


def tag_options() -> Sequence[tuple[str, str]]:
    rows = Tag.objects.filter(archived_at=None).order_by("group__position", "group__name", "name")
    return [(str(key), f"{group} · {name}") for key, group, name in rows.values_list("pk", "group__name", "name")]


def segment_options() -> Sequence[tuple[str, str]]:
    rows = segments.listed().order_by("name").values_list("pk", "name")[:500]
    return [(str(key), name) for key, name in rows]


TAG = Filter("tag", _("Tag"), multiple=True, options=tag_options)
SEGMENT = Filter("segment", _("Segment"), options=segment_options)


def _id(filter_: Filter, raw: str) -> int:
    if not (raw.isascii() and raw.isdigit()) or len(raw) > 18:
        raise filter_.refusal(raw)
    return int(raw)


def narrow_tags(values: Values, as_of: datetime) -> Test:
    """Members that have every one of the tags now: a lapsed assignment does not count."""
    ids = [_id(TAG, raw) for raw in values["tag"]]
    # One probe per tag: Postgres begins with the rarest.
    held = (
        "members_member.id IN (SELECT member_id FROM tags_membertag"
        " WHERE tag_id = %s AND (expires_at IS NULL OR expires_at > %s))"
    )
    return Test(" AND ".join([held] * len(ids)), [part for key in ids for part in (key, as_of)])


def narrow_segment(values: Values, as_of: datetime) -> Members:
    """Members in the segment at `as_of`."""
    try:
        segment = segments.get(_id(SEGMENT, values["segment"]))
    except NotFound as error:
        raise SEGMENT.refusal(values["segment"]) from error
    sql, params = segments.audience_sql(segment, as_of=as_of)
    return Members(sql, params)


# The tone of a group's colour: the console has fewer tones than tag groups have colours.
TONES = {"secondary": "grey", "yellow": "amber", "orange": "amber", "purple": "violet", "teal": "jade"}


def row_tags(member_ids: Sequence[int]) -> dict[int, list[Badge]]:
    """The tags each member has now, in the order of their groups."""
    now = clock.now()
    rows = (
        MemberTag.objects.filter(member_id__in=member_ids)
        .order_by("tag__group__position", "tag__group_id", "tag__name")
        .values_list("member_id", "tag__name", "tag__colour", "tag__group__colour", "tag__group__name", "expires_at")
    )
    found: dict[int, list[Badge]] = {}
    for member_id, name, own, of_group, group, expires_at in rows:
        if expires_at is None or expires_at > now:
            colour = own or of_group
            found.setdefault(member_id, []).append(Badge(name, TONES.get(colour, colour), group))
    return found


register(Group("tags", _("Tags"), [TAG], narrow_tags, permission=Permission.TAGS_VIEW))
register(Group("segments", _("Segments"), [SEGMENT], narrow_segment, permission=Permission.SEGMENTS_VIEW))
panels.register_rows("tags", row_tags)
