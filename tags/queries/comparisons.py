"""How several segments overlap: each with each, and two or three of them in all their parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from scrm.common.access import Actor
from scrm.common.errors import DomainError, Invalid, NotFound
from tags.models import Segment
from tags.queries import audiences, segments
from tags.rules import segments as rules

MOST = 10
IN_DIAGRAM = 3


@dataclass(frozen=True, slots=True)
class Compared:
    """A segment with its size, and how many of its members each of the compared segments has too, in order.

    `fault` says why it cannot be used; then there are no figures.
    """

    segment: Segment
    size: int = 0
    common: Sequence[int] = ()
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Region:
    """Members in exactly these of the segments of a diagram. `condition` selects them."""

    inside: tuple[bool, ...]
    members: int
    condition: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Comparison:
    """`compared` in the order asked for; `usable` are those with figures, in the order of `Compared.common`."""

    compared: list[Compared]
    usable: list[Segment]
    in_diagram: list[Segment]
    regions: list[Region]


def compare(*, segment_ids: Sequence[int], in_diagram: Sequence[int] = (), actor: Actor, as_of: datetime) -> Comparison:
    """Compare up to ten segments, as far as the actor sees their members; exact.

    The diagram shows two or three of them: those asked for, else the first ones. A broken segment is named and left
    out of the figures. Raises `NotFound`, `Invalid` (`too_many`).
    """
    wanted = list(dict.fromkeys(segment_ids))
    if len(wanted) > MOST:
        raise Invalid(_("At most %(count)s segments can be compared.") % {"count": MOST}, code="too_many", field="id")
    found = Segment.objects.in_bulk(wanted)
    if len(found) < len(wanted):
        raise NotFound(_("There is no such segment."))
    faults = {key: _fault(found[key], as_of) for key in wanted}
    usable = [found[key] for key in wanted if not faults[key]]
    overlaps = audiences.overlaps(usable, actor=actor, as_of=as_of)
    figures = {
        segment.pk: Compared(segment, size, common)
        for segment, size, common in zip(usable, overlaps.sizes, overlaps.common, strict=True)
    }
    compared = [figures.get(key) or Compared(found[key], fault=faults[key]) for key in wanted]
    shown = [segment for segment in usable if segment.pk in in_diagram] or usable
    shown = shown[:IN_DIAGRAM]
    return Comparison(compared, usable, shown, _regions(shown, actor, as_of))


def _fault(segment: Segment, as_of: datetime) -> str:
    try:
        segments.predicate_sql(segment, as_of=as_of)
    except DomainError as error:
        return str(error)
    return ""


def _regions(shown: Sequence[Segment], actor: Actor, as_of: datetime) -> list[Region]:
    if len(shown) < 2:
        return []
    counted = audiences.venn(shown, actor=actor, as_of=as_of)
    ids = [segment.pk for segment in shown]
    return [
        Region(inside, members, rules.region_condition(ids, inside))
        for inside, members in sorted(counted.items(), key=lambda item: (sum(item[0]), [not one for one in item[0]]))
    ]
