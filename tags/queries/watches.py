"""What watched conditions hang on, and how watches stand."""

from __future__ import annotations

from collections.abc import Iterable

from scrm.common import conditions
from scrm.common.conditions import Leaf, Node
from tags.enums import SegmentKind
from tags.models import Tag, Watch
from tags.queries import segments

# The fields whose value is a list of tags or of groups, and the parameter under which others name tags.
_TAG, _GROUP, _SEGMENT, _PARAM = "tag", "tag_group", "segment", "tag"


def tags_named(node: Node) -> frozenset[int] | None:
    """The tags that the answer can hang on, through segments too; None when it can be any tag."""
    found: set[int] = set()
    waiting = list(conditions.leaves(node))
    seen: set[int] = set()
    while waiting:
        leaf = waiting.pop()
        key = leaf.field.key
        if key == _SEGMENT:
            inner = _inside(set(leaf.value) - seen)
            seen |= set(leaf.value)
            waiting += inner
        elif key == _GROUP and isinstance(leaf.value, list | tuple):
            found |= set(Tag.objects.filter(group_id__in=leaf.value).values_list("pk", flat=True))
        elif key == _TAG and isinstance(leaf.value, list | tuple):
            found |= set(leaf.value)
        elif "tag" in _topics(leaf):
            named = leaf.params.get(_PARAM)
            if not named:
                return None
            found |= set(named if isinstance(named, list | tuple) else [named])
    return frozenset(found)


def _topics(leaf: Leaf) -> frozenset[str]:
    topics = leaf.field.topics
    return topics(leaf) if callable(topics) else topics


def _inside(segment_ids: Iterable[int]) -> list[Leaf]:
    found: list[Leaf] = []
    for segment_id in segment_ids:
        segment = segments.get(segment_id)
        if segment.kind == SegmentKind.DYNAMIC:
            found += conditions.leaves(segments.tree_of(segment))
    return found


def hanging_on(topics: Iterable[str]) -> list[Watch]:
    """The watches, enabled or not, that hang on any of the topics ("segment:5", "rfm", …)."""
    return list(Watch.objects.filter(depends__overlap=sorted(topics)).order_by("pk"))
