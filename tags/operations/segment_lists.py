"""Lists of members: made by hand, filled from the member list or from a file, changed one by one."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import translation
from django.utils.translation import gettext as _

from members.operations import lists as files
from members.operations.exports import safe_cell
from members.queries import lists
from members.queries.lists import Unresolved
from members.rules.lists import Entry
from scrm.common import clock, jobs
from scrm.common.access import Actor
from scrm.common.errors import Conflict, Invalid
from scrm.common.jobs import Progress
from scrm.common.models import Job
from scrm.common.transactions import acting_as, atomic
from tags.enums import LISTS, SegmentKind
from tags.models import Segment
from tags.operations import bulk
from tags.operations import segment_rows as rows
from tags.operations.lists import CHECKED_ROWS, check

FILL_KIND = "segment_fill"
IMPORT_KIND = "segment_import"
# So many members are added while the person waits.
AT_ONCE = 20_000


@dataclass(frozen=True, slots=True)
class Started:
    """What became of the request: so many members changed, or handed to a job."""

    segment: Segment
    changed: int
    job: Job | None = None


def create(*, name: str, description: str = "", kind: str = SegmentKind.STATIC, now: datetime) -> Segment:
    """An empty list. Raises `Invalid` (`name_taken`, `bad_name`, `bad_description`, `bad_kind`)."""
    if kind not in LISTS:
        raise Invalid(_("Not a known value."), code="bad_kind", field="kind")
    with atomic():
        segment = rows.new(name=name, description=description, kind=kind, now=now)
        rows.save(segment)
        return rows.sized(segment, 0, now)


def add(*, segment_id: int, member_ids: Collection[int], now: datetime) -> int:
    """Put active members on a list; how many were not on it. Adding them again changes nothing.

    The caller has limited `member_ids` to those the actor sees. Raises `NotFound`, `Conflict` (`not_a_list`).
    """
    with atomic():
        segment = _locked_list(segment_id)
        with connection.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO tags_segmentmember (segment_id, member_id)
                SELECT %s, m.id FROM members_member m WHERE m.id = ANY(%s) AND m.status = 'active' ORDER BY m.id
                ON CONFLICT DO NOTHING RETURNING member_id
                """,
                [segment_id, sorted(set(member_ids))],
            )
            added = [row[0] for row in cursor.fetchall()]
        _changed(segment, added, len(added), now)
        return len(added)


def remove(*, segment_id: int, member_ids: Collection[int], now: datetime) -> int:
    """Take members off a list; how many were on it. Raises `NotFound`, `Conflict` (`not_a_list`)."""
    with atomic():
        segment = _locked_list(segment_id)
        with connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM tags_segmentmember WHERE segment_id = %s AND member_id = ANY(%s) RETURNING member_id",
                [segment_id, sorted(set(member_ids))],
            )
            gone = [row[0] for row in cursor.fetchall()]
        _changed(segment, gone, -len(gone), now)
        return len(gone)


def start_fill(
    *, actor: Actor, segment_id: int, member_ids: Collection[int], query: str | None, now: datetime
) -> Started:
    """Add a selection of the member list: its ids, or all that its query matches. A large one becomes a job.

    Raises `NotFound`, `Conflict` (`not_a_list`), `Invalid` (`nothing_selected`; or what the list refuses).
    """
    chosen = bulk.selection(actor=actor, member_ids=member_ids, query=query)
    ids = list(chosen.order_by("pk").values_list("pk", flat=True)[: AT_ONCE + 1])
    if not ids:
        raise Invalid(_("No member is selected."), code="nothing_selected", field="id")
    if len(ids) <= AT_ONCE:
        with atomic():
            changed = add(segment_id=segment_id, member_ids=ids, now=now)
            return Started(rows.locked(segment_id), changed)
    with atomic():
        segment = _locked_list(segment_id)
        job = jobs.create(
            kind=FILL_KIND,
            label=_("Add members to “%(name)s”") % {"name": segment.name},
            params={"segment_id": segment_id, "query": query, "member_ids": sorted(member_ids)},
            actor=actor,
        )
        return Started(segment, 0, job)


def fill_new(*, name: str, actor: Actor, member_ids: Collection[int], query: str | None, now: datetime) -> Started:
    """The same into a new list. Raises also what `create` raises; then there is no list."""
    with atomic():
        segment = create(name=name, now=now)
        return start_fill(actor=actor, segment_id=segment.pk, member_ids=member_ids, query=query, now=now)


def fill(*, actor: Actor, params: dict[str, Any], progress: Progress) -> None:
    """Do a fill job as the person who asked. Safe to run twice: who is on the list stays on it."""
    segment_id = params["segment_id"]
    chosen = bulk.selection(actor=actor, member_ids=params["member_ids"], query=params["query"])
    ids = list(chosen.order_by("pk").values_list("pk", flat=True))
    added = 0
    progress.report(done=0, total=len(ids))
    with acting_as(actor):
        for start in range(0, len(ids), AT_ONCE):
            added += add(segment_id=segment_id, member_ids=ids[start : start + AT_ONCE], now=clock.now())
            progress.report(done=min(start + AT_ONCE, len(ids)), counts={"added": added})
    progress.finish_with(result_url=f"/segments/{segment_id}/")


