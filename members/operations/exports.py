"""The member list as a file: streamed row by row, safe to open in a spreadsheet, and on record."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import QueryDict
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from members.models import Member
from members.queries import contacts, directory
from scrm.common import audit, clock, jobs, money
from scrm.common.access import Actor, Permission
from scrm.common.errors import Forbidden, Invalid
from scrm.common.models import Job
from scrm.common.transactions import atomic

KIND = "member_export"
_CHUNK = 2_000
# A cell that begins with one of these is run as a formula by spreadsheet programs.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def start(
    *, actor: Actor, params: QueryDict | Mapping[str, Any], full: bool = False, reason: str = "", label: str = ""
) -> Job:
    """Queue an export of everything that the list address selects; `label` is what the task centre calls it.

    `full` puts whole phones and e-mail addresses into the file; it takes the permission to reveal, and a reason.
    Raises `Forbidden` and what checking the address raises.
    """
    if not actor.may(Permission.EXPORT):
        raise Forbidden(_("You may not export lists."))
    if full and not actor.may(Permission.MEMBERS_REVEAL):
        raise Forbidden(_("You may not reveal personal data."))
    reason = reason.strip().replace("\0", "")[:200]
    if full and not reason:
        raise Invalid(_("Say why you need it."), code="missing", field="reason")
    selection = directory.select(params, actor=actor)
    query: dict[str, list[str]] = {}
    for one in selection.chosen:
        query.setdefault(one.filter.key, []).append(one.raw)
    return jobs.create(
        kind=KIND,
        label=label or _("Export of members"),
        params={
            "query": query,
            "sort": directory.sort_of(params),
            "full": full,
            "reason": reason,
            "language": translation.get_language(),
        },
        actor=actor,
    )


def write(*, actor: Actor, job: Job, progress: jobs.Progress) -> Path:
    """Write the file of an export job, as the person who asked may see the members at this moment.

    Memory does not grow with the list. The export is on the audit log with its filters and the number of rows.
    """
    if not actor.may(Permission.EXPORT) or (job.params["full"] and not actor.may(Permission.MEMBERS_REVEAL)):
        raise Forbidden(_("You may not export lists."))
    queryset = directory.matching(actor=actor, params=job.params["query"])
    progress.report(total=directory.count(queryset).number)
    path = path_of(job)
    path.parent.mkdir(parents=True, exist_ok=True)
    done = 0
    with translation.override(job.params["language"]), path.open("w", encoding="utf-8-sig", newline="") as file:
        path.chmod(0o600)
        writer = csv.writer(file)
        columns = _columns()
        writer.writerow([str(heading) for heading, _value in columns])
        for rows in _chunks(queryset, job.params["sort"]):
            _unmask(rows, full=job.params["full"])
            writer.writerows([safe_cell(value(row)) for _heading, value in columns] for row in rows)
            done += len(rows)
            progress.report(done=done)
    progress.report(done=done, total=done)
    with atomic():
        audit.record(
            action="export",
            object_type="members_member",
            object_id=None,
            detail={"rows": done, **{key: job.params[key] for key in ("query", "full", "reason")}, "job": job.pk},
        )
    return path


def path_of(job: Job) -> Path:
    return Path(settings.MEDIA_ROOT) / "exports" / f"members-{job.pk}.csv"


def safe_cell(value: Any) -> Any:
    """A cell that no spreadsheet program runs: texts that look like a formula get an apostrophe in front."""
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return f"'{value}"
    return value


def _chunks(queryset: Any, sort: str) -> Iterator[Sequence[Member]]:
    cursor = None
    while True:
        found = directory.page(queryset, sort=sort, cursor=cursor, size=_CHUNK)
        if found.rows:
            yield found.rows
        cursor = found.next_cursor
        if cursor is None:
            return


def _unmask(rows: Sequence[Member], *, full: bool) -> None:
    if not full:
        return
    ids = [row.pk for row in rows]
    phones = contacts.addresses(member_ids=ids, kind="phone")
    emails = contacts.addresses(member_ids=ids, kind="email")
    for row in rows:
        row.phone_masked = phones.get(row.pk, "")
        row.email_masked = emails.get(row.pk, "")


def _columns() -> list[tuple[str, Callable[[Member], Any]]]:
    return [
        (_("Member ID"), lambda row: row.pk),
        (pgettext("member", "Name"), lambda row: row.name),
        (_("Gender"), lambda row: str(row.get_gender_display()) if row.gender else ""),
        (_("Phone"), lambda row: row.phone_masked),
        (_("E-mail"), lambda row: row.email_masked),
        (_("City"), lambda row: row.city),
        (_("Store"), lambda row: row.store.name if row.store else ""),
        (_("Owner"), lambda row: row.owner.name if row.owner else ""),
        (_("Tier"), lambda row: _badges(row, "tier")),
        (_("Lifecycle stage"), lambda row: _badges(row, "stage")),
        (_("RFM class"), lambda row: _badges(row, "rfm")),
        (_("Tags"), lambda row: _badges(row, "tags")),
        (_("Orders"), lambda row: _summary(row, "order_count", 0)),
        (_("Net spend"), lambda row: money.to_decimal(_summary(row, "net_amount", 0))),
        (_("Last order"), lambda row: _local(_summary(row, "last_order_at", None))),
        (_("Joined"), lambda row: _local(row.joined_at)),
    ]


def _badges(row: Any, name: str) -> str:
    return ", ".join(str(badge.label) for badge in row.shown.get(name) or ())


def _summary(row: Member, name: str, default: Any) -> Any:
    return getattr(getattr(row, "summary", None), name, default)


def _local(instant: datetime | None) -> str:
    return instant.astimezone(clock.shop_zone()).strftime("%Y-%m-%d %H:%M:%S") if instant else ""
