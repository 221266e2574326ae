"""What the three import commands share: a file is imported in the foreground, exactly as the worker would."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from django.core.management.base import BaseCommand, CommandError, CommandParser

from members import tasks  # noqa: F401  # registers the handler of import jobs
from members.operations import imports
from members.queries import imports as queries
from members.rules import mappings
from members.rules.mappings import Definition
from scrm.common import jobs
from scrm.common.access import SYSTEM
from scrm.common.errors import DomainError
from scrm.common.models import Job
from scrm.common.models.jobs import JobState

_CHUNK = 1 << 20
_SECONDS_BETWEEN_REPORTS = 1.0


class ImportCommand(BaseCommand):
    """Import a CSV (plain or gzip) or XLSX file."""

    kind: ClassVar[str]

    def add_arguments(self, parser: CommandParser) -> None:
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        parser.add_argument("file", type=Path, help="CSV, gzipped CSV or XLSX; what it is, is read from its content")
        parser.add_argument("--mapping", default="", help="a saved or built-in mapping; default: guess from the header")
        parser.add_argument("--source", default="", help="key of the source; default: the mapping's, or import")

    def handle(self, *_args: Any, **options: Any) -> None:
        path: Path = options["file"]
        try:
            job = self._create(path, options["mapping"], options["source"])
        except DomainError as error:
            raise CommandError(f"{error} ({error.code})") from error
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror}") from error
        self._shown_at = 0.0
        self._total: int | None = None
        jobs.run(job_id=job.pk, watch=self._show)
        job.refresh_from_db()
        self.stderr.write("")
        if job.state != JobState.SUCCEEDED:
            raise CommandError(f"{job.get_state_display()}: {job.error} ({job.error_code})")
        for line in self._summary(job):
            self.stdout.write(line)

    def _create(self, path: Path, mapping_name: str, source: str) -> Job:
        definition: Definition | None = None
        if mapping_name:
            mapping = queries.mapping(mapping_name)
            if mapping.kind != self.kind:
                raise CommandError(f"The mapping {mapping_name} is for {mapping.kind}.")
            definition, source = mapping.definition, source or mapping.source_key
        file = imports.keep(chunks=_chunks(path))
        if definition is None:
            layout, _rows = queries.look(file=file)
            definition = Definition(columns=mappings.guess(self.kind, layout.header))
        return imports.create(
            kind=self.kind,
            source_key=source or "import",
            definition=definition,
            file=file,
            label=path.name,
            actor=SYSTEM,
            announced=False,
        )

    def _show(self, values: dict[str, Any]) -> None:
        self._total = values.get("total", self._total)
        if "done" not in values or time.monotonic() - self._shown_at < _SECONDS_BETWEEN_REPORTS:
            return
        self._shown_at = time.monotonic()
        done = values["done"]
        share = f" ({done * 100 // self._total}%)" if self._total else ""
        self.stderr.write(f"{done:,} of {self._total or 0:,} rows{share}")

    def _summary(self, job: Job) -> Iterator[str]:
        counts = job.counts
        yield f"Job {job.pk}: {counts.get('rows', 0)} rows read"
        for name in ("accepted", "updated", "duplicate", "ignored"):
            yield f"{name}: {counts.get(name, 0)} {self.kind}"
        for name in ("accepted", "duplicate"):
            if f"refunds.{name}" in counts:
                yield f"{name}: {counts[f'refunds.{name}']} refunds"
        yield f"rejected: {counts.get('rejected', 0)} rows"
        for code, label, number in queries.rejected_rows(job):
            yield f"  {code}: {number} ({label})"
        if job.error_file:
            yield f"Rejected rows: {queries.path_of(job.error_file)}"


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk
