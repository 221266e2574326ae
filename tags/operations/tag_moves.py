"""Tags put on and taken off, on the timelines of the members."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from members.operations import timeline
from tags.models import Tag

SOURCE = "tags"
ADDED, REMOVED = "tag.added", "tag.removed"
# (member id, tag id)
Pairs = Collection[tuple[int, int]]


def note(*, added: Pairs = (), removed: Pairs = (), reason: str = "", by: str = "", now: datetime) -> None:
    """Put `tag.added` and `tag.removed` on timelines, with the names of tag and group. Set-based.

    `by` says what did it when it was no person: "rule", "validity". Inside a transaction.
    """
    if not added and not removed:
        return
    ids = {tag_id for _, tag_id in (*added, *removed)}
    names = {tag.pk: (tag.name, tag.group.name) for tag in Tag.objects.filter(pk__in=ids).select_related("group")}
    stamp = now.isoformat()
    more = {name: value for name, value in (("reason", reason), ("by", by)) if value}
    for kind, pairs in ((REMOVED, removed), (ADDED, added)):
        timeline.append(
            source=SOURCE,
            type=kind,
            rows=(
                (
                    member_id,
                    f"{kind}:{tag_id}:{stamp}",
                    now,
                    {"tag_id": tag_id, "tag": names[tag_id][0], "group": names[tag_id][1], **more},
                )
                for member_id, tag_id in pairs
            ),
            now=now,
        )
