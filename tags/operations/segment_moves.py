"""Entries into and exits from segments, on the timelines of the members."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from members.operations import timeline
from scrm.common.transactions import atomic
from tags.models import Segment

SOURCE = "tags"
ENTERED, LEFT = "segment.entered", "segment.left"
# (member id, segment id)
Pairs = Collection[tuple[int, int]]


def note(*, entered: Pairs = (), left: Pairs = (), now: datetime) -> None:
    """Put `segment.entered` and `segment.left` on timelines, with the segment's id and name. Set-based.

    A member enters and leaves one segment at most once per instant: noting it again changes nothing. The message id
    begins with the type and the segment's id, which is how `queries.segment_sizes` counts them.
    """
    names = dict(
        Segment.objects.filter(pk__in={segment_id for _, segment_id in (*entered, *left)}).values_list("pk", "name")
    )
    with atomic():
        for kind, pairs in ((LEFT, left), (ENTERED, entered)):
            timeline.append(source=SOURCE, type=kind, rows=_rows(kind, pairs, names, now), now=now)


def _rows(
    kind: str, pairs: Pairs, names: dict[int, str], now: datetime
) -> Iterator[tuple[int, str, datetime, dict[str, Any]]]:
    stamp = now.isoformat()
    for member_id, segment_id in pairs:
        properties = {"segment_id": segment_id, "segment": names.get(segment_id, "")}
        yield member_id, f"{kind}:{segment_id}:{stamp}", now, properties
