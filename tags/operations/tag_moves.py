"""Tags put on and taken off, on the timelines of the members."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from django.db import connection

from members.operations import columns, timeline

SOURCE = "tags"
ADDED, REMOVED = "tag.added", "tag.removed"
# (member id, tag id)
Pairs = Collection[tuple[int, int]]


def note(
    *,
    added: Pairs = (),
    removed: Pairs = (),
    reason: str = "",
    by: str = "",
    names: Mapping[int, tuple[str, str]] | None = None,
    now: datetime,
) -> None:
    """Put `tag.added` and `tag.removed` on timelines, with the names of tag and group. Set-based.

    `by` says what did it when it was no person: "rule", "validity"; `names` spares looking the (tag, group) names of
    these tags up, where they are known. Inside a transaction.
    """
    if not added and not removed:
        return
    moved = {tag_id for _, tag_id in (*added, *removed)}
    if names is None or not moved <= names.keys():
        names = _names(moved)
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


def _names(tag_ids: Collection[int]) -> dict[int, tuple[str, str]]:
    """The names of tag and group."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT t.id, t.name, g.name FROM tags_tag t JOIN tags_taggroup g ON g.id = t.group_id
            WHERE t.id = ANY(%s::bigint[])
            """,
            [columns.integers(tag_ids)],
        )
        return {tag_id: (name, group) for tag_id, name, group in cursor.fetchall()}
