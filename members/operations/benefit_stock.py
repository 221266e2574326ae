"""Deliveries of partners' codes: over the API in batches, or as a file in the background.

Each code is taken or refused for itself, with a typed reason. A code is known by its digest: delivered again, in the
same file or in another one, it is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection
from django.utils import translation
from django.utils.translation import gettext as _

from members.enums import BenefitKind, BenefitState, Rejection
from members.models import Benefit
from members.operations import benefit_owed, columns
from members.operations.imports import ErrorFile
from members.queries import imports as import_queries
from members.rules import partner_codes, tables
from members.rules.imports import Problem
from members.rules.rejections import ItemRejected
from members.rules.tables import Row, TableError
from scrm.common import clock, encryption, jobs
from scrm.common.access import Actor
from scrm.common.errors import Conflict, Invalid, NotFound
from scrm.common.jobs import Progress
from scrm.common.models import Job
from scrm.common.transactions import atomic

JOB_KIND = "benefit_codes"
MOST_AT_ONCE = 1_000
_DIGEST = "benefit_code"


class CodeIn(NamedTuple):
    code: str
    expires_on: str = ""


class Taken(NamedTuple):
    """What became of one code: accepted, or rejected with a `Rejection` and the field at fault."""

    status: str
    code: str = ""
    field: str = ""


def add(*, benefit_id: int, codes: Sequence[CodeIn], batch: str, now: datetime) -> list[Taken]:
    """Take codes into the stock of a benefit; answers in their order. `batch` names the delivery.

    Rewards that wait for a code get theirs before anybody else.

    Raises `NotFound` (`unknown_benefit`), `Conflict` (`no_stock`, `ended`), `Invalid` (`bad_batch`).
    """
    if not 1 <= len(batch) <= 60 or not batch.isprintable():
        raise Invalid(_("A delivery is named by 1 to 60 characters."), code="bad_batch", field="batch")
    with atomic():
        _stocked(benefit_id)
        today = clock.shop_date(now)
        answers: list[Taken | None] = []
        read: dict[str, tuple[int, str, date | None]] = {}
        for place, given in enumerate(codes):
            try:
                code = partner_codes.read_code(given.code)
                expires_on = partner_codes.read_expiry(given.expires_on, today=today)
                digest = encryption.blind_index(_DIGEST, code)
                if digest in read:
                    raise ItemRejected(Rejection.CODE_TWICE, "code")
                read[digest] = (place, code, expires_on)
            except ItemRejected as error:
                answers.append(Taken("rejected", error.code.value, error.field or "expires_on"))
            else:
                answers.append(None)
        known = _insert(benefit_id, read, batch, now)
        for digest, (place, _code, _expires_on) in read.items():
            if digest in known:
                why = Rejection.CODE_TWICE if known[digest] == batch else Rejection.KNOWN_CODE
                answers[place] = Taken("rejected", why.value, "code")
        if len(known) < len(read):
            benefit_owed.give(benefit_id=benefit_id, limit=len(read) - len(known), now=now)
        return [answer or Taken("accepted") for answer in answers]


def start(*, benefit_id: int, file: str, label: str, actor: Actor) -> Job:
    """Queue the import of a kept file (`imports.keep`) with a column of codes, and perhaps one of their last days.

    Raises `NotFound`, `Conflict` as `add` does, `Invalid` (`no_code_column`, and the file's own trouble).
    """
    _stocked(benefit_id)
    layout, _rows = import_queries.look(file=file)
    if partner_codes.columns(layout.header) is None:
        raise Invalid(_("One column has to be called “code” or “券码”."), code="no_code_column", field="file")
    params = {
        "benefit": benefit_id, "file": file, "name": label[:200],
        "language": translation.get_language() or settings.LANGUAGE_CODE,
    }  # fmt: skip
    return jobs.create(kind=JOB_KIND, label=label[:200], params=params, actor=actor)


def run(*, params: dict[str, Any], progress: Progress) -> None:
    """Do an import of codes, from the start or from its checkpoint: every row is taken or in the error file."""
    with translation.override(params["language"]):
        path: Path = settings.MEDIA_ROOT / params["file"]
        if not path.is_file():
            raise NotFound(_("The file is no longer there."), code="file_gone")
        try:
            _take_file(path, params, progress)
        except TableError as error:
            raise import_queries.explain(error) from error
        path.unlink(missing_ok=True)


def _take_file(path: Path, params: dict[str, Any], progress: Progress) -> None:
    limits = import_queries.limits()
    layout, _sample = tables.look(path, limits=limits, whole=True)
    places = partner_codes.columns(layout.header)
    if places is None:
        raise Invalid(_("One column has to be called “code” or “券码”."), code="no_code_column", field="file")
    readable = path
    if layout.format == "xlsx":
        readable = path.with_suffix(".rows")
        if not readable.exists():
            tables.spool(path, readable, limits=limits, tick=progress.report)
    total = tables.survey(readable, layout, limits=limits).rows
    done = int(progress.checkpoint.get("rows", 0))
    errors = ErrorFile(f"{params['file']}-errors.csv", progress.checkpoint.get("error_bytes", 0))
    counts = {"accepted": 0, "rejected": 0} | dict(progress.job.counts)
    progress.report(done=done, total=total)
    try:
        for end, rows in _batches(tables.read(readable, layout)):
            if end <= done:
                continue
            with atomic():
                problems = _take_rows(rows, places, len(layout.header), params["benefit"], progress.job.pk)
                counts["rejected"] += len(problems)
                counts["accepted"] += len(rows) - len(problems)
                errors.length = errors.write(layout.header, problems)
                progress.report(
                    done=end, counts=counts, checkpoint={"rows": end, "error_bytes": errors.length}
                )  # fmt: skip
    finally:
        errors.close()
        progress.finish_with(
            result_url=f"/benefits/{params['benefit']}/?tab=stock", error_file=errors.name if errors.length else ""
        )
    if readable != path:
        readable.unlink(missing_ok=True)


def _take_rows(
    rows: Sequence[Row], places: partner_codes.Columns, width: int, benefit_id: int, job_id: int
) -> list[Problem]:
    problems = [Problem(row, Rejection.WRONG_COLUMNS.value, "") for row in rows if len(row.cells) > width]
    fitting = [row for row in rows if len(row.cells) <= width]
    given = [
        CodeIn(_cell(row, places.code), "" if places.expiry is None else _cell(row, places.expiry)) for row in fitting
    ]
    answers = add(benefit_id=benefit_id, codes=given, batch=f"job:{job_id}", now=clock.now())
    problems += [
        Problem(row, answer.code, answer.field)
        for row, answer in zip(fitting, answers, strict=True)
        if answer.status == "rejected"
    ]
    return sorted(problems, key=lambda problem: problem.row.line)


def _cell(row: Row, place: int) -> str:
    return row.cells[place] if place < len(row.cells) else ""


def _batches(rows: Iterator[Row]) -> Iterator[tuple[int, list[Row]]]:
    """Rows in batches, each with the number of the last."""
    batch: list[Row] = []
    count = 0
    for count, row in enumerate(rows, 1):
        batch.append(row)
        if len(batch) == MOST_AT_ONCE:
            yield count, batch
            batch = []
    if batch:
        yield count, batch


def _stocked(benefit_id: int) -> Benefit:
    benefit = Benefit.objects.filter(pk=benefit_id).first() if 0 < benefit_id < 2**63 else None
    if benefit is None:
        raise NotFound(_("There is no such benefit."), code="unknown_benefit")
    if benefit.kind != BenefitKind.PARTNER_CODE:
        raise Conflict(_("Only benefits with partner codes have a stock."), code="no_stock")
    if benefit.state == BenefitState.ENDED:
        raise Conflict(_("It has ended."), code="ended")
    return benefit


def _insert(
    benefit_id: int, read: dict[str, tuple[int, str, date | None]], batch: str, now: datetime
) -> dict[str, str]:
    """Add what is new; answers what is not, with the delivery that it came in."""
    if not read:
        return {}
    digests = sorted(read)  # in one order, so that deliveries at the same time wait instead of deadlocking
    ends = [None if read[digest][2] is None else clock.day_end(read[digest][2]) for digest in digests]  # type: ignore[arg-type]  # not None
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH given AS (
                SELECT * FROM unnest({columns.TEXTS}, %s::bytea[], {columns.TEXTS}, %s::timestamptz[])
                              AS t (digest, sealed, hint, expires_at)),
            added AS (
                INSERT INTO members_benefitcode (benefit_id, digest, sealed, hint, state, batch, expires_at, added_at)
                SELECT %s, digest, sealed, COALESCE(hint, ''), 'free', %s, expires_at, %s FROM given ORDER BY digest
                ON CONFLICT DO NOTHING RETURNING digest)
            SELECT digest FROM added
            """,
            [
                columns.texts(digests),
                [encryption.seal(read[digest][1]) for digest in digests],
                columns.texts(read[digest][1][-4:] if len(read[digest][1]) >= 8 else "" for digest in digests),
                columns.instants(ends),
                benefit_id, batch, now,
            ],
        )  # fmt: skip
        added = {row[0] for row in cursor.fetchall()}
        missing = [digest for digest in digests if digest not in added]
        cursor.execute(
            "SELECT digest, batch FROM members_benefitcode WHERE benefit_id = %s AND digest = ANY(%s)",
            [benefit_id, missing],
        )
        return dict(cursor.fetchall())
