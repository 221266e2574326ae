"""The ledger of everybody as a file: what a search selects, streamed, safe to open in a spreadsheet, and on record."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

from members.models import PointsEntry
from members.operations.exports import safe_cell
from members.queries import points_ledger, points_words
from scrm.common import audit, clock, jobs
from scrm.common.access import Actor, Permission
from scrm.common.errors import Forbidden
from scrm.common.models import Job
from scrm.common.transactions import atomic

KIND = "points_export"
_CHUNK = 2_000
_DAYS = ("booked_after", "booked_before")


def start(*, actor: Actor, search: Mapping[str, Any]) -> Job:
    """Queue an export of what a search (see `points_ledger.narrow`) selects. Raises `Forbidden`."""
    if not actor.may(Permission.EXPORT):
        raise Forbidden(_("You may not export lists."))
    kept = {name: _kept(value) for name, value in search.items() if value}
    return jobs.create(
        kind=KIND,
        label=_("Export of the points ledger"),
        params={"search": kept, "language": translation.get_language()},
        actor=actor,
    )


def write(*, actor: Actor, job: Job, progress: jobs.Progress) -> Path:
    """Write the file of an export job, as the person who asked may see the members at this moment.

    Memory does not grow with the ledger. The export is on the audit log with its search and the number of rows.
    """
    if not actor.may(Permission.EXPORT) or not actor.may(Permission.LOYALTY_VIEW):
        raise Forbidden(_("You may not export lists."))
    search = {
        name: date.fromisoformat(value) if name in _DAYS else value for name, value in job.params["search"].items()
    }
    queryset = points_ledger.narrow(points_ledger.of_everybody(actor), search)
    path, done, cursor = path_of(job), 0, None
    path.parent.mkdir(parents=True, exist_ok=True)
    with translation.override(job.params["language"]), path.open("w", encoding="utf-8-sig", newline="") as file:
        path.chmod(0o600)
        writer = csv.writer(file)
        writer.writerow([str(heading) for heading in _headings()])
        while True:
            found = points_ledger.page(queryset, cursor=cursor, size=_CHUNK)
            names = points_ledger.actor_names({row.actor for row in found.rows})
            writer.writerows([safe_cell(cell) for cell in _cells(row, names)] for row in found.rows)
            done += len(found.rows)
            progress.report(done=done)
            cursor = found.next_cursor
            if cursor is None:
                break
    progress.report(done=done, total=done)
    with atomic():
        audit.record(
            action="export",
            object_type="members_pointsentry",
            object_id=None,
            detail={"rows": done, "search": job.params["search"], "job": job.pk},
        )
    return path


def _kept(value: Any) -> Any:
    """A value of a search as JSON."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value)
    return list(value) if isinstance(value, list | tuple) else str(value)


def path_of(job: Job) -> Path:
    return Path(settings.MEDIA_ROOT) / "exports" / f"points-{job.pk}.csv"


def _headings() -> Sequence[str]:
    return [
        _("Booked"), _("Member ID"), _("Kind of points"), _("Entry"), _("Kind"), _("Effect"), _("Amount of points"),
        _("From account"), _("To account"), _("Available after"), _("Reference"), _("Source"), _("Reason"),
        _("Explanation"), _("Booked by"), _("Counts from"),
    ]  # fmt: skip


def _cells(row: PointsEntry, names: Mapping[str, str]) -> Sequence[Any]:
    zone = clock.shop_zone()
    return [
        row.booked_at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S"), row.member_id, row.currency.name, row.number,
        str(row.get_kind_display()), points_words.effect(row), row.amount, str(row.get_debit_display()),
        str(row.get_credit_display()), row.available_after, row.reference, row.source, row.reason,
        "；".join(points_words.explain(row)), names.get(row.actor, row.actor),
        row.occurred_at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S"),
    ]  # fmt: skip
