"""Segments: create, change, freeze, archive, delete, follow."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import ProtectedError
from django.utils.translation import gettext as _

from scrm.common import conditions
from scrm.common.conditions.named import segments_named
from scrm.common.errors import Conflict, Invalid
from scrm.common.transactions import atomic
from tags.enums import SegmentKind, WatchKind
from tags.models import Segment, Watch
from tags.operations import segment_rows as rows
from tags.operations import watches
from tags.queries import segments as queries
from tags.rules import segments as rules


def create(*, name: str, condition: Any, description: str = "", origin_id: int | None = None, now: datetime) -> Segment:
    """A new dynamic segment, counted at once. `condition` is raw JSON; `origin_id` is what it is a part of.

    Raises `conditions.BadCondition`, `Invalid` (`name_taken`, `bad_name`, `bad_description`, `too_deep`).
    """
    with atomic():
        if segments_named(condition):
            rows.one_at_a_time()
        node = conditions.parse(condition)
        # Compiled once before it is stored, so that what is stored can be used.
        conditions.compile_condition(node, as_of=now)
        segment = rows.new(name=name, description=description, condition=condition, origin_id=origin_id, now=now)
        rows.save(segment)
        return rows.recount(segment, now)


def update(
    *, segment_id: int, version: int, name: str, condition: Any, description: str = "", now: datetime
) -> Segment:
    """Change a dynamic segment; whoever enters or leaves by it is noted when it is followed.

    `version` is the one the editor started from. Raises `Conflict` (`stale`: somebody else saved meanwhile;
    `not_dynamic`), `Invalid` (also `cycle`), `conditions.BadCondition`, `NotFound`.
    """
    with atomic():
        if segments_named(condition):
            rows.one_at_a_time()
        segment = rows.locked(segment_id)
        _require_dynamic(segment)
        _require_version(segment, version)
        node = conditions.parse(condition)
        conditions.compile_condition(node, as_of=now, stack=(segment.pk,))
        changed = segment.condition != condition
        segment.name, segment.description = rows.checked_name(name), rows.checked_description(description)
        segment.condition = condition
        segment.version += 1
        segment.updated_at = now
        rows.save(segment)
        if changed:
            watches.reconsider(topics={f"segment:{segment.pk}"}, now=now)
        return rows.recount(segment, now)


def rename(*, segment_id: int, version: int, name: str, description: str = "", now: datetime) -> Segment:
    """Change the words of a segment of any kind. Raises what `update` raises about names and versions."""
    with atomic():
        segment = rows.locked(segment_id)
        _require_version(segment, version)
        segment.name, segment.description = rows.checked_name(name), rows.checked_description(description)
        segment.version += 1
        segment.updated_at = now
        rows.save(segment)
        return segment


def patch(
    *,
    segment_id: int,
    version: int,
    name: str | None = None,
    description: str | None = None,
    condition: Any = None,
    excluded_ids: list[int] | None = None,
    now: datetime,
) -> Segment:
    """Change what is given and leave the rest. `excluded_ids` are segments whose members are left out of a dynamic one.

    Raises what `update` raises; for a list, which has no condition, what `rename` raises.
    """
    segment = queries.get(segment_id)
    words = {
        "name": segment.name if name is None else name,
        "description": segment.description if description is None else description,
    }
    if condition is None and excluded_ids is None:
        return rename(segment_id=segment_id, version=version, now=now, **words)
    changed = segment.condition if condition is None else condition
    if excluded_ids is not None:
        changed = rules.with_exclusions(changed, excluded_ids)
    return update(segment_id=segment_id, version=version, condition=changed, now=now, **words)


def snapshot(*, segment_id: int, name: str = "", now: datetime) -> Segment:
    """Freeze who is in a segment now under a new name. Raises `NotFound`, `queries.BrokenSegment`, `Invalid`."""
    with atomic():
        origin = rows.locked(segment_id)
        frozen = rows.new(
            name=name or queries.free_name(f"{origin.name[:44]} {now:%Y-%m-%d}"),
            description=origin.description,
            kind=SegmentKind.SNAPSHOT,
            condition=origin.condition,
            origin=origin,
            now=now,
        )
        rows.save(frozen)
        audience, params = queries.audience_sql(origin, as_of=now)
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO tags_segmentmember (segment_id, member_id) SELECT %s, a.id FROM ({audience}) a",
                [frozen.pk, *params],
            )
            return rows.sized(frozen, cursor.rowcount, now)


def duplicate(*, segment_id: int, now: datetime) -> Segment:
    """A dynamic copy under a free name. Raises `NotFound`, `Conflict` (`not_dynamic`)."""
    with atomic():
        origin = rows.locked(segment_id)
        if origin.condition is None:
            raise Conflict(_("Only dynamic segments have a condition."), code="not_dynamic")
        is_same = origin.kind == SegmentKind.DYNAMIC
        copied = rows.new(
            name=queries.free_name(_("%(name)s (copy)") % {"name": origin.name[:50]}),
            description=origin.description,
            condition=origin.condition,
            member_count=origin.member_count if is_same else None,
            counted_at=origin.counted_at if is_same else None,
            now=now,
        )
        rows.save(copied)
        return copied


def archive(*, segment_id: int, now: datetime) -> Segment:
    """Take a segment out of the lists. What uses it keeps working. Twice changes nothing."""
    with atomic():
        segment = rows.locked(segment_id)
        if segment.archived_at is None:
            segment.archived_at = now
            segment.save(update_fields=["archived_at"])
        return segment


def restore(*, segment_id: int) -> Segment:
    """Put an archived segment back into the lists."""
    with atomic():
        segment = rows.locked(segment_id)
        segment.archived_at = None
        segment.save(update_fields=["archived_at"])
        return segment


def delete(*, segment_id: int, name: str) -> None:
    """Remove a segment that nothing uses, for good; `name` is typed by the person as proof that it is meant.

    Raises `NotFound`, `Invalid` (`wrong_name`), `Conflict` (`in_use`, with what uses it; `in_history`: something that
    has ended still tells of it, so it can only be archived).
    """
    with atomic():
        rows.one_at_a_time()
        segment = rows.locked(segment_id)
        if name.strip() != segment.name:
            raise Invalid(_("The name is not that of the segment."), code="wrong_name", field="name")
        used_by = queries.dependents(segment_id)
        if used_by:
            raise Conflict(
                _("The segment is used by: %(names)s") % {"names": ", ".join(str(one) for one in used_by)},
                code="in_use",
                dependents=[{"kind": one.kind, "name": one.label} for one in used_by],
            )
        watch_id = segment.watch_id
        try:
            segment.delete()
        except ProtectedError as error:
            raise Conflict(
                _("The history of campaigns tells of this segment: it can be archived, not deleted."),
                code="in_history",
            ) from error
        if watch_id is not None:
            watches.discard(watch_id=watch_id)


def recount(*, segment_id: int, now: datetime) -> Segment:
    """Count again and remember it. Raises `NotFound`, `queries.BrokenSegment`."""
    with atomic():
        return rows.recount(rows.locked(segment_id), now)


def follow(*, segment_id: int, now: datetime) -> Segment:
    """From now on note on timelines who enters and leaves. Who is in it already is not noted. Twice changes nothing.

    Raises `NotFound`, `queries.BrokenSegment`, `Conflict` (`never_changes`) for a snapshot.
    """
    with atomic():
        segment = rows.locked(segment_id)
        if segment.kind == SegmentKind.SNAPSHOT:
            raise Conflict(_("Nobody enters or leaves a snapshot."), code="never_changes")
        watch = segment.watch
        if watch is None:
            watch = watches.create(kind=WatchKind.SEGMENT, condition=rules.in_segments([segment.pk]), now=now)
            segment.watch = watch
            segment.save(update_fields=["watch"])
        # Until everyone has been evaluated anew nobody enters: what happened in between is not told late.
        Watch.objects.filter(pk=watch.pk, enabled=False).update(evaluated_at=None)
        watches.enable(watch_id=watch.pk, now=now)
        return segment


def unfollow(*, segment_id: int, now: datetime) -> Segment:
    """Note entries and exits no longer; what is on timelines stays. Twice changes nothing. Raises `NotFound`."""
    with atomic():
        segment = rows.locked(segment_id)
        if segment.watch_id is not None:
            watches.disable(watch_id=segment.watch_id, now=now)
        return segment


def _require_dynamic(segment: Segment) -> None:
    if segment.kind != SegmentKind.DYNAMIC:
        raise Conflict(_("Only dynamic segments have a condition."), code="not_dynamic")


def _require_version(segment: Segment, version: int) -> None:
    if segment.version != version:
        raise Conflict(
            _("Somebody else has saved this segment meanwhile. Your changes are still on this page."),
            code="stale",
            version=segment.version,
        )
