"""What follows when members begin or cease to fulfil watched conditions: tags go on and off, segments are entered.

Everything is set-based and happens in the transaction that found it, while the members are held.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from django.db import connection

from members.operations import columns
from scrm.common import statements
from tags.enums import Choice, RuleForm, RuleState, TagKind
from tags.models import Segment, Watch
from tags.operations import segment_moves, tag_moves
from tags.operations.watch_statements import Transition

# (member id, tag id)
Pair = tuple[int, int]
# What a rule has put on; the rest was put on by people or by models and is not a rule's to take off.
RULE_KINDS = (TagKind.RULE.value, TagKind.EVENT.value)


@dataclass(slots=True)
class Moved:
    """What the effects changed: tags, weights of tags that stay, and who entered and left segments (noted ones)."""

    added: list[Pair] = field(default_factory=list)
    removed: list[Pair] = field(default_factory=list)
    weighed: list[Pair] = field(default_factory=list)
    entered: list[Pair] = field(default_factory=list)
    left: list[Pair] = field(default_factory=list)

    @property
    def topics(self) -> dict[str, set[int]]:
        """What else has to be evaluated of whom, in the words of `conditions.dependencies`."""
        found = {
            "tag": {member_id for member_id, _ in (*self.added, *self.removed, *self.weighed)},
            f"event:{tag_moves.ADDED}": {member_id for member_id, _ in self.added},
            f"event:{tag_moves.REMOVED}": {member_id for member_id, _ in self.removed},
            f"event:{segment_moves.ENTERED}": {member_id for member_id, _ in self.entered},
            f"event:{segment_moves.LEFT}": {member_id for member_id, _ in self.left},
        }
        return {topic: members for topic, members in found.items() if members}

    @property
    def tags(self) -> dict[int, set[int]]:
        """The members by the tag that changed."""
        found: dict[int, set[int]] = {}
        for member_id, tag_id in (*self.added, *self.removed, *self.weighed):
            found.setdefault(tag_id, set()).add(member_id)
        return found


def apply(transitions: Sequence[Transition], *, now: datetime) -> Moved:
    """Do what the watches are for. Inside a transaction that holds the members."""
    moved = Moved()
    watch_ids = {transition.watch_id for transition in transitions}
    if not watch_ids:
        return moved
    rules = _rules(watch_ids)
    _tag([one for one in transitions if one.watch_id in rules], rules, moved, now)
    others = watch_ids - rules.keys()
    if others:
        _move([one for one in transitions if one.watch_id in others], others, moved, now)
    names = {rule.tag_id: (rule.tag, rule.group) for rule in rules.values()}
    tag_moves.note(added=moved.added, removed=moved.removed, by="rule", names=names, now=now)
    return moved


class _Rule(NamedTuple):
    tag_id: int
    group_id: int
    choice: str
    tag: str
    group: str


_RULES = """
    SELECT r.watch_id, r.tag_id, t.group_id, g.choice, t.name, g.name FROM tags_tagrule r
    JOIN tags_tag t ON t.id = r.tag_id JOIN tags_taggroup g ON g.id = t.group_id
    WHERE r.watch_id = ANY(%(watches)s::bigint[]) AND r.state = %(enabled)s
