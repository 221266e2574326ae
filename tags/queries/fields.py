"""The fields of the condition language over tags and segments."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext_lazy as _

from scrm.common.conditions import Choice, Context, Field, FieldType, PerValue, Rows, Sql, register
from tags.models import Segment, Tag, TagGroup
from tags.queries import segments

GROUP = _("Tags and segments")


def _tags(context: Context) -> Rows:
    return Rows(
        "tags_membertag mt",
        Sql("mt.member_id = m.id AND (mt.expires_at IS NULL OR mt.expires_at > %s)", (context.as_of,)),
        Sql("mt.tag_id"),
    )


def _groups(context: Context) -> Rows:
    return Rows(
        "tags_membertag mt JOIN tags_tag tg ON tg.id = mt.tag_id",
        Sql("mt.member_id = m.id AND (mt.expires_at IS NULL OR mt.expires_at > %s)", (context.as_of,)),
        Sql("tg.group_id"),
    )


def _segments(context: Context) -> PerValue:
    return PerValue(lambda segment_id: segments.membership_sql(segment_id, context=context))


def _tag_choices() -> Sequence[Choice]:
    return [
        Choice(tag.pk, tag.name, tag.group.name)
        for tag in Tag.objects.select_related("group").order_by("group__position", "group__name", "name")
    ]


def _group_choices() -> Sequence[Choice]:
    return [Choice(group.pk, group.name) for group in TagGroup.objects.order_by("position", "name")]


def _segment_choices() -> Sequence[Choice]:
    return [Choice(pk, name) for pk, name in Segment.objects.order_by("name").values_list("pk", "name")]


register(
    Field("tag", _("Tag"), GROUP, FieldType.SET, _tags, choices=_tag_choices),
    Field("tag_group", _("Tag group"), GROUP, FieldType.SET, _groups, choices=_group_choices),
    Field("segment", _("Segment"), GROUP, FieldType.SET, _segments, choices=_segment_choices, always_set=True),
)
