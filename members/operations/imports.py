"""Files of members, orders and events: kept, run as a job that survives its process, and cleared away.

A batch of rows, its counts, its place in the file and the length of the error file are committed together, so an
import that was killed goes on exactly where it stood. The intake knows orders, refunds and events by their numbers,
so running the same file again changes nothing.
"""

from __future__ import annotations

import csv
import io
import os
import secrets
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any

import msgspec
from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

from members.enums import Rejection
from members.models import ImportMapping, Source
from members.operations import intake
from members.queries import imports as queries
from members.rules import mappings, tables
from members.rules.imports import Batch, Importer, Problem
from members.rules.intake import EventIn, MemberIn, OrderIn, Outcome, RefundIn
from members.rules.mappings import Definition
from members.rules.tables import Row, TableError
from scrm.common import clock, jobs
from scrm.common.access import Actor
from scrm.common.errors import Conflict, NotFound
from scrm.common.jobs import Progress
from scrm.common.models import Job
from scrm.common.transactions import atomic

# A cell that begins with one of these would be calculated by the spreadsheet that opens the error file.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_REPORT_EVERY_ROWS = 2000


def keep(*, chunks: Iterable[bytes]) -> str:
    """Keep an uploaded file under a random name that only this process's user can read.

    Returns the name, relative to MEDIA_ROOT. Raises `Invalid` (too_large, empty_file, not_a_table, damaged_file);
    what was written so far is removed.
    """
    name = f"imports/{secrets.token_hex(16)}"
    path = settings.MEDIA_ROOT / name
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    size = 0
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            for chunk in chunks:
                size += len(chunk)
                if size > settings.IMPORT_MAX_UPLOAD_BYTES:
                    raise TableError("too_large", limit=settings.IMPORT_MAX_UPLOAD_BYTES >> 20)
                stream.write(chunk)
        tables.sniff(path)
    except TableError as error:
        path.unlink(missing_ok=True)
        raise queries.explain(error) from error
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return name


def create(
    *,
    kind: str,
    source_key: str,
    definition: Definition,
    file: str,
    label: str,
    actor: Actor,
    save_as: str = "",
    announced: bool = True,
) -> Job:
    """Queue the import of a kept file, and save its mapping under `save_as` when that is not empty.

    Raises `Invalid` when the mapping is not complete or the source is not a valid key, `Conflict` (name_taken) when
    the name belongs to a built-in mapping.
    """
    queries.check_definition(kind, definition)
    queries.check_source_key(source_key)
    with atomic():
        if save_as:
            _save_mapping(save_as, kind, source_key, definition, actor)
        return jobs.create(
            kind="import",
            label=label[:200],
            params={
                "kind": kind,
                "source": source_key,
                "definition": msgspec.to_builtins(definition),
                "file": file,
                "language": translation.get_language() or settings.LANGUAGE_CODE,
            },
            actor=actor,
            announced=announced,
        )


def _save_mapping(name: str, kind: str, source_key: str, definition: Definition, actor: Actor) -> None:
    if name in mappings.BUILT_IN:
        raise Conflict(_("A built-in mapping has this name."), code="name_taken", field="save_as")
    ImportMapping.objects.update_or_create(
        name=name[:60],
        defaults={
            "kind": kind,
            "source_key": source_key,
            "definition": msgspec.to_builtins(definition),
            "created_by_id": actor.id if actor.kind == "user" else None,
        },
    )


def delete_mapping(*, name: str) -> None:
    """Forget a saved mapping. Raises `NotFound`; built-in ones cannot be deleted."""
    with atomic():
        if not ImportMapping.objects.filter(name=name, built_in=False).delete()[0]:
            raise NotFound(_("There is no such mapping."))


def run(*, params: dict[str, Any], progress: Progress) -> None:
    """Do an import job, from the start or from its checkpoint.

    Guarantees: whole orders only; every row is counted once, as part of something taken or with one reason in the
    error file. Raises `Invalid` with the file's own trouble (damaged_file, missing_columns, …) before a row is taken.
    """
    with translation.override(params["language"]):
        try:
            _Run(params, progress).go()
        except TableError as error:
            raise queries.explain(error) from error