"""


def _rules(watch_ids: Collection[int]) -> dict[int, _Rule]:
    """The enabled tag rules of the watches."""
    found = statements.fetch(_RULES, {"watches": columns.integers(watch_ids), "enabled": RuleState.ENABLED.value})
    return {row[0]: _Rule(*row[1:]) for row in found}


def _tag(transitions: list[Transition], rules: dict[int, _Rule], moved: Moved, now: datetime) -> None:
    single: set[tuple[int, int]] = set()  # (member, group)
    on: list[Transition] = []
    off: list[Pair] = []
    goes_on: list[Transition] = []
    for one in transitions:
        rule = rules[one.watch_id]
        if one.goes_on:
            goes_on.append(one)
        elif rule.choice == Choice.SINGLE:
            single.add((one.member_id, rule.group_id))
        elif one.holds:
            on.append(one)
        else:
            off.append((one.member_id, rule.tag_id))
    moved.removed += take_off(off, now=now)
    moved.added += _put_on(
        [(one.member_id, rules[one.watch_id].tag_id, one.weight) for one in on],
        now=now,
    )
    if single:
        settled = settle_groups(single, now=now)
        moved.removed += settled.removed
        moved.added += settled.added
        # Of a single-choice group the weight follows once the tag is there.
        goes_on += [one for one in transitions if one.holds and not one.goes_on and one.weight is not None]
    moved.weighed += _weigh([(one.member_id, rules[one.watch_id].tag_id, one.weight) for one in goes_on], now)


def take_off(pairs: Collection[Pair], *, now: datetime) -> list[Pair]:
    """Take off what a rule has put on; what lapsed meanwhile goes without a word."""
    if not pairs:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            """
            DELETE FROM tags_membertag mt USING unnest(%s::bigint[], %s::bigint[]) AS v (member_id, tag_id)
            WHERE mt.member_id = v.member_id AND mt.tag_id = v.tag_id AND mt.source = ANY(%s)
            RETURNING mt.member_id, mt.tag_id, COALESCE(mt.expires_at > %s, TRUE)
            """,
            [*_two(pairs), list(RULE_KINDS), now],
        )
        return [(member_id, tag_id) for member_id, tag_id, valid in cursor.fetchall() if valid]


_PUT_ON = """
    INSERT INTO tags_membertag AS kept
        (member_id, tag_id, source, reason, weight, weight_at, half_life_days, assigned_at, expires_at)
    SELECT v.member_id, v.tag_id, CASE WHEN r.form = %(condition)s THEN %(rule)s ELSE %(event)s END, '',
           COALESCE(v.weight, 1), CASE WHEN v.weight IS NOT NULL THEN %(now)s::timestamptz END,
           CASE WHEN v.weight IS NOT NULL THEN (r.definition ->> 'half_life_days')::float8 END, %(now)s,
           CASE WHEN r.form = %(condition)s THEN %(now)s::timestamptz + t.valid_days * interval '1 day' END
    FROM unnest(%(members)s::bigint[], %(tags)s::bigint[], %(weights)s::float8[]) AS v (member_id, tag_id, weight)
    JOIN tags_tag t ON t.id = v.tag_id AND t.archived_at IS NULL JOIN tags_tagrule r ON r.tag_id = t.id
    ORDER BY v.member_id, v.tag_id
    ON CONFLICT (member_id, tag_id) DO UPDATE SET
        source = EXCLUDED.source, reason = EXCLUDED.reason, weight = EXCLUDED.weight, weight_at = EXCLUDED.weight_at,
        half_life_days = EXCLUDED.half_life_days, assigned_at = EXCLUDED.assigned_at, expires_at = EXCLUDED.expires_at
    WHERE kept.expires_at <= EXCLUDED.assigned_at
    RETURNING member_id, tag_id
"""


def _put_on(rows: Collection[tuple[int, int, float | None]], *, now: datetime) -> list[Pair]:
    """Put rules' tags on; whoever has the tag already keeps it as it is."""
    if not rows:
        return []
    put_on = statements.fetch(
        _PUT_ON,
        {
            "condition": RuleForm.CONDITION.value,
            "rule": TagKind.RULE.value,
            "event": TagKind.EVENT.value,
            "now": now,
            "members": columns.integers(row[0] for row in rows),
            "tags": columns.integers(row[1] for row in rows),
            "weights": columns.numbers(row[2] for row in rows),
        },
    )
    return [(member_id, tag_id) for member_id, tag_id in put_on]


