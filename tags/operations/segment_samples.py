"""Parts of a segment: frozen as a whole, a random sample, an even split."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from scrm.common import jobs
from scrm.common.access import Actor
from scrm.common.errors import Invalid, NotFound
from scrm.common.models import Job
from scrm.common.transactions import acting_as, atomic
from tags.enums import SegmentKind
from tags.models import Segment, SegmentMember
from tags.operations import segment_rows as rows
from tags.operations import segments as operations
from tags.queries import segments as queries
from tags.rules import segments as rules

FREEZE_KIND = "segment_freeze"
# A segment that had so many members when it was last counted is frozen while the person waits.
AT_ONCE = 200_000
LARGEST_SAMPLE = 100_000_000
# The order of a sample: the same hash as the field `bucket`, so that a larger sample with the same salt contains the
# smaller one.
_DRAWN = "('x' || left(md5(a.id::text || ':' || %s), 8))::bit(32)::bigint, a.id"


@dataclass(frozen=True, slots=True)
class Frozen:
    """The new snapshot; with a job when its members are still being written."""

    segment: Segment
    job: Job | None = None


def freeze(
    *,
    segment_id: int,
    name: str = "",
    percent: Decimal | None = None,
    size: int | None = None,
    salt: str = "",
    actor: Actor,
    now: datetime,
) -> Frozen:
    """A snapshot of a segment, whole or of a random sample: `percent` of its members, or exactly `size` of them.

    The draw is decided by the members' ids and the salt alone (by default the name of the snapshot): the same members
    again for the same salt. Large segments are written by a job. Raises `NotFound`, `queries.BrokenSegment`,
    `Invalid` (`name_taken`, `bad_name`, `bad_percent`, `bad_size`, `bad_salt`, `contradiction`).
    """
    _check(percent, size, salt)
    with atomic():
        origin = rows.locked(segment_id)
        is_sample = percent is not None or size is not None
        stem = f"{origin.name[:40]} · {_share(percent, size)}" if is_sample else f"{origin.name[:44]} {now:%Y-%m-%d}"
        frozen = rows.new(
            name=name or queries.free_name(stem),
            description=origin.description,
            kind=SegmentKind.SNAPSHOT,
            condition=origin.condition,
            origin=origin,
            now=now,
        )
        salt = salt or frozen.name
        if is_sample:
            words = _("A random sample of “%(name)s”: %(share)s, drawn by “%(salt)s”.")
            told = words % {"name": origin.name, "share": _share(percent, size), "salt": salt}
            frozen.description = told[: rows.MAX_DESCRIPTION]
        rows.save(frozen)
        queries.audience_sql(origin, as_of=now)  # a broken one is refused now, not in the job
        if (origin.member_count or 0) <= AT_ONCE:
            return Frozen(_written(frozen, percent, size, salt, now))
        params = {
            "segment_id": frozen.pk,
            "percent": None if percent is None else str(percent),
            "size": size,
            "salt": salt,
            "now": now.isoformat(),
        }
        label = _("Freeze “%(name)s”") % {"name": origin.name}
        return Frozen(frozen, jobs.create(kind=FREEZE_KIND, label=label, params=params, actor=actor))


def write(*, actor: Actor, params: dict[str, Any]) -> None:
    """Write the members of a snapshot that was too large to wait for, as at the instant it was asked for.

    Safe to run twice. Raises `NotFound`, `queries.BrokenSegment`.
    """
    percent = params["percent"]
    with acting_as(actor), atomic():
        _written(
            rows.locked(params["segment_id"]),
            None if percent is None else Decimal(percent),
            params["size"],
            params["salt"],
            datetime.fromisoformat(params["now"]),
        )


def split(*, segment_id: int, parts: int, salt: str = "", now: datetime) -> list[Segment]:
    """Dynamic segments that share out the members of this one evenly and at random: each is in exactly one of them.

    They follow the segment: who enters it lands in one part and stays in that part. Raises `NotFound`,
    `queries.BrokenSegment`, `Invalid` (`bad_parts`, `bad_salt`, `too_deep`).
    """
    if not rules.FEWEST_PARTS <= parts <= rules.MOST_PARTS:
        raise Invalid(
            _("A split has %(low)s to %(high)s parts.") % {"low": rules.FEWEST_PARTS, "high": rules.MOST_PARTS},
            code="bad_parts",
            field="parts",
        )
    _check(None, None, salt)
    with atomic():
        origin = rows.locked(segment_id)
        salt = salt or f"{origin.pk}:{now.isoformat()}"
        return [
            operations.create(
                name=queries.free_name(f"{origin.name[:48]} · {part.number}/{parts}"),
                description=_("Part %(number)s of %(parts)s of “%(name)s”, shared out at random.")
                % {"number": part.number, "parts": parts, "name": origin.name},
                condition=rules.part_condition(origin.pk, part, salt=salt),
                origin_id=origin.pk,
                now=now,
            )
            for part in rules.parts(parts)
        ]


def _check(percent: Decimal | None, size: int | None, salt: str) -> None:
    if percent is not None and size is not None:
        raise Invalid(_("Give a share or a number, not both."), code="contradiction", field="size")
    if percent is not None and not (percent.is_finite() and 0 < percent <= 100):
        raise Invalid(_("A share is more than 0 and at most 100 per cent."), code="bad_percent", field="percent")
    if size is not None and not 1 <= size <= LARGEST_SAMPLE:
        raise Invalid(_("A sample has at least one member."), code="bad_size", field="size")
    if len(salt) > 60 or "\x00" in salt:
        raise Invalid(_("At most %(count)s characters.") % {"count": 60}, code="bad_salt", field="salt")


def _share(percent: Decimal | None, size: int | None) -> str:
    if percent is not None:
        return f"{percent.normalize():f}%"
    return ngettext("%(count)s member", "%(count)s members", size or 0) % {"count": size}


def _written(frozen: Segment, percent: Decimal | None, size: int | None, salt: str, now: datetime) -> Segment:
    """Fill a snapshot from its origin. Raises `NotFound`, `queries.BrokenSegment`."""
    if frozen.origin is None:  # deleted before the job came to it
        raise NotFound(_("There is no such segment."))
    audience, params = queries.audience_sql(frozen.origin, as_of=now)
    draw, bounds = "", list[Any]()
    if percent is not None:
        draw, bounds = f"ORDER BY {_DRAWN} LIMIT (SELECT round(count(*) * %s / 100) FROM audience)", [salt, percent]
    elif size is not None:
        draw, bounds = f"ORDER BY {_DRAWN} LIMIT %s", [salt, size]
    SegmentMember.objects.filter(segment_id=frozen.pk).delete()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")  # a segment may be millions
        cursor.execute(
            f"""
            WITH audience (id) AS ({audience})
            INSERT INTO tags_segmentmember (segment_id, member_id)
            SELECT %s, a.id FROM audience a {draw}
            """,  # compiled from the segment's condition, values are parameters
            [*params, frozen.pk, *bounds],
        )
        return rows.sized(frozen, cursor.rowcount, now)