class _Run:
    """One run of one job."""

    def __init__(self, params: dict[str, Any], progress: Progress) -> None:
        self.progress = progress
        self.kind: str = params["kind"]
        self.source: str = params["source"]
        self.definition = msgspec.convert(params["definition"], Definition)
        self.path: Path = settings.MEDIA_ROOT / params["file"]
        if not self.path.is_file():
            raise NotFound(_("The file is no longer there."), code="file_gone")
        self.limits = queries.limits()
        self.counts: dict[str, int] = dict(progress.job.counts)
        self.done: int = progress.checkpoint.get("rows", 0)
        self.errors = ErrorFile(f"{params['file']}-errors.csv", progress.checkpoint.get("error_bytes", 0))

    def go(self) -> None:
        """Survey the file, then take it batch by batch."""
        layout, path = self._layout()
        importer = Importer(
            kind=self.kind, definition=self.definition, source=self.source, header=layout.header, zone=clock.shop_zone()
        )
        survey = tables.survey(path, layout, limits=self.limits, key=importer.key_column)
        self.progress.report(done=self.done, total=survey.rows)
        with atomic():
            Source.objects.get_or_create(key=self.source, defaults={"currency": self.definition.currency})
        try:
            for batch in importer.batches(self._told(tables.read(path, layout)), survey.scattered):
                if batch.end > self.done:
                    self._take(batch, importer, layout.header)
        finally:
            self.errors.close()
            self.progress.finish_with(
                result_url=f"/imports/{self.progress.job.pk}/",
                error_file=self.errors.name if self.errors.length else "",
            )
        self.path.unlink(missing_ok=True)
        path.unlink(missing_ok=True)

    def _layout(self) -> tuple[tables.Layout, Path]:
        """The file's layout, and the file to read: of a workbook, its rows in a form that is read fast."""
        layout, _sample = tables.look(self.path, encoding=self.definition.encoding, limits=self.limits, whole=True)
        if layout.format != "xlsx":
            return layout, self.path
        spooled = self.path.with_suffix(".rows")
        if not spooled.exists():
            tables.spool(self.path, spooled, limits=self.limits, tick=self.progress.report)
        return layout, spooled

    def _told(self, rows: Iterable[Row]) -> Iterable[Row]:
        """The rows; while those from before an interruption are passed over, the job is kept alive."""
        for count, row in enumerate(rows, 1):
            if count % (_REPORT_EVERY_ROWS * 25) == 0 and count < self.done:
                self.progress.report()
            yield row

    def _take(self, batch: Batch, importer: Importer, header: list[str]) -> None:
        counts = dict(self.counts)
        with atomic():
            problems = batch.problems + self._land(batch, importer, counts)
            for problem in problems:
                _add(counts, "rejected", 1)
                _add(counts, f"rejected.{problem.code}", 1)
            counts["rows"] = batch.end
            length = self.errors.write(header, sorted(problems, key=lambda one: one.row.line))
            self.progress.report(done=batch.end, counts=counts, checkpoint={"rows": batch.end, "error_bytes": length})
        self.counts, self.done, self.errors.length = counts, batch.end, length

    def _land(self, batch: Batch, importer: Importer, counts: dict[str, int]) -> list[Problem]:
        """Give the batch's items to the intake, count its answers, and say which rows it refused."""
        problems: list[Problem] = []
        now = clock.now()
        refused: set[int] = set()
        for kind, land, prefix in _LANDINGS:
            chosen = [(index, one) for index, one in enumerate(batch.entries) if isinstance(one.item, kind)]
            if not chosen:
                continue
            outcomes = land(items=[one.item for _index, one in chosen], now=now)
            for (index, entry), outcome in zip(chosen, outcomes, strict=True):
                if outcome.status == "rejected":
                    refused.add(index)
                    column = importer.column(outcome.field)
                    problems.extend(Problem(row, outcome.code, column) for row in entry.rows)
                else:
                    _add(counts, prefix + outcome.status, 1)
        known = [profile for index, profile in batch.profiles if index not in refused]
        if known:
            intake.land_members(items=known, now=now)
        return problems


_LANDINGS: tuple[tuple[type, Callable[..., list[Outcome]], str], ...] = (
    (MemberIn, intake.land_members, ""),
    (OrderIn, intake.land_orders, ""),
    (RefundIn, intake.land_refunds, "refunds."),
    (EventIn, intake.land_events, ""),
)


def _add(counts: dict[str, int], name: str, number: int) -> None:
    counts[name] = counts.get(name, 0) + number


class ErrorFile:
    """The rows that were not taken, as CSV for a spreadsheet: where, why, and the row as it was.

    What was written after the last commit is cut off when an import goes on or ends.
    """

    def __init__(self, name: str, length: int) -> None:
        self.name = name
        self.length = length
        self._path: Path = settings.MEDIA_ROOT / name
        self._stream: IO[bytes] | None = None

    def write(self, header: list[str], problems: list[Problem]) -> int:
        """Append; returns the length that counts once the transaction commits."""
        if not problems:
            return self.length
        stream = self._open()
        stream.seek(self.length)
        stream.truncate()
        text = io.StringIO()
        writer = csv.writer(text)
        if not self.length:
            text.write("\ufeff")
            writer.writerow(["line", "field", "code", "message", *map(_safe, header)])
        for problem in problems:
            label = str(Rejection(problem.code).label)
            writer.writerow(
                [problem.row.line, _safe(problem.column), problem.code, label, *map(_safe, problem.row.cells)]
            )
        encoded = text.getvalue().encode("utf-8", "replace")
        stream.write(encoded)
        stream.flush()
        return self.length + len(encoded)

    def close(self) -> None:
        """Leave exactly what was committed."""
        if self._stream is not None:
            self._stream.truncate(self.length)
            self._stream.close()
            self._stream = None
        if not self.length:
            self._path.unlink(missing_ok=True)

    def _open(self) -> IO[bytes]:
        if self._stream is None:
            self._stream = os.fdopen(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600), "r+b")
        return self._stream


def _safe(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA_STARTS) else cell


def remove_old(*, now: datetime) -> int:
    """Delete files that no open job needs and that are older than `IMPORT_KEEP_DAYS` days. Returns how many."""
    oldest = (now - timedelta(days=settings.IMPORT_KEEP_DAYS)).timestamp()
    busy = queries.files_in_use()
    removed = 0
    for path in (settings.MEDIA_ROOT / "imports").glob("*"):
        if path.name.partition("-")[0].partition(".")[0] not in busy and path.stat().st_mtime < oldest:
            path.unlink(missing_ok=True)
            removed += 1
    return removed
