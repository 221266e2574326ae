"""Which fields over tags are answered from bitmaps, and how."""

from __future__ import annotations

from scrm.common.bitmaps import operators
from scrm.common.bitmaps.answers import listed, of_values, plain
from scrm.common.bitmaps.families import Column, Family, Kind, register
from scrm.common.bitmaps.plans import Every, Having, Plan, Some, Within, Without, index
from scrm.common.conditions import Context, Leaf
from tags.models import Tag

register(
    Family(
        "tag",
        "tags_membertag",
        "member_id",
        (
            Column("has", "1", Kind.WHOLE),
            Column("expires", operators.instant_sql("t.expires_at"), Kind.NUMBER),
        ),
        key="tag_id",
        sweep=True,
    ),
)


def tagged(tag_id: int, context: Context) -> Plan:
    """Members whose assignment of the tag has not lapsed by the context's instant."""
    key = str(tag_id)
    lapsed = Within("tag", key, "expires", ((None, operators.microseconds(context.as_of) + 1),))
    return Every((Having("tag", key, "has"), Without((lapsed,))))


def _tag(leaf: Leaf, context: Context) -> Plan | None:
    if plain(leaf) is None:
        return None

    def any_tag() -> Plan:
        return Some(tuple(tagged(tag_id, context) for tag_id in Tag.objects.values_list("pk", flat=True)))

    return of_values(leaf.op, [tagged(tag_id, context) for tag_id in listed(leaf)], any_tag)


def _tag_group(leaf: Leaf, context: Context) -> Plan | None:
    if plain(leaf) is None:
        return None
    by_group: dict[int, list[Plan]] = {}
    for tag_id, group_id in Tag.objects.values_list("pk", "group_id"):
        by_group.setdefault(group_id, []).append(tagged(tag_id, context))
    parts = [Some(tuple(by_group.get(group_id, ()))) for group_id in listed(leaf)]
    return of_values(leaf.op, parts, lambda: Some(tuple(part for group in by_group.values() for part in group)))


index("tag", _tag)
index("tag_group", _tag_group)
