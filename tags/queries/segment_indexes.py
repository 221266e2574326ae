"""How a leaf over segments is answered from bitmaps: by the plan of their condition, or by their listed members."""

from __future__ import annotations

from scrm.common.bitmaps.answers import listed, of_values
from scrm.common.bitmaps.families import Column, Family, Kind, register
from scrm.common.bitmaps.plans import Having, Plan, Some, index, plan
from scrm.common.conditions import Context, Leaf
from tags.enums import SegmentKind
from tags.queries import segments

register(
    Family("segment", "tags_segmentmember", "member_id", (Column("in", "1", Kind.WHOLE),), key="segment_id"),
)


def _segment(leaf: Leaf, context: Context) -> Plan | None:
    return of_values(leaf.op, [_inside(segment_id, context) for segment_id in listed(leaf)], lambda: Some(()))


def _inside(segment_id: int, context: Context) -> Plan:
    """Members in a segment. Raises what `segments.membership_sql` raises."""
    segment = segments.nested(segment_id, stack=context.stack)
    if segment.kind != SegmentKind.DYNAMIC:
        return Having("segment", str(segment_id), "in")
    return plan(segments.tree_of(segment), as_of=context.as_of, stack=(*context.stack, segment_id))


index("segment", _segment)
