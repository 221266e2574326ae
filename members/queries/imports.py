"""What the import pages and commands ask: saved mappings, a first look at a file, the jobs and their results."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import msgspec
from django.conf import settings
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from members.enums import Rejection
from members.models import ImportMapping, Source
from members.rules import imports, intake, mappings, tables
from members.rules.imports import Importer, Problem
from members.rules.mappings import Definition, NamedMapping
from members.rules.rejections import LATEST_AHEAD, ItemRejected
from members.rules.tables import Layout, Limits, Row, TableError
from scrm.common import clock
from scrm.common.access import Actor, DataScope
from scrm.common.errors import Invalid, NotFound
from scrm.common.models import Job
from scrm.common.models.jobs import JobState

_MESSAGES = {
    "empty_file": gettext_lazy("The file is empty."),
    "no_rows": gettext_lazy("The file has a header but no rows."),
    "no_header": gettext_lazy("The first row is empty; it has to name the columns."),
    "not_a_table": gettext_lazy("This is not a CSV, gzipped CSV or XLSX file."),
    "damaged_file": gettext_lazy("The file is damaged and cannot be read to its end."),
    "too_large": gettext_lazy("The file is larger than %(limit)s MiB."),
    "too_many_rows": gettext_lazy("The file has more than %(limit)s rows."),
    "too_many_columns": gettext_lazy("The file has more than %(limit)s columns."),
    "unclosed_quote": gettext_lazy("A quotation mark that is opened on line %(line)s is never closed."),
    "missing_columns": gettext_lazy("The file does not have the columns: %(columns)s."),
    "duplicate_columns": gettext_lazy("The file has these columns more than once: %(columns)s."),
    "not_in_order": gettext_lazy("The rows of an order are too far apart; sort the file by order number."),
}
_PROBLEMS = {
    "unknown_fields": gettext_lazy("There are no such fields: %(fields)s."),
    "field_twice": gettext_lazy("Two columns cannot be the same field: %(fields)s."),
    "missing_fields": gettext_lazy("These fields need a column: %(fields)s."),
    "no_member_column": gettext_lazy("One column has to say which member: phone, e-mail or member number."),
    "incomplete_lines": gettext_lazy("An order needs its amount, or product code, quantity and unit price together."),
}


def explain(error: TableError) -> Invalid:
    """The error that people see for a file's trouble; `code` stays."""
    return Invalid(str(_MESSAGES[error.code]) % error.values, code=error.code, field="file")


def limits() -> Limits:
    """How much of a file is read, by the settings."""
    return Limits(unpacked_bytes=settings.IMPORT_MAX_UNPACKED_BYTES, rows=settings.IMPORT_MAX_ROWS)


def check_definition(kind: str, definition: Definition) -> None:
    """Raise `Invalid` when the mapping cannot work for this kind."""
    if kind not in mappings.FIELDS:
        raise Invalid(_("There is no such kind of import."), code="unknown_kind", field="kind")
    problem = mappings.problem(kind, definition.columns)
    if problem is not None:
        code, fields = problem
        raise Invalid(str(_PROBLEMS[code]) % {"fields": ", ".join(fields)}, code=code, field="columns", fields=fields)


def check_source_key(key: str) -> None:
    """Raise `Invalid` when this cannot be a source's key."""
    try:
        msgspec.convert(key, intake.Key)
    except msgspec.ValidationError as error:
        raise Invalid(
            _("A source is named by up to 40 letters, digits, dots, dashes and underscores."),
            code="bad_source", field="source",
        ) from error  # fmt: skip


def saved_mappings() -> list[NamedMapping]:
    """Every mapping by name, the built-in ones first."""
    return [*mappings.BUILT_IN.values()] + [_named(row) for row in ImportMapping.objects.order_by("name")]


def mapping(name: str) -> NamedMapping:
    """The mapping of that name. Raises `NotFound`."""
    if name in mappings.BUILT_IN:
        return mappings.BUILT_IN[name]
    row = ImportMapping.objects.filter(name=name).first()
    if row is None:
        raise NotFound(_("There is no mapping called %(name)s.") % {"name": name}, code="unknown_mapping")
    return _named(row)


def _named(row: ImportMapping) -> NamedMapping:
    definition = msgspec.convert(row.definition, Definition)
    return NamedMapping(row.name, row.kind, row.source_key, definition, row.built_in)


