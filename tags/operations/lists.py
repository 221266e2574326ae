"""Tagging the members of a list that somebody pasted or uploaded: phones, e-mails, member numbers, ids."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

from members.operations import imports
from members.operations import lists as files
from members.queries import lists
from members.queries.lists import Unresolved
from members.rules.lists import Entry
from scrm.common import clock, jobs
from scrm.common.access import Actor
from scrm.common.errors import Invalid
from scrm.common.jobs import Progress
from scrm.common.transactions import acting_as, atomic
from tags.operations import bulk

JOB_KIND = "tag_list"
# So many rows are looked up while the person waits; the job looks all of them up.
CHECKED_ROWS = 20_000
# A cell that begins with one of these would be calculated by the spreadsheet that opens the file.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(slots=True)
class Check:
    """What a list's first rows lead to. `is_whole`: there are no further rows."""

    rows: int = 0
    member_ids: set[int] = field(default_factory=set)
    unresolved: list[Unresolved] = field(default_factory=list)
    repeated: int = 0
    is_whole: bool = True


def keep_text(text: str) -> str:
    """Keep a pasted text as a file, one entry to a line; answers its name. Raises `Invalid` (`nothing_given`, …)."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    # The header says that the one column holds whatever there is.
    writer.writerow([_PASTED])
    writer.writerows([entry.named[0][1]] for entry in lists.pasted(text))
    return imports.keep(chunks=[buffer.getvalue().encode("utf-8", "replace")])


_PASTED = "编号"


def keep_file(chunks: Iterable[bytes]) -> str:
    """Keep an uploaded CSV or XLSX file; answers its name. Raises `Invalid` with the file's trouble."""
    return imports.keep(chunks=chunks)


def check(*, file: str, kind: str, actor: Actor) -> Check:
    """Look up the first rows of a kept list. Raises `Invalid`, `NotFound` (`file_gone`)."""
    found = Check()
    for chunk in _chunks(files.entries_of(file, kind=kind)):
        if found.rows >= CHECKED_ROWS:
            found.is_whole = False
            break
        known = lists.resolve(chunk, actor=actor)
        new = set(known.member_ids)
        found.rows += len(chunk)
        found.repeated += known.repeated + len(new & found.member_ids)
        found.member_ids |= new
        found.unresolved += known.unresolved
    if not found.rows:
        raise Invalid(_("The list is empty."), code="nothing_given", field="file")
    return found


def start(
    *,
    file: str,
    kind: str,
    add: Sequence[int],
    remove: Sequence[int],
    reason: str,
    actor: Actor,
    now: datetime,
) -> bulk.Started:
    """Tag the members of a kept list: at once when it is short, else as a job. Raises what `bulk.start` raises."""
    if not add and not remove:
        raise Invalid(_("Choose at least one tag."), code="no_tag", field="tags")
    if set(add) & set(remove):
        raise Invalid(_("A tag is both put on and taken off."), code="contradiction", field="tags")
    found = check(file=file, kind=kind, actor=actor)
    if not found.member_ids and found.is_whole:
        raise Invalid(_("No row of the list leads to a member."), code="nothing_selected", field="file")
    if found.is_whole and len(found.member_ids) <= bulk.AT_ONCE:
        return bulk.Started(
            bulk.by_hand(member_ids=sorted(found.member_ids), add=add, remove=remove, reason=reason, now=now)
        )
    # On nobody: only to refuse now what would fail later.
    bulk.change(member_ids=[], add=add, remove=remove, reason=reason, now=now)
    params = {
        "file": file,
        "kind": kind,
        "add": list(add),
        "remove": list(remove),
        "reason": reason,
        "language": translation.get_language() or settings.LANGUAGE_CODE,
    }
    with atomic():
        bulk.note(add=add, remove=remove, members=len(found.member_ids))
        total = found.rows if found.is_whole else None
        return bulk.Started(
            0, jobs.create(kind=JOB_KIND, label=_("Tag a list"), params=params, actor=actor, total=total).pk
        )


def run(*, actor: Actor, params: dict[str, Any], progress: Progress) -> None:
    """Do the job, from the start or after its last finished chunk; rows that lead to nobody go to the error file."""
    done = progress.checkpoint.get("done", 0)
    counts = dict(progress.checkpoint.get("counts") or {"changed": 0, "unresolved": 0})
    name = f"imports/{progress.job.pk}-unresolved.csv"
    path: Path = settings.MEDIA_ROOT / name
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    size = progress.checkpoint.get("size", 0)
    entries = files.entries_of(params["file"], kind=params["kind"])
    with translation.override(params["language"]), acting_as(actor), path.open("ab") as errors:
        # What was written after the last checkpoint is written again.
        errors.truncate(size)
        if not size:
            errors.write(unresolved_csv([]))
        position = 0
        for chunk in _chunks(entries):
            position += len(chunk)
            if position <= done:
                continue
            found = lists.resolve(chunk, actor=actor)
            counts["changed"] += bulk.change(
                member_ids=found.member_ids,
                add=params["add"],
                remove=params["remove"],
                reason=params["reason"],
                now=clock.now(),
            )
            counts["unresolved"] += len(found.unresolved)
            errors.write(_lines(found.unresolved))
            errors.flush()
            progress.report(
                done=position,
                counts=counts,
                checkpoint={"done": position, "counts": counts, "size": errors.tell()},
            )
    files.discard(params["file"])
    progress.finish_with(result_url="/members/", error_file=name if counts["unresolved"] else "")


def unresolved_csv(rows: Iterable[Unresolved]) -> bytes:
    """The file of rows that lead to nobody, as spreadsheets open it: with a mark of its encoding and a header."""
    header = io.StringIO()
    csv.writer(header).writerow([_("Line"), _("Entry"), _("Why not")])
    return header.getvalue().encode("utf-8-sig") + _lines(rows)


def _lines(rows: Iterable[Unresolved]) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerows([row.line, _safe(row.text), row.label] for row in rows)
    return buffer.getvalue().encode("utf-8", "replace")


def _safe(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA_STARTS) else cell


def _chunks(entries: Iterator[Entry]) -> Iterator[tuple[Entry, ...]]:
    while chunk := tuple(islice(entries, lists.CHUNK)):
        yield chunk
