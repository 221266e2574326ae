"""The enabled watches as this process knows them, and the gate that keeps that knowledge right."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from django.db import connection

from scrm.common import statements
from scrm.common.errors import DomainError
from tags.enums import RuleForm
from tags.operations import watch_breaks
from tags.operations.watch_statements import Block, Watched, blocks, read

# Shared by whoever settles answers, taken alone for a moment by who switches watches on.
GATE = "hashtext('tags.watches')"
_ENTER = f"SELECT pg_advisory_xact_lock_shared({GATE}), {statements.BY_INDEX}"
_LEAVE = f"SELECT pg_advisory_xact_lock({GATE})"
# Which rows, as they are: `xmin` tells a change that was rolled back from one that took its version.
_SIGNATURE = """
    SELECT string_agg(id || ' ' || version || ' ' || xmin::text, ',' ORDER BY id) FROM tags_watch WHERE enabled
"""


def pass_gate() -> Known:
    """Enter, for the rest of the transaction, and learn what is enabled.

    In one round trip but two statements, so that the second sees what was enabled while the first waited.
    """
    enter, sign = (statements.prepared(text, {})[0] for text in (_ENTER, _SIGNATURE))
    with statements.forgetting(), connection.cursor() as cursor:
        cursor.execute(f"{enter}; {sign}")
        cursor.nextset()
        return _learn(cursor.fetchone()[0] or "")


def shut_gate() -> None:
    """Wait until everybody who entered has committed, and keep others out until this transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(_LEAVE)


class Known:
    """The enabled watches at one time."""

    def __init__(self, signature: str, rows: Mapping[str, Watched]) -> None:
        self.signature = signature
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


_known = Known("", {})


def _learn(signature: str) -> Known:
    """The enabled watches, read again where they changed. One that can no longer be read is marked broken."""
    global _known  # noqa: PLW0603  # a cache per process, replaced as a whole
    if signature == _known.signature:
        return _known
    before = _known.rows
    keys = {key: int(key.split(" ", 1)[0]) for key in signature.split(",") if key}
    rows = {key: before[key] for key in keys if key in before}
    broken = False
    for key, (version, condition, form) in _stored({key: pk for key, pk in keys.items() if key not in rows}).items():
        try:
            rows[key] = read(keys[key], version, condition, interest=form == RuleForm.INTEREST)
        except DomainError as error:
            watch_breaks.mark(keys[key], str(error.message))
            broken = True
    if broken:
        # What is marked is not enabled any more, unless this transaction is rolled back.
        return Known("", rows)
    _known = Known(signature, rows)
    return _known


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
