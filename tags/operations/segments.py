"""Segments: create, change, freeze, archive."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.utils.translation import gettext as _

from scrm.common import conditions
from scrm.common.errors import Conflict, Invalid, NotFound
from scrm.common.transactions import atomic, current_actor
from tags.enums import SegmentKind
from tags.models import Segment
from tags.queries import segments as queries

MAX_NAME = 60
MAX_DESCRIPTION = 300


def create(*, name: str, condition: Any, description: str = "", now: datetime) -> Segment:
    """A new dynamic segment, counted at once. `condition` is raw JSON.

    Raises `conditions.BadCondition`, `Invalid` (`name_taken`, `bad_name`, `bad_description`, `too_deep`).
    """
    with atomic():
        node = conditions.parse(condition)
        # Compiled once before it is stored, so that what is stored can be used.
        conditions.compile_condition(node, as_of=now)
        segment = Segment(
            name=_name(name),
            description=_description(description),
            condition=condition,
            created_by_id=_user_id(),
            created_at=now,
            updated_at=now,
        )
        _save(segment)
        return _recount(segment, now)


def update(
    *, segment_id: int, version: int, name: str, condition: Any, description: str = "", now: datetime
) -> Segment:
    """Change a dynamic segment.

    `version` is the one the editor started from. Raises `Conflict` (`stale`: somebody else saved meanwhile;
    `not_dynamic`), `Invalid` (also `cycle`), `conditions.BadCondition`, `NotFound`.
    """
    with atomic():
        segment = _locked(segment_id)
        if segment.kind != SegmentKind.DYNAMIC:
            raise Conflict(_("Only dynamic segments have a condition."), code="not_dynamic")
        if segment.version != version:
            raise Conflict(
                _("Somebody else has saved this segment meanwhile. Your changes are still on this page."),
                code="stale",
                version=segment.version,
            )
        node = conditions.parse(condition)
        conditions.compile_condition(node, as_of=now, stack=(segment.pk,))
        segment.name, segment.description, segment.condition = _name(name), _description(description), condition
        segment.version += 1
        segment.updated_at = now
        _save(segment)
        return _recount(segment, now)


def snapshot(*, segment_id: int, name: str = "", now: datetime) -> Segment:
    """Freeze who is in a segment now under a new name. Raises `NotFound`, `queries.BrokenSegment`, `Invalid`."""
    with atomic():
        origin = _locked(segment_id)
        frozen = Segment(
            name=_name(name or queries.free_name(f"{origin.name[:44]} {now:%Y-%m-%d}")),
            description=origin.description,
            kind=SegmentKind.SNAPSHOT,
            condition=origin.condition,
            origin=origin,
            created_by_id=_user_id(),
            created_at=now,
            updated_at=now,
            counted_at=now,
        )
        _save(frozen)
        audience, params = queries.audience_sql(origin, as_of=now)
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO tags_segmentmember (segment_id, member_id) SELECT %s, a.id FROM ({audience}) a",
                [frozen.pk, *params],
            )
            frozen.member_count = cursor.rowcount
        frozen.save(update_fields=["member_count"])
        return frozen


def duplicate(*, segment_id: int, now: datetime) -> Segment:
    """A dynamic copy under a free name. Raises `NotFound`, `Conflict` (`not_dynamic`)."""
    with atomic():
        origin = _locked(segment_id)
        if origin.condition is None:
            raise Conflict(_("Only dynamic segments have a condition."), code="not_dynamic")
        copied = Segment(
            name=queries.free_name(_("%(name)s (copy)") % {"name": origin.name[:50]}),
            description=origin.description,
            condition=origin.condition,
            member_count=origin.member_count if origin.kind == SegmentKind.DYNAMIC else None,
            counted_at=origin.counted_at if origin.kind == SegmentKind.DYNAMIC else None,
            created_by_id=_user_id(),
            created_at=now,
            updated_at=now,
        )
        _save(copied)
        return copied


def archive(*, segment_id: int, now: datetime) -> Segment:
    """Take a segment out of the lists. What uses it keeps working. Twice changes nothing."""
    with atomic():
        segment = _locked(segment_id)
        if segment.archived_at is None:
            segment.archived_at = now
            segment.save(update_fields=["archived_at"])
        return segment


def restore(*, segment_id: int) -> Segment:
    """Put an archived segment back into the lists."""
    with atomic():
        segment = _locked(segment_id)
        segment.archived_at = None
        segment.save(update_fields=["archived_at"])
        return segment


def recount(*, segment_id: int, now: datetime) -> Segment:
    """Count again and remember it. Raises `NotFound`, `queries.BrokenSegment`."""
    with atomic():
        return _recount(_locked(segment_id), now)


def _recount(segment: Segment, now: datetime) -> Segment:
    segment.member_count, segment.counted_at = queries.count(segment, as_of=now), now
    segment.save(update_fields=["member_count", "counted_at"])
    return segment


def _locked(segment_id: int) -> Segment:
    segment = Segment.objects.select_for_update().filter(pk=segment_id).first()
    if segment is None:
        raise NotFound(_("There is no such segment."))
    return segment


def _save(segment: Segment) -> None:
    try:
        with transaction.atomic():
            segment.save()
    except IntegrityError as error:
        raise Invalid(_("This name is taken."), code="name_taken", field="name") from error


def _user_id() -> int | None:
    actor = current_actor()
    return actor.id if actor.kind == "user" else None


def _name(name: str) -> str:
    name = name.strip()
    if not name or len(name) > MAX_NAME or "\x00" in name:
        raise Invalid(_("A name has 1 to %(count)s characters.") % {"count": MAX_NAME}, code="bad_name", field="name")
    return name


def _description(text: str) -> str:
    text = text.strip()
    if len(text) > MAX_DESCRIPTION or "\x00" in text:
        raise Invalid(
            _("The description is at most %(count)s characters long.") % {"count": MAX_DESCRIPTION},
            code="bad_description",
            field="description",
        )
    return text
