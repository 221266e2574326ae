"""The SQL that watches are settled by, as text. Conditions are put in as text too; values are named placeholders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tags.operations.watch_bounds import Bound, Mode


@dataclass(frozen=True, slots=True)
class Part:
    """What one watch adds to the statement: expressions over `m`, a member, and `t`, what is asked of whom.

    `bound` replaces `flip` after new events; None: the flip is computed all the same.
    """

    test: str
    flip: str
    weight: str
    bound: str | None
    monotone: bool


def parts(bit: int, bound: Bound, test: str | None, flip: str | None, weight: str | None) -> Part:
    """The part of a watch, evaluated for the members whose mask has the bit."""
    asked = f"t.mask & {bit} <> 0"
    bounded = None
    if flip is not None and bound.mode != Mode.EXACT:
        bounded = f"CASE WHEN {asked} AND m.status = 'active' THEN {_bound(bound)} END"
    return Part(
        f"CASE WHEN {asked} THEN m.status = 'active' AND ({test}) IS TRUE END",
        "NULL" if flip is None else f"CASE WHEN {asked} AND m.status = 'active' THEN {flip} END",
        "NULL" if weight is None else f"CASE WHEN {asked} THEN {weight} END",
        bounded,
        bound.mode == Mode.MONOTONE,
    )


def _bound(bound: Bound) -> str:
    """When new events can matter by themselves: an event that is still to come is left to the next sweep."""
    if bound.shortest is None or bound.longest is None:
        return "CASE WHEN t.until > %(now)s THEN %(soon)s::timestamptz ELSE 'infinity'::timestamptz END"
    shortest, longest = (f"interval '{span.total_seconds():.0f} seconds'" for span in (bound.shortest, bound.longest))
    return (
        f"CASE WHEN t.until > %(now)s THEN %(soon)s::timestamptz WHEN t.since + {shortest} > %(now)s"
        f" THEN t.since + {shortest} WHEN t.until + {longest} <= %(now)s THEN 'infinity'::timestamptz"
        " ELSE %(soon)s::timestamptz END"
    )


def settle(ids: Sequence[int], parts: Sequence[Part], *, bounded: bool) -> str:
    """The statement that evaluates watches, stores what differs, and answers who began, who ceased, and the weights
    of those who go on.

    Placeholders: `members` and `masks` (bigint arrays as text), `now`, `soon`; when `bounded` also `since` and `until`
    (timestamptz arrays as text) of the members' new events.
    """
    if bounded:
        return _SETTLE.format(
            tests=_array(part.test for part in parts),
            flips=_array(part.flip if part.bound is None else "NULL" for part in parts),
            weights=_array(part.weight for part in parts),
            more=", " + _array(part.bound or "NULL" for part in parts) + "::timestamptz[] AS bounds",
            asked="unnest(%(members)s::bigint[], %(masks)s::bigint[], %(since)s::timestamptz[],"
            " %(until)s::timestamptz[]) AS t (id, mask, since, until)",
            answers=f"unnest({_list(ids)}::bigint[], a.tests, a.flips, a.weights, a.bounds,"
            f" {_list(int(part.monotone) for part in parts)}::int[])"
            " AS w (watch_id, holds, computed_at, weight, bound_at, monotone)",
            flip_at=_FLIP_AFTER_EVENTS,
        )
    return _SETTLE.format(
        tests=_array(part.test for part in parts),
        flips=_array(part.flip for part in parts),
        weights=_array(part.weight for part in parts),
        more="",
        asked="unnest(%(members)s::bigint[], %(masks)s::bigint[]) AS t (id, mask)",
        answers=f"unnest({_list(ids)}::bigint[], a.tests, a.flips, a.weights)"
        " AS w (watch_id, holds, computed_at, weight)",
        flip_at="w.computed_at",
    )


def _array(expressions: Iterable[str]) -> str:
    return "ARRAY[" + ",\n".join(expressions) + "]"


def _list(numbers: Iterable[int]) -> str:
    return "'{" + ",".join(map(str, numbers)) + "}'"


# Who begins to fulfil a monotone condition is looked at again at once: the only time its end has to be found.
_FLIP_AFTER_EVENTS = """CASE
        WHEN w.bound_at IS NULL THEN w.computed_at
        WHEN w.monotone = 1 AND w.holds AND x.member_id IS NULL THEN %(soon)s::timestamptz
        ELSE NULLIF(LEAST(f.due_at, w.bound_at), 'infinity')
    END"""

_SETTLE = """
WITH asked AS MATERIALIZED (
    SELECT m.id, {tests}::boolean[] AS tests, {flips}::timestamptz[] AS flips, {weights}::float8[] AS weights{more}
    FROM {asked} JOIN members_member m ON m.id = t.id
), answered AS MATERIALIZED (
    SELECT w.watch_id, a.id AS member_id, w.holds, {flip_at} AS flip_at, w.weight, f.due_at,
           x.member_id IS NOT NULL AS held
    FROM asked a CROSS JOIN LATERAL {answers}
    LEFT JOIN tags_watchmember x ON x.watch_id = w.watch_id AND x.member_id = a.id
    LEFT JOIN tags_watchflip f ON f.watch_id = w.watch_id AND f.member_id = a.id
    WHERE w.holds IS NOT NULL
), began AS (
    INSERT INTO tags_watchmember (watch_id, member_id, since, suppressed)
    SELECT watch_id, member_id, %(now)s, false FROM answered WHERE holds AND NOT held
), ceased AS (
    DELETE FROM tags_watchmember x USING answered a
    WHERE NOT a.holds AND a.held AND x.watch_id = a.watch_id AND x.member_id = a.member_id
), scheduled AS (
    INSERT INTO tags_watchflip (watch_id, member_id, due_at)
    SELECT watch_id, member_id, flip_at FROM answered WHERE flip_at IS NOT NULL AND flip_at IS DISTINCT FROM due_at
    ON CONFLICT (watch_id, member_id) DO UPDATE SET due_at = EXCLUDED.due_at
), cancelled AS (
    DELETE FROM tags_watchflip f USING answered a
    WHERE a.flip_at IS NULL AND a.due_at IS NOT NULL AND f.watch_id = a.watch_id AND f.member_id = a.member_id
)
SELECT watch_id, member_id, holds, holds AND held, weight FROM answered
WHERE holds <> held OR (holds AND weight IS NOT NULL) ORDER BY member_id, watch_id
"""

# The members of a range whose stored answer is not what it is now, or whose flip is missing or would come too late.
DIFFERING = """
WITH present AS MATERIALIZED (
    SELECT m.id FROM members_member m WHERE m.id > %s AND m.id <= %s AND m.status = 'active' AND ({test})
), flips AS MATERIALIZED (
    SELECT s.id, s.flip_at FROM (
        SELECT m.id, {flip} AS flip_at FROM members_member m WHERE m.id > %s AND m.id <= %s AND m.status = 'active'
        OFFSET 0
    ) s WHERE s.flip_at IS NOT NULL
), stored AS MATERIALIZED (
    SELECT member_id FROM tags_watchmember WHERE watch_id = %s AND member_id > %s AND member_id <= %s
), due AS MATERIALIZED (
    SELECT member_id, due_at FROM tags_watchflip WHERE watch_id = %s AND member_id > %s AND member_id <= %s
)
SELECT COALESCE(p.id, s.member_id) FROM present p FULL JOIN stored s ON s.member_id = p.id
WHERE p.id IS NULL OR s.member_id IS NULL
UNION
SELECT f.id FROM flips f LEFT JOIN due d ON d.member_id = f.id WHERE d.due_at IS NULL OR d.due_at > f.flip_at
ORDER BY 1
"""
