"""Segments: who is in them, how many, and what depends on them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from scrm.common import conditions
from scrm.common import dependents as registered
from scrm.common.access import Actor
from scrm.common.conditions import Context, Sql
from scrm.common.conditions.named import segments_named
from scrm.common.dependents import Dependent, Thing
from scrm.common.errors import DomainError, Invalid, NotFound
from tags.enums import SegmentKind
from tags.models import Segment, TagRule
from tags.queries import audiences
from tags.queries.audiences import REACH_CHANNELS as REACH_CHANNELS  # callers know them from here too
from tags.queries.audiences import Preview as Preview

# A segment of a segment of …: more would be a maze even for the reader.
MAX_NESTING = 8


class BrokenSegment(DomainError):
    """A saved segment names something that no longer exists. `detail["errors"]` says what and where."""

    code = "broken_segment"
    status = 409


def get(segment_id: int) -> Segment:
    """A segment, archived ones included. Raises `NotFound`."""
    segment = Segment.objects.filter(pk=segment_id).select_related("created_by", "origin", "watch").first()
    if segment is None:
        raise NotFound(_("There is no such segment."))
    return segment


def named(segment_ids: Sequence[int]) -> list[Segment]:
    """These segments in this order; those that are gone are left out."""
    found = Segment.objects.in_bulk(list(segment_ids))
    return [found[key] for key in segment_ids if key in found]


def every() -> QuerySet[Segment]:
    """Segments with who made them, archived ones included."""
    return Segment.objects.select_related("created_by")


def listed(*, search: str = "") -> QuerySet[Segment]:
    """Segments in use; those whose name contains a text."""
    rows = every().filter(archived_at=None)
    return rows.filter(name__icontains=search) if search else rows


def _fresh_name(wanted: str) -> str:
    taken = set(Segment.objects.filter(name__startswith=wanted[:50]).values_list("name", flat=True))
    name, number = wanted, 2
    while name in taken:
        name, number = f"{wanted[:54]} {number}", number + 1
    return name


def free_name(wanted: str) -> str:
    """The name itself, or with a number when it is taken; at most 60 characters."""
    return _fresh_name(wanted.strip()[:60])


def tree_of(segment: Segment) -> conditions.Node:
    """The checked condition of a dynamic segment. Raises `BrokenSegment`."""
    try:
        return conditions.parse(segment.condition)
    except conditions.BadCondition as error:
        raise BrokenSegment(
            _("The condition of the segment “%(name)s” can no longer be used: %(reason)s")
            % {"name": segment.name, "reason": error},
            errors=error.detail["errors"],
        ) from error


def nested(segment_id: int, *, stack: tuple[Any, ...]) -> Segment:
    """A segment that a condition names. Raises `Invalid` (`cycle`, `too_deep`), `NotFound`."""
    if segment_id in stack:
        raise Invalid(_("The segments contain each other."), code="cycle", field="condition")
    if len(stack) >= MAX_NESTING:
        raise Invalid(_("Segments are nested too deep."), code="too_deep", field="condition")
    segment = Segment.objects.filter(pk=segment_id).first()
    if segment is None:
        raise NotFound(_("There is no such segment."))
    return segment


def membership_sql(segment_id: int, *, context: Context) -> Sql:
    """Whether `m` is in a segment, as a boolean expression. Raises what `nested` raises, and `BrokenSegment`."""
    return _predicate(nested(segment_id, stack=context.stack), as_of=context.as_of, stack=context.stack)


def _predicate(segment: Segment, *, as_of: datetime, stack: tuple[Any, ...] = ()) -> Sql:
    if segment.kind != SegmentKind.DYNAMIC:
        return Sql(
            "EXISTS (SELECT 1 FROM tags_segmentmember sm WHERE sm.segment_id = %s AND sm.member_id = m.id)",
            (segment.pk,),
        )
    return conditions.compile_condition(tree_of(segment), as_of=as_of, stack=(*stack, segment.pk))


def predicate_sql(segment: Segment, *, as_of: datetime) -> tuple[str, list[Any]]:
    """A boolean over alias `m` (members_member), with its parameters: in the segment. Raises `BrokenSegment`.

    Says nothing about the member's status; `audience_sql` does.
    """
    test = _predicate(segment, as_of=as_of)
    return test.text, list(test.params)


def audience_sql(
    segment: Segment, *, as_of: datetime, member_ids: Sequence[int] | None = None
) -> tuple[str, list[Any]]:
    """ "SELECT m.id FROM members_member m WHERE …": the active members in the segment, or those of `member_ids`.

    The order is undefined. Raises `BrokenSegment` when the condition can no longer be used.
    """
    text, params = predicate_sql(segment, as_of=as_of)
    among = "" if member_ids is None else "m.id = ANY(%s) AND "
    ids = [] if member_ids is None else [list(member_ids)]
    return (
        f"SELECT m.id FROM members_member m WHERE {among}m.status = 'active' AND ({text})",
        [*ids, *params],
    )


def count(segment: Segment, *, as_of: datetime, actor: Actor | None = None) -> int:
    """How many active members are in the segment; of those the actor may see, when one is given."""
    return audiences.count(segment, as_of=as_of, actor=actor)


def preview(*, node: conditions.Node, actor: Actor, as_of: datetime, stack: tuple[Any, ...] = ()) -> Preview:
    """Count, reach per channel and five members of a condition, exact. Raises what compiling raises."""
    return audiences.preview(node, actor=actor, as_of=as_of, stack=stack)


def preview_of(segment: Segment, *, actor: Actor, as_of: datetime) -> Preview:
    """The same for a saved segment of any kind."""
    return audiences.preview(segment, actor=actor, as_of=as_of)


def dependents(segment_id: int) -> list[Dependent]:
    """Everything that uses the segment: other segments (archived ones too), tag rules, what higher apps registered."""
    others = Segment.objects.filter(_mentions("condition", segment_id), kind=SegmentKind.DYNAMIC).exclude(pk=segment_id)
    inside = [
        Dependent("segment", _called(other), reverse("segment_detail", args=[other.pk]))
        for other in others.order_by("name")
        if segment_id in segments_named(other.condition)
    ]
    by_rule = [
        Dependent("rule", str(rule.tag), reverse("rule_detail", args=[rule.pk]))
        for rule in TagRule.objects.filter(_mentions("watch__condition", segment_id))
        .select_related("tag", "watch")
        .order_by("tag__name")
        if segment_id in segments_named(rule.watch.condition)
    ]
    return [*inside, *by_rule, *registered.of(Thing.SEGMENT, segment_id)]


def _called(segment: Segment) -> str:
    return segment.name if segment.archived_at is None else _("%(name)s (archived)") % {"name": segment.name}


def _mentions(column: str, segment_id: int) -> Q:
    """Those whose text holds the id at all: the tree is read only for these few."""
    return Q(**{f"{column}__isnull": False, f"{column}__icontains": str(segment_id)})


def member_ids_page(segment: Segment, *, actor: Actor, as_of: datetime, after: int, size: int) -> list[int]:
    """Ids above `after`, in order: a keyset page of the members the actor may see."""
    return audiences.page(segment, actor=actor, as_of=as_of, after=after, size=size)
