"""Small files for the import tests, run the way a command runs them."""

from __future__ import annotations

import csv
import io
from typing import Any

from django.conf import settings

from members import tasks  # noqa: F401  # registers the handler
from members.operations import imports
from members.queries import imports as queries
from members.rules import mappings
from members.rules.mappings import Definition
from scrm.common import jobs
from scrm.common.access import SYSTEM
from scrm.common.models import Job


def as_csv(*rows: list[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def create(content: bytes, *, kind: str = "orders", mapping: str = "", source: str = "", **options: Any) -> Job:
    """A queued import of these bytes; without a mapping the columns are guessed."""
    file = imports.keep(chunks=[content])
    if mapping:
        named = queries.mapping(mapping)
        definition, source = named.definition, source or named.source_key
    else:
        layout, _rows = queries.look(file=file, encoding=options.get("encoding", ""))
        columns = options.pop("columns", None) or mappings.guess(kind, layout.header)
        definition = Definition(columns=columns, **options)
    return imports.create(
        kind=kind, source_key=source or "shop", definition=definition, file=file, label="test.csv",
        actor=SYSTEM, announced=False,
    )  # fmt: skip


def run(content: bytes, **options: Any) -> Job:
    """The finished job."""
    return finish(create(content, **options))


def finish(job: Job) -> Job:
    jobs.run(job_id=job.pk)
    job.refresh_from_db()
    return job


def errors(job: Job) -> list[list[str]]:
    """The error file: [line, field, code] of each row, without the header."""
    if not job.error_file:
        return []
    return [row[:3] for row in error_rows(job)[1:]]


def error_rows(job: Job) -> list[list[str]]:
    """The error file as it is."""
    path = settings.MEDIA_ROOT / job.error_file
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.reader(stream))