def start_import(
    *, actor: Actor, segment_id: int, file: str, kind: str = "", label: str = "", now: datetime
) -> Started:
    """Add the members of a kept list (see `tags.operations.lists`). A short one is taken before this returns.

    The rows that lead to nobody are counted, and are in the job's error file. Raises `NotFound` (also `file_gone`),
    `Conflict` (`not_a_list`), `Invalid` (`nothing_given`, `unknown_kind`, and the file's own trouble).
    """
    found = check(file=file, kind=kind, actor=actor)
    with atomic():
        segment = _locked_list(segment_id)
        job = jobs.create(
            kind=IMPORT_KIND,
            label=_("List for “%(name)s”") % {"name": segment.name} + (f" · {label[:80]}" if label else ""),
            params={
                "segment_id": segment_id,
                "file": file,
                "kind": kind,
                "language": translation.get_language() or settings.LANGUAGE_CODE,
            },
            actor=actor,
            total=found.rows if found.is_whole else None,
            announced=not _is_short(found.rows),
        )
    if _is_short(found.rows):
        params = job.params
        jobs.run(
            job_id=job.pk,
            handler=lambda _job_id, progress: run_import(actor=actor, params=params, progress=progress),
        )
        job.refresh_from_db()
    return Started(segment, job.counts.get("added", 0), job)


def import_new(
    *, name: str, description: str = "", actor: Actor, file: str, kind: str = "", label: str = "", now: datetime
) -> Started:
    """The same into a new imported list. Raises also what `create` raises; a file that cannot be read makes none."""
    check(file=file, kind=kind, actor=actor)
    segment = create(name=name, description=description, kind=SegmentKind.IMPORTED, now=now)
    return start_import(actor=actor, segment_id=segment.pk, file=file, kind=kind, label=label, now=now)


def _is_short(row_count: int) -> bool:
    return row_count < CHECKED_ROWS // 4


def run_import(*, actor: Actor, params: dict[str, Any], progress: Progress) -> None:
    """Do an import job, from the start or after its last finished chunk."""
    done, size = progress.checkpoint.get("done", 0), progress.checkpoint.get("size", 0)
    counts = dict(progress.checkpoint.get("counts") or {"rows": 0, "added": 0, "known": 0, "unresolved": 0})
    name = f"imports/{progress.job.pk}-unresolved.csv"
    path: Path = settings.MEDIA_ROOT / name
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    entries = files.entries_of(params["file"], kind=params["kind"])
    with translation.override(params["language"]), acting_as(actor), path.open("ab") as errors:
        path.chmod(0o600)
        # What was written after the last checkpoint is written again.
        errors.truncate(size)
        if not size:
            errors.write(_csv([[_("Line"), _("Entry"), _("Why not")]]).encode("utf-8-sig"))
        position = 0
        for chunk in _chunks(entries):
            position += len(chunk)
            if position <= done:
                continue
            found = lists.resolve(chunk, actor=actor)
            added = add(segment_id=params["segment_id"], member_ids=found.member_ids, now=clock.now())
            counts["rows"] += len(chunk)
            counts["added"] += added
            counts["known"] += len(chunk) - len(found.unresolved) - added
            counts["unresolved"] += len(found.unresolved)
            errors.write(_lines(found.unresolved))
            errors.flush()
            checkpoint = {"done": position, "counts": counts, "size": errors.tell()}
            progress.report(done=position, counts=counts, checkpoint=checkpoint)
    if not position:
        raise Invalid(_("The list is empty."), code="nothing_given", field="file")
    files.discard(params["file"])
    progress.finish_with(
        result_url=f"/segments/{params['segment_id']}/", error_file=name if counts["unresolved"] else ""
    )


def _lines(unresolved: Iterable[Unresolved]) -> bytes:
    return _csv([row.line, safe_cell(row.text), row.label] for row in unresolved).encode("utf-8", "replace")


def _csv(lines: Iterable[list[Any]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerows(lines)
    return buffer.getvalue()


def _chunks(entries: Iterator[Entry]) -> Iterator[tuple[Entry, ...]]:
    while chunk := tuple(islice(entries, lists.CHUNK)):
        yield chunk


def _locked_list(segment_id: int) -> Segment:
    segment = rows.locked(segment_id)
    if segment.kind not in LISTS:
        raise Conflict(_("Members are added to lists only."), code="not_a_list")
    return segment


def _changed(segment: Segment, member_ids: list[int], difference: int, now: datetime) -> None:
    if not member_ids:
        return
    segment.updated_at = now
    segment.save(update_fields=["updated_at"])
    if segment.member_count is None:
        rows.recount(segment, now)
    else:
        rows.sized(segment, segment.member_count + difference, now)
    rows.members_changed(segment, member_ids, now)