def _weigh(rows: Collection[tuple[int, int, float | None]], now: datetime) -> list[Pair]:
    """Bring the weights of tags that stay up to date, where they are not what has faded meanwhile."""
    known = [row for row in rows if row[2] is not None]
    if not known:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE tags_membertag mt SET weight = v.weight, weight_at = %s, half_life_days = v.half_life_days
            FROM (
                SELECT u.*, (r.definition ->> 'half_life_days')::float8 AS half_life_days
                FROM unnest(%s::bigint[], %s::bigint[], %s::float8[]) AS u (member_id, tag_id, weight)
                JOIN tags_tagrule r ON r.tag_id = u.tag_id
            ) v
            WHERE mt.member_id = v.member_id AND mt.tag_id = v.tag_id AND mt.source = %s
              AND (mt.weight_at IS NULL OR mt.half_life_days IS DISTINCT FROM v.half_life_days OR abs(
                    mt.weight * power(0.5::float8, EXTRACT(epoch FROM %s - mt.weight_at)::float8 / 86400
                                                   / mt.half_life_days) - v.weight) > 0.000001)
            RETURNING mt.member_id, mt.tag_id
            """,
            [
                now,
                columns.integers(row[0] for row in known),
                columns.integers(row[1] for row in known),
                [row[2] for row in known],
                TagKind.EVENT.value,
                now,
            ],
        )
        return list(cursor.fetchall())


# Of each (member, group) the rule that wins: the one made first among those that hold and were not taken off by hand.
# Nobody wins where a tag of the group was put on otherwise.
_WINNERS = """
    SELECT g.member_id, g.group_id, w.tag_id
    FROM unnest(%s::bigint[], %s::bigint[]) AS g (member_id, group_id)
    LEFT JOIN LATERAL (
        SELECT t.id AS tag_id
        FROM tags_tag t JOIN tags_tagrule r ON r.tag_id = t.id AND r.state = %s
        JOIN tags_watchmember x ON x.watch_id = r.watch_id AND x.member_id = g.member_id AND NOT x.suppressed
        WHERE t.group_id = g.group_id AND t.archived_at IS NULL
          AND NOT EXISTS (
              SELECT 1 FROM tags_membertag mt JOIN tags_tag o ON o.id = mt.tag_id
              WHERE o.group_id = g.group_id AND mt.member_id = g.member_id AND mt.source <> ALL(%s)
                AND (mt.expires_at IS NULL OR mt.expires_at > %s))
        ORDER BY r.id LIMIT 1
    ) w ON TRUE
"""


def settle_groups(places: Collection[tuple[int, int]], *, now: datetime) -> Moved:
    """Give each (member, single-choice group) the tag of the rule that wins there. Writes no timeline."""
    moved = Moved()
    with connection.cursor() as cursor:
        cursor.execute(_WINNERS, [*_two(places), RuleState.ENABLED.value, list(RULE_KINDS), now])
        found = cursor.fetchall()
        cursor.execute(
            """
            SELECT v.member_id, mt.tag_id
            FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS v (member_id, group_id, winner)
            JOIN tags_membertag mt ON mt.member_id = v.member_id
            JOIN tags_tag t ON t.id = mt.tag_id AND t.group_id = v.group_id
            WHERE mt.source = ANY(%s) AND mt.tag_id IS DISTINCT FROM v.winner
            """,
            [
                columns.integers(row[0] for row in found),
                columns.integers(row[1] for row in found),
                columns.integers(row[2] for row in found),
                list(RULE_KINDS),
            ],
        )
        losers = cursor.fetchall()
        winners = [(member_id, tag_id) for member_id, _group, tag_id in found if tag_id is not None]
        cursor.execute(
            """
            SELECT v.member_id, v.tag_id FROM unnest(%s::bigint[], %s::bigint[]) AS v (member_id, tag_id)
            WHERE NOT EXISTS (SELECT 1 FROM tags_membertag mt WHERE mt.member_id = v.member_id AND mt.tag_id = v.tag_id)
            """,
            _two(winners),
        )
        missing = cursor.fetchall()
    moved.removed += take_off(losers, now=now)
    moved.added += _put_on([(member_id, tag_id, None) for member_id, tag_id in missing], now=now)
    return moved


def _move(transitions: list[Transition], watch_ids: set[int], moved: Moved, now: datetime) -> None:
    """Note entries and exits, from when everyone has been evaluated once: who was in it before does not enter."""
    known = set(
        Watch.objects.filter(pk__in=watch_ids, evaluated_at__isnull=False).values_list("pk", flat=True)
    )  # fmt: skip
    segment_of = dict(Segment.objects.filter(watch_id__in=known).values_list("watch_id", "pk"))
    for one in transitions:
        if one.watch_id in segment_of:
            (moved.entered if one.holds else moved.left).append((one.member_id, segment_of[one.watch_id]))
    segment_moves.note(entered=moved.entered, left=moved.left, now=now)


def _two(pairs: Collection[tuple[int, int]]) -> list[str]:
    return [columns.integers(pair[0] for pair in pairs), columns.integers(pair[1] for pair in pairs)]
