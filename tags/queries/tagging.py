"""Which tags there are, who has them, and how many do."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext as _

from members.queries import scopes
from scrm.common import clock
from scrm.common.access import Actor
from scrm.common.errors import NotFound
from scrm.common.models import User
from tags.enums import TagKind
from tags.models import MemberTag, Tag, TagGroup

# How many steps of size a tag cloud has.
_STEPS = 5


@dataclass(frozen=True, slots=True)
class Held:
    """A tag on a member. `weight` is that of the instant asked for; `size` is 1 to 5 for a tag cloud."""

    tag: Tag
    source: str
    reason: str
    assigned_at: datetime
    expires_at: datetime | None
    weight: float = 1.0
    half_life_days: float | None = None

    @property
    def source_label(self) -> str:
        return str(TagKind(self.source).label)

    @property
    def size(self) -> int:
        """Doubling the weight is one step up or down from 1.0, which is the middle."""
        steps = round(math.log2(self.weight)) if self.weight > 0 else -_STEPS
        return max(1, min(_STEPS, 3 + steps))


def weight_at(row: MemberTag, instant: datetime) -> float:
    """What an assignment weighs at an instant: its weight halves every half-life."""
    if row.half_life_days is None or row.weight_at is None:
        return row.weight
    days = (instant - row.weight_at).total_seconds() / 86_400
    return float(row.weight * 2 ** (-max(days, 0.0) / row.half_life_days))


def _valid(now: datetime) -> Q:
    return Q(expires_at=None) | Q(expires_at__gt=now)


def of_members(member_ids: Collection[int], *, now: datetime | None = None) -> dict[int, list[Tag]]:
    """The tags each member has now, groups in their order. One query."""
    found: dict[int, list[Tag]] = defaultdict(list)
    rows = (
        MemberTag.objects.filter(_valid(now or clock.now()), member_id__in=member_ids)
        .select_related("tag__group")
        .order_by("tag__group__position", "tag__group__name", "tag__name")
    )
    for row in rows:
        found[row.member_id].append(row.tag)
    return dict(found)


def of_member(member_id: int, *, now: datetime) -> list[Held]:
    """The tags of one member with where they came from, why, and what they weigh now."""
    rows = (
        MemberTag.objects.filter(_valid(now), member_id=member_id)
        .select_related("tag__group")
        .order_by("tag__group__position", "tag__group__name", "tag__name")
    )
    return [
        Held(
            row.tag, row.source, row.reason, row.assigned_at, row.expires_at, weight_at(row, now), row.half_life_days
        )
        for row in rows
    ]  # fmt: skip


def get(tag_id: int) -> Tag:
    """A tag with its group, owner and the tag it was merged into. Raises `NotFound`."""
    tag = Tag.objects.select_related("group", "owner", "merged_into").filter(pk=tag_id).first()
    if tag is None:
        raise NotFound(_("There is no such tag."))
    return tag


def get_group(group_id: int) -> TagGroup:
    """A tag group. Raises `NotFound`."""
    group = TagGroup.objects.filter(pk=group_id).first()
    if group is None:
        raise NotFound(_("There is no such tag group."))
    return group


def listed() -> QuerySet[Tag]:
    """Every tag with its group, groups in their order."""
    return Tag.objects.select_related("group").order_by("group__position", "group__name", "name")


def in_use() -> QuerySet[Tag]:
    """The tags that can be put on members."""
    return listed().filter(archived_at=None)


def without_rule() -> QuerySet[Tag]:
    """The tags in use that a rule can be written for."""
    return in_use().filter(rule=None).exclude(kind=TagKind.MODEL)


def all_groups() -> QuerySet[TagGroup]:
    """The groups in their order."""
    return TagGroup.objects.order_by("position", "name")


def numbers_of_tags() -> dict[int, int]:
    """How many tags each group has, archived ones included."""
    return dict(TagGroup.objects.values_list("pk").annotate(number=Count("tags")))


def possible_owners() -> QuerySet[User]:
    """The console's active users."""
    return User.objects.filter(is_active=True).order_by("display_name", "username")


def offered(*, without: Collection[int]) -> list[tuple[TagGroup, list[Tag]]]:
    """Groups with the tags that people put on, those of `without` left out; empty groups are not offered.

    Tags of models follow their model alone.
    """
    by_group: dict[int, tuple[TagGroup, list[Tag]]] = {}
    for tag in in_use().exclude(kind=TagKind.MODEL):
        if tag.pk not in without:
            by_group.setdefault(tag.group_id, (tag.group, []))[1].append(tag)
    return list(by_group.values())


def counts(*, actor: Actor, now: datetime) -> dict[int, int]:
    """How many of the members that the actor sees have each tag. One grouped query."""
    scope, params = scopes.member_sql(actor)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT mt.tag_id, count(*) FROM tags_membertag mt JOIN members_member m ON m.id = mt.member_id
            WHERE m.status = 'active' AND {scope} AND (mt.expires_at IS NULL OR mt.expires_at > %s) GROUP BY mt.tag_id
            """,
            [*params, now],
        )
        return dict(cursor.fetchall())
