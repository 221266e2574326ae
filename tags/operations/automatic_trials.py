"""What a rule would do, before it does it: now, and over the last days."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.core.cache import cache
from django.db import connection
from django.utils.translation import gettext as _
from pyroaring import BitMap

from members.queries import scopes
from scrm.common import clock, conditions, jobs
from scrm.common.access import Actor
from scrm.common.conditions import Group, Leaf, Node
from scrm.common.conditions.durations import Window
from scrm.common.errors import Invalid
from scrm.common.models import Job
from scrm.common.models.jobs import JobState
from tags.models import Tag, TagRule
from tags.operations.watch_effects import RULE_KINDS
from tags.queries import audiences, tagging
from tags.queries import automatic as queries

JOB_KIND = "replay_rule"
MOST_DAYS = 90
# Up to so many members a replay is worked out while the person waits.
AT_ONCE = 50_000
_SAMPLES = 5
_KEPT_SECONDS = 24 * 3600
# What a past day knew as well as today does.
_UNCHANGING = frozenset({"joined_at", "bucket"})


@dataclass(frozen=True, slots=True)
class DryRun:
    """What enabling would change now; of all members, regardless of the data scope, save the samples.

    `matching` fulfil the condition, `everyone` are the active members. `kept` have the tag by hand and would keep it
    although they do not match; `suppressed` match, but somebody took the tag off. In a single-choice group whoever has
    a tag of the group by hand is not counted as `add`; other rules of the group are not looked at.
    """

    as_of: datetime
    everyone: int
    matching: int
    add: int
    remove: int
    kept: int
    suppressed: int
    add_sample_ids: list[int]
    remove_sample_ids: list[int]

    @property
    def share(self) -> float:
        """Per cent of everyone who would match."""
        return 100 * self.matching / self.everyone if self.everyone else 0.0


@dataclass(frozen=True, slots=True)
class ReplayDay:
    """A shop day: how many fulfilled the condition at its end, and how many began and ceased to that day."""

    day: date
    matching: int
    added: int
    removed: int


@dataclass(frozen=True, slots=True)
class Replay:
    """The days in order. `exact` is false when the condition looks at what is only known as it is now (profile, tags,
    scores), so that past days are answered with today's values. When the brand is large the work is left to a job:
    then `days` is empty and `job_id` is set; call again when the job has finished."""

    days: list[ReplayDay]
    exact: bool
    job_id: int | None = None


def dry_run(*, form: str, definition: dict[str, Any], tag_id: int | None = None, actor: Actor, now: datetime) -> DryRun:
    """What a rule would do to a tag (or to a new one) now. Writes nothing. Raises as `create` does."""
    tag = None if tag_id is None else tagging.get(tag_id)
    node = conditions.parse(queries.checked(form=form, definition=definition, tag=tag, now=now))
    matching = audiences.members_of(node, as_of=now)
    everyone = _active()
    held = _held(tag, now)
    by_rule, by_hand = held["by_rule"] & everyone, held["by_hand"] & everyone
    suppressed = held["suppressed"] & matching
    add = matching - by_rule - by_hand - held["fulfilled"] - held["occupied"]
    remove = by_rule - matching
    seen = _seen(actor)
    return DryRun(
        as_of=now,
        everyone=len(everyone),
        matching=len(matching),
        add=len(add),
        remove=len(remove),
        kept=len(by_hand - matching),
        suppressed=len(suppressed),
        add_sample_ids=_newest(add, seen),
        remove_sample_ids=_newest(remove, seen),
    )


def _active() -> BitMap:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM members_member WHERE status = 'active'")
        return BitMap(row[0] for row in cursor)


def _held(tag: Tag | None, now: datetime) -> dict[str, BitMap]:
    """Who has the tag by a rule and by hand, who fulfils its rule already, and whose group is taken by hand."""
    found = {name: BitMap() for name in ("by_rule", "by_hand", "fulfilled", "suppressed", "occupied")}
    if tag is None:
        return found
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT mt.member_id, mt.tag_id = %s, mt.source = ANY(%s)
            FROM tags_membertag mt JOIN tags_tag t ON t.id = mt.tag_id
            WHERE (mt.tag_id = %s OR (t.group_id = %s AND %s)) AND (mt.expires_at IS NULL OR mt.expires_at > %s)
            """,
            [tag.pk, list(RULE_KINDS), tag.pk, tag.group_id, tag.group.choice == "single", now],
        )
        for member_id, same, by_rule in cursor.fetchall():
            if same:
                found["by_rule" if by_rule else "by_hand"].add(member_id)
            elif not by_rule:
                found["occupied"].add(member_id)
        rule = TagRule.objects.filter(tag=tag).first()
        if rule is not None:
            cursor.execute("SELECT member_id, suppressed FROM tags_watchmember WHERE watch_id = %s", [rule.watch_id])
            for member_id, suppressed in cursor.fetchall():
                found["fulfilled"].add(member_id)
                if suppressed:
                    found["suppressed"].add(member_id)
    return found


