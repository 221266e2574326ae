"""What uses a tag: shown before the tag is archived or merged."""

from __future__ import annotations

from django.db.models import Q
from django.urls import reverse

from scrm.common import dependents as registered
from scrm.common.conditions.named import tags_named
from scrm.common.dependents import Dependent, Thing
from tags.models import Segment, TagRule
from tags.queries.segments import dependents as dependents_of_segment


def dependents(tag_id: int) -> list[Dependent]:
    """Segments and rules whose conditions name the tag, what uses those segments, and what higher apps registered."""
    found: dict[tuple[str, str], Dependent] = {}
    segments = [segment for segment in naming_segments(tag_id) if segment.archived_at is None]
    direct = [Dependent("segment", segment.name, reverse("segment_detail", args=[segment.pk])) for segment in segments]
    rules = [
        Dependent("rule", rule.tag.name, reverse("rule_detail", args=[rule.pk]))
        for rule in naming_rules(tag_id)
        if rule.tag_id != tag_id
    ]
    through = [used for segment in segments for used in dependents_of_segment(segment.pk)]
    for item in (*direct, *rules, *registered.of(Thing.TAG, tag_id), *through):
        found.setdefault((item.kind, item.url), item)
    return list(found.values())


def naming_segments(tag_id: int) -> list[Segment]:
    """The segments whose condition names the tag, archived ones and those of snapshots included."""
    rows = Segment.objects.filter(_mentions("condition", tag_id)).order_by("name")
    return [segment for segment in rows if tag_id in tags_named(segment.condition)]


def naming_rules(tag_id: int) -> list[TagRule]:
    """The tag rules whose condition names the tag."""
    rows = TagRule.objects.filter(_mentions("watch__condition", tag_id)).select_related("tag", "watch")
    return [rule for rule in rows.order_by("tag__name") if tag_id in tags_named(rule.watch.condition)]


def _mentions(column: str, tag_id: int) -> Q:
    """Those whose text holds the id at all: the tree is read only for these few."""
    return Q(**{f"{column}__isnull": False, f"{column}__icontains": str(tag_id)})