def source_keys() -> list[str]:
    """The keys of the sources there are."""
    return list(Source.objects.order_by("key").values_list("key", flat=True)[:200])


def source_id(key: str) -> int | None:
    """The id of a source, None before its first fact."""
    return Source.objects.filter(key=key).values_list("pk", flat=True).first()


def path_of(file: str) -> Path:
    """Where a kept file is. Raises `NotFound` (file_gone) when it was cleared away."""
    path: Path = settings.MEDIA_ROOT / file
    if not path.is_file():
        raise NotFound(_("The file is no longer there."), code="file_gone")
    return path


def look(*, file: str, encoding: str = "", sample: int = 5) -> tuple[Layout, list[Row]]:
    """The layout and the first rows of a kept file. Raises `Invalid` with the file's trouble."""
    try:
        return tables.look(path_of(file), encoding=encoding, limits=limits(), sample=sample)
    except TableError as error:
        raise explain(error) from error


@dataclass(slots=True)
class Trial:
    """What a dry run over a file's first rows found. `items` are orders, members or events."""

    rows: int = 0
    items: int = 0
    problems: list[Problem] = field(default_factory=list)

    @property
    def by_reason(self) -> list[tuple[str, int]]:
        """(label, rows), most frequent first."""
        counted: dict[str, int] = {}
        for problem in self.problems:
            counted[problem.code] = counted.get(problem.code, 0) + 1
        ordered = sorted(counted.items(), key=lambda one: -one[1])
        return [(str(Rejection(code).label), number) for code, number in ordered]


def try_out(*, file: str, kind: str, source_key: str, definition: Definition, rows: int, now: datetime) -> Trial:
    """Read the first `rows` rows as the import would, without writing. What only the database knows is not checked.

    Raises `Invalid` with the mapping's or the file's trouble.
    """
    check_definition(kind, definition)
    check_source_key(source_key)
    trial = Trial()
    try:
        path = path_of(file)
        layout, sample = tables.look(path, encoding=definition.encoding, limits=limits(), sample=rows)
        importer = Importer(
            kind=kind, definition=definition, source=source_key, header=layout.header, zone=clock.shop_zone()
        )
        given = [_padded(row, len(layout.header)) if layout.format == "xlsx" else row for row in sample if row.cells]
        for batch in importer.batches(given):
            trial.rows = batch.end
            trial.items += len(batch.entries)
            trial.problems += batch.problems
            for entry in batch.entries:
                try:
                    imports.check(entry.item, latest=now + LATEST_AHEAD)
                except ItemRejected as error:
                    column = importer.column(error.field)
                    trial.problems += [Problem(row, error.code.value, column) for row in entry.rows]
    except TableError as error:
        raise explain(error) from error
    trial.problems.sort(key=lambda one: one.row.line)
    return trial


def _padded(row: Row, width: int) -> Row:
    return Row(row.line, row.cells + [""] * (width - len(row.cells)))


def jobs_of(actor: Actor) -> QuerySet[Job]:
    """The imports that an actor may see, newest first: all of them, or with a narrower data scope their own."""
    found = Job.objects.filter(kind="import").select_related("created_by").order_by("-id")
    if actor.scope == DataScope.ALL:
        return found
    return found.filter(created_by_id=actor.id if actor.kind == "user" else None, created_by__isnull=False)


def job_of(actor: Actor, job_id: int) -> Job:
    """One import. Raises `NotFound`."""
    job = jobs_of(actor).filter(pk=job_id).first()
    if job is None:
        raise NotFound(_("There is no such import."))
    return job


def rejected_rows(job: Job) -> list[tuple[str, str, int]]:
    """(code, label, rows) of a job's counts, most frequent first."""
    found = []
    for name, number in job.counts.items():
        head, _dot, code = name.partition(".")
        if head == "rejected" and code:
            found.append((code, str(Rejection(code).label), number))
    return sorted(found, key=lambda one: -one[2])


def files_in_use() -> set[str]:
    """Names (without folder) of files that a queued or running import still reads, or that one can show."""
    kept = Job.objects.filter(kind="import", state__in=[JobState.QUEUED, JobState.RUNNING])
    return {str(params["file"]).rpartition("/")[2] for params in kept.values_list("params", flat=True)}