def _seen(actor: Actor) -> Callable[[list[int]], list[int]]:
    """Keeps of some member ids those that the actor may see."""

    def keep(member_ids: list[int]) -> list[int]:
        scope, params = scopes.member_sql(actor)
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT m.id FROM members_member m WHERE m.id = ANY(%s) AND {scope} ORDER BY m.id DESC LIMIT %s",
                [member_ids, *params, _SAMPLES],
            )
            return [row[0] for row in cursor.fetchall()]

    return keep


def _newest(members: BitMap, seen: Callable[[list[int]], list[int]]) -> list[int]:
    return seen(list(members[-1_000:])) if members else []


def replay(
    *, form: str, definition: dict[str, Any], tag_id: int | None = None, days: int = 30, actor: Actor, now: datetime
) -> Replay:
    """What the rule would have done at the end of each of the last `days` (1–90) shop days. Raises as `create` does.

    Orders and events after the end of a day do not count for it, and members who joined later are left out; the last
    day is the one before today. Refunds count as they are known now.
    """
    if not 1 <= days <= MOST_DAYS:
        raise Invalid(_("From 1 to %(count)s days.") % {"count": MOST_DAYS}, code="out_of_range", field="days")
    tag = None if tag_id is None else tagging.get(tag_id)
    condition = queries.checked(form=form, definition=definition, tag=tag, now=now)
    node = conditions.parse(condition)
    last = clock.shop_date(now) - timedelta(days=1)
    key = _key(condition, last, days)
    exact = is_exact(node)
    known = cache.get(key)
    if known is not None:
        return Replay([ReplayDay(date.fromisoformat(row.pop("day")), **row) for row in known], exact)
    with connection.cursor() as cursor:
        cursor.execute("SELECT COALESCE(max(id), 0) FROM members_member")
        large = cursor.fetchone()[0] > AT_ONCE
    if not large:
        return Replay(work_out(condition=condition, last=last, days=days), exact)
    waiting = Job.objects.filter(
        kind=JOB_KIND, state__in=[JobState.QUEUED, JobState.RUNNING], params__key=key
    ).first()  # fmt: skip
    if waiting is None:
        params = {"condition": condition, "last": last.isoformat(), "days": days, "key": key}
        waiting = jobs.create(kind=JOB_KIND, label=_("Replay a tag rule"), params=params, actor=actor, total=days)
    return Replay([], exact, waiting.pk)


def run_replay(*, params: dict[str, Any], progress: jobs.Progress) -> None:
    """Work out a large replay and keep the result for a day."""
    found = work_out(
        condition=params["condition"],
        last=date.fromisoformat(params["last"]),
        days=params["days"],
        report=lambda done: progress.report(done=done),
    )
    cache.set(params["key"], [{**asdict(day), "day": day.day.isoformat()} for day in found], timeout=_KEPT_SECONDS)


def work_out(
    *, condition: Any, last: date, days: int, report: Callable[[int], None] = lambda done: None
) -> list[ReplayDay]:
    """The days up to `last`, one set of members per day."""
    node = conditions.parse(condition)
    before = _at_end_of(node, last - timedelta(days=days))
    found = []
    for number in range(days):
        day = last - timedelta(days=days - 1 - number)
        members = _at_end_of(node, day)
        found.append(ReplayDay(day, len(members), len(members - before), len(before - members)))
        before = members
        report(number + 1)
    return found


def _at_end_of(node: Node, day: date) -> BitMap:
    as_of = clock.day_end(day) - timedelta(microseconds=1)
    test = conditions.compile_condition(until(node, day), as_of=as_of)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT m.id FROM members_member m WHERE m.status = 'active' AND m.joined_at <= %s AND ({test.text})",
            [as_of, *test.params],
        )
        return BitMap(row[0] for row in cursor.fetchall())


def until(node: Node, day: date) -> Node:
    """The same condition over the facts up to the end of a day: what has no window gets one that ends there."""
    if isinstance(node, Group):
        return dataclasses.replace(node, children=tuple(until(child, day) for child in node.children))
    if not node.field.windowed:
        return node
    window = node.window
    if window is None:
        return dataclasses.replace(node, window=Window(end=day))
    if window.last is None and (window.end is None or window.end > day):
        return dataclasses.replace(node, window=dataclasses.replace(window, end=day))
    return node


def is_exact(node: Node) -> bool:
    """Whether a past day can be answered as it was: facts with a time, and what never changes."""
    return all(_is_dated(leaf) for leaf in conditions.leaves(node))


def _is_dated(leaf: Leaf) -> bool:
    return leaf.field.windowed or leaf.field.key in _UNCHANGING


def _key(condition: Any, last: date, days: int) -> str:
    text = json.dumps([condition, last.isoformat(), days], sort_keys=True, ensure_ascii=False)
    return f"tag-rule-replay:{hashlib.sha256(text.encode()).hexdigest()}"
