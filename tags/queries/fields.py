"""The fields of the condition language over tags and segments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from django.utils.translation import gettext_lazy as _

from scrm.common import conditions, dependents
from scrm.common.conditions import (
    Choice,
    Context,
    Field,
    FieldType,
    Leaf,
    Param,
    PerValue,
    Row,
    Rows,
    Sql,
    bind,
    compose,
    register,
)
from scrm.common.conditions.flips import decay_turns, earliest
from scrm.common.conditions.topics import topics_of
from tags.enums import SegmentKind, TagKind
from tags.models import Segment, Tag, TagGroup
from tags.queries import field_uses, merged, segments

GROUP = _("Tags and segments")
_TAG = frozenset({"tag"})


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


def _assignment(value: str, context: Context) -> Row:
    """A value of the assignment of the leaf's tag, while it is valid; unset without the tag."""
    return Row(
        "tags_membertag mt",
        Sql(
            "mt.member_id = m.id AND mt.tag_id = %s AND (mt.expires_at IS NULL OR mt.expires_at > %s)",
            (context.params["tag"], context.as_of),
        ),
        Sql(value),
    )


def _weight(context: Context) -> Row:
    """What the assignment still weighs: halved every half-life since it was weighed; without a half-life it stays."""
    source = _assignment("", context)
    return replace(source, value=compose("trim_scale(round(({})::numeric, 6))", _weighing(context.as_of)))


def _weighing(as_of: datetime) -> Sql:
    return Sql(
        "mt.weight * CASE WHEN mt.half_life_days IS NULL THEN 1::float8 ELSE power(2::float8, GREATEST(LEAST("
        "EXTRACT(epoch FROM mt.weight_at - %s::timestamptz)::float8 / (86400.0 * mt.half_life_days), 60), -1000)) END",
        (as_of,),
    )


def _assigned(context: Context) -> Row:
    return _assignment("mt.assigned_at", context)


def _assigned_by(context: Context) -> Row:
    return _assignment("mt.source", context)


def _assignment_expiry(_leaf: Leaf, context: Context) -> Sql:
    source = _assignment("mt.expires_at", context)
    return compose(f"(SELECT mt.expires_at FROM {source.table} WHERE {{}})", source.join)


def _weight_turns(leaf: Leaf, context: Context) -> Sql | None:
    """When the weight falls through what the leaf compares it with, or the tag expires."""
    source = _assignment("", context)
    fading = decay_turns(_weighing(context.as_of), Sql("mt.half_life_days"), leaf, context)
    if fading is not None:
        fading = compose(
            f"(SELECT {{}} FROM {source.table} WHERE {{}} AND mt.half_life_days IS NOT NULL)", fading, source.join
        )
    return earliest([fading, _assignment_expiry(leaf, context)])


def _expiry(leaf: Leaf, context: Context) -> Sql:
    """When the first of the leaf's tags expires."""
    rows = _tags(context) if leaf.field.key == "tag" else _groups(context)
    among = Sql("TRUE") if leaf.value is None else compose("{} = ANY({})", rows.value, bind(list(leaf.value)))
    return compose(f"(SELECT min(mt.expires_at) FROM {rows.table} WHERE {{}} AND {{}})", rows.join, among)


def _segments(context: Context) -> PerValue:
    return PerValue(lambda segment_id: segments.membership_sql(segment_id, context=context))


def _segment_turns(leaf: Leaf, context: Context) -> Sql | None:
    """When time alone can turn one of the segments, those inside it included. Raises what compiling raises."""
    found = []
    for segment_id in leaf.value:
        # Refuses cycles and what is missing, before going down.
        segments.membership_sql(segment_id, context=context)
        segment = segments.get(segment_id)
        if segment.kind == SegmentKind.DYNAMIC:
            found.append(
                conditions.compile_flip(
                    segments.tree_of(segment), as_of=context.as_of, stack=(*context.stack, segment_id)
                )
            )
    return earliest(found)


def _segment_topics(leaf: Leaf) -> frozenset[str]:
    """The segments, those inside them, and what their own conditions hang on. Raises `NotFound`, `BrokenSegment`."""
    waiting, seen, topics = list(leaf.value), set[int](), set[str]()
    while waiting:
        segment_id = waiting.pop()
        if segment_id in seen:
            continue
        seen.add(segment_id)
        segment = segments.get(segment_id)
        if segment.kind == SegmentKind.DYNAMIC:
            for inner in conditions.leaves(segments.tree_of(segment)):
                if inner.field.key == "segment":
                    waiting += inner.value
                else:
                    topics |= topics_of(inner)
    return frozenset(topics | {f"segment:{segment_id}" for segment_id in seen})


def _tag_choices() -> Sequence[Choice]:
    meanings = merged.meanings()
    return [
        Choice(tag.pk, tag.name, tag.group.name, read_as=meanings.get(tag.pk))
        for tag in Tag.objects.select_related("group").order_by("group__position", "group__name", "name")
    ]


def _group_choices() -> Sequence[Choice]:
    return [Choice(group.pk, group.name) for group in TagGroup.objects.order_by("position", "name")]


def _segment_choices() -> Sequence[Choice]:
    return [Choice(pk, name) for pk, name in Segment.objects.order_by("name").values_list("pk", "name")]


def _kind_choices() -> Sequence[Choice]:
    return [Choice(kind.value, kind.label) for kind in TagKind]


_ONE_TAG = (Param("tag", _("Tag"), choices=_tag_choices, required=True, many=False),)

register(
    Field("tag", _("Tag"), GROUP, FieldType.SET, _tags, choices=_tag_choices, topics=_TAG, turns=_expiry),
    Field("tag_group", _("Tag group"), GROUP, FieldType.SET, _groups, choices=_group_choices,
          topics=_TAG, turns=_expiry),
    Field("tag.weight", _("Tag weight"), GROUP, FieldType.DECIMAL, _weight, params=_ONE_TAG,
          topics=_TAG, turns=_weight_turns),
    Field("tag.assigned_at", _("Tag given"), GROUP, FieldType.DATETIME, _assigned, params=_ONE_TAG,
          topics=_TAG, turns=_assignment_expiry),
    Field("tag.source", _("Tag given by"), GROUP, FieldType.ENUM, _assigned_by, choices=_kind_choices, params=_ONE_TAG,
          topics=_TAG, turns=_assignment_expiry),
    Field(
        "segment", _("Segment"), GROUP, FieldType.SET, _segments, choices=_segment_choices, always_set=True,
        topics=_segment_topics, turns=_segment_turns,
    ),
)  # fmt: skip
dependents.register(dependents.Thing.FIELD, field_uses.dependents)
