"""The enabled watches as this process knows them.

Their gate is shut for a moment before everyone is evaluated for one that was enabled or changed.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from django.db import connection

from scrm.common.errors import DomainError
from scrm.common.gates import Gate
from tags.enums import RuleForm
from tags.operations import watch_breaks
from tags.operations.watch_statements import Block, Watched, blocks, read


class Known:
    """The enabled watches at one time."""

    def __init__(self, rows: Mapping[str, Watched]) -> None:
        self.rows = rows
        self.by_id = {watched.id: watched for watched in rows.values()}
        self.blocks: list[Block] = blocks(self.by_id.values())
        self._by_topic: dict[str, list[Watched]] = {}
        for watched in self.by_id.values():
            for topic in watched.topics:
                self._by_topic.setdefault(topic, []).append(watched)

    def asked(
        self, touched: Mapping[str, Collection[int]], tags: Mapping[int, Collection[int]] | None
    ) -> dict[int, set[int]]:
        """Which watch is to be evaluated for whom."""
        found: dict[int, set[int]] = {}
        for topic, members in touched.items():
            for watched in self._by_topic.get(topic, ()) if members else ():
                concerned: Collection[int] = members
                if topic == "tag" and tags is not None and watched.tags is not None:
                    concerned = {member for tag_id in watched.tags for member in tags.get(tag_id, ())}
                if concerned:
                    found.setdefault(watched.id, set()).update(concerned)
        return found


def _learn(signature: str, before: Known) -> tuple[Known, bool]:
    """The enabled watches, read again where they changed. One that can no longer be read is marked broken."""
    keys = {key: int(key.split(" ", 1)[0]) for key in signature.split(",") if key}
    rows = {key: before.rows[key] for key in keys if key in before.rows}
    broken = False
    for key, (version, condition, form) in _stored({key: pk for key, pk in keys.items() if key not in rows}).items():
        try:
            rows[key] = read(keys[key], version, condition, interest=form == RuleForm.INTEREST)
        except DomainError as error:
            watch_breaks.mark(keys[key], str(error.message))
            broken = True
    # What is marked is not enabled any more, unless this transaction is rolled back.
    return Known(rows), not broken


GATE: Gate[Known] = Gate(
    "tags.watches",
    signature="""
        SELECT string_agg(id || ' ' || version || ' ' || xmin::text, ',' ORDER BY id) FROM tags_watch WHERE enabled
    """,
    nothing=Known({}),
    read=_learn,
)


def _stored(keys: Mapping[str, int]) -> dict[str, tuple[int, Any, str | None]]:
    if not keys:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT w.id, w.version, w.condition::text, r.form FROM tags_watch w
            LEFT JOIN tags_tagrule r ON r.watch_id = w.id WHERE w.id = ANY(%s)
            """,
            [list(keys.values())],
        )
        found = {row[0]: row[1:] for row in cursor.fetchall()}
    return {key: (found[pk][0], json.loads(found[pk][1]), found[pk][2]) for key, pk in keys.items() if pk in found}
