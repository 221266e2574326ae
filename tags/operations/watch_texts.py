"""The SQL that watches are settled by, as text. Conditions are put in as text too; values are named placeholders."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from members.operations import columns
from tags.operations import watch_shapes
from tags.operations.watch_bounds import Bound, Mode


@dataclass(frozen=True, slots=True)
class Part:
    """What watches that are written as one add to the statement.

    Expressions over `m`, a member, and `t`, the times of his new events.

    `bound` replaces `flip` after new events; None: the flip is computed all the same.
    """

    test: str
    flip: str
    weight: str
    bound: str | None
    monotone: bool


def part(bound: Bound, test: str | None, flip: str | None, weight: str | None) -> Part:
    """The part of a watch."""
    bounded = None
    if flip is not None and bound.mode != Mode.EXACT:
        bounded = f"CASE WHEN m.status = 'active' THEN {_bound(bound)} END"
    return Part(
        f"m.status = 'active' AND ({test}) IS TRUE",
        "NULL" if flip is None else f"CASE WHEN m.status = 'active' THEN {flip} END",
        "NULL" if weight is None else weight,
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


# What watches from a place on, until the next one's, add to the statement.
Placed = tuple[int, Part]


def settle(ids: Sequence[int], parts: Sequence[Placed], *, bounded: bool) -> str:
    """The statement that evaluates watches, stores what differs, and answers who began, who ceased, and the weights
    of those who go on.

    Placeholders: `members` (a bigint array as text), `places` (for each member a text as `columns.texts` writes them:
    the places in `ids` of the watches asked, between blanks), `now`, `soon`; when `bounded` also `since` and `until`
    (timestamptz arrays as text) of the members' new events.
    """
    asked = f"%(members)s::bigint[], {columns.named('places')}"
    times = "%(since)s::timestamptz[], %(until)s::timestamptz[]"
    parts_of = {
        "ids": _list(ids),
        "lowest": min(ids),
        "highest": max(ids),
        "test": _chosen(parts, lambda part: part.test),
        "weight": _chosen(parts, lambda part: part.weight),
    }
    if bounded:
        beginning = _chosen(parts, lambda part: "NULL" if part.bound is None or not part.monotone else part.flip)
        return _SETTLE.format(
            **parts_of,
            begins=_BEGINS,
            flip=_chosen(parts, lambda part: part.flip if part.bound is None else "NULL"),
            bound=_chosen(parts, lambda part: part.bound or "NULL"),
            monotone=_chosen(parts, lambda part: str(part.monotone).upper()),
            asked=f"unnest({asked}, {times}) AS t (id, places, since, until)",
            # What new events do not bring forward stays as it is, unseen.
            due_at=f"CASE WHEN a.bound_at IS DISTINCT FROM 'infinity' OR {_BEGINS} THEN {_DUE_AT} END",
            timed=_TIMED_AFTER_EVENTS.format(flip=beginning),
        )
    return _SETTLE.format(
        **parts_of,
        begins="FALSE",
        flip=_chosen(parts, lambda part: part.flip),
        bound="NULL",
        monotone="FALSE",
        asked=f"unnest({asked}) AS t (id, places)",
        due_at=_DUE_AT,
        timed=_TIMED,
    )


def _chosen(parts: Sequence[Placed], expression: Callable[[Part], str]) -> str:
    return watch_shapes.chosen([(first, expression(part)) for first, part in parts])


def _list(numbers: Iterable[int]) -> str:
    return "'{" + ",".join(map(str, numbers)) + "}'"


_DUE_AT = "(SELECT f.due_at FROM tags_watchflip f WHERE f.watch_id = a.watch_id AND f.member_id = a.member_id)"
# A monotone condition becomes true: the only time at which its end has to be found.
_BEGINS = "(a.monotone AND a.holds AND NOT a.held)"
_TIMED = "SELECT watch_id, member_id, due_at, computed_at AS flip_at FROM answered"
_TIMED_AFTER_EVENTS = """SELECT watch_id, member_id, due_at,
           CASE WHEN bound_at IS NULL THEN computed_at ELSE NULLIF(LEAST(due_at, bound_at), 'infinity') END AS flip_at
    FROM answered WHERE NOT begins
    UNION ALL
    SELECT w.watch_id, w.member_id, w.due_at, ({flip})::timestamptz
    FROM answered w JOIN members_member m ON m.id = w.member_id WHERE w.begins"""

_SETTLE = """
WITH given AS MATERIALIZED (
    SELECT t.*, ARRAY(SELECT x.watch_id FROM tags_watchmember x
                      WHERE x.member_id = t.id AND x.watch_id BETWEEN {lowest} AND {highest}) AS held FROM {asked}
), asked AS MATERIALIZED (
    SELECT w.place, ({ids}::bigint[])[w.place + 1] AS watch_id, m.id AS member_id, t.held AS all_held,
           ({test}) AS holds,
           ({flip})::timestamptz AS computed_at, ({weight})::float8 AS weight,
           ({bound})::timestamptz AS bound_at, ({monotone}) AS monotone
    FROM given t JOIN members_member m ON m.id = t.id
    CROSS JOIN LATERAL unnest(string_to_array(t.places, ' ')::int[]) AS w (place)
), answered AS MATERIALIZED (
    SELECT a.*, {due_at} AS due_at, {begins} AS begins
    FROM (SELECT *, watch_id = ANY(all_held) AS held FROM asked OFFSET 0) a
), timed AS MATERIALIZED (
    {timed}
), began AS (
    INSERT INTO tags_watchmember (watch_id, member_id, since, suppressed)
    SELECT watch_id, member_id, %(now)s, false FROM answered WHERE holds AND NOT held
), ceased AS (
    DELETE FROM tags_watchmember x USING answered a
    WHERE NOT a.holds AND a.held AND x.watch_id = a.watch_id AND x.member_id = a.member_id
), scheduled AS (
    INSERT INTO tags_watchflip (watch_id, member_id, due_at)
    SELECT watch_id, member_id, flip_at FROM timed WHERE flip_at IS NOT NULL AND flip_at IS DISTINCT FROM due_at
    ON CONFLICT (watch_id, member_id) DO UPDATE SET due_at = EXCLUDED.due_at
), cancelled AS (
    DELETE FROM tags_watchflip f USING timed a
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
