"""Words for tests of watches: facts that land, rules in one line, and what should be true according to SQL."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from members.models import Event, EventType, Member
from members.operations import intake
from members.rules.intake import EventIn, MemberRef
from scrm.common import conditions
from tags.enums import Choice
from tags.models import MemberTag, Tag, TagGroup, TagRule, Watch, WatchFlip, WatchMember
from tags.operations import automatic, watches
from tests.factories import NOW

_numbers = itertools.count(1)
DAY = timedelta(days=1)


def make_tag(name: str = "", group: str = "自动", choice: str = Choice.MULTIPLE, **values: Any) -> Tag:
    found = TagGroup.objects.get_or_create(name=group, defaults={"choice": choice})[0]
    return Tag.objects.create(group=found, name=name or f"标签{next(_numbers)}", **values)


def know(*keys: str) -> None:
    """Event types that exist, so that conditions can name them."""
    for key in keys:
        EventType.objects.get_or_create(key=key)


def did(kind: str, n: int = 1, *, days: int | None = None, **narrowing: Any) -> dict[str, Any]:
    """The leaf "did `kind` at least n times", in the last `days`."""
    know(kind)
    leaf: dict[str, Any] = {"field": "event.count", "op": "ge", "value": n, "with": {"type": [kind], **narrowing}}
    if days is not None:
        leaf["window"] = {"last": {"n": days, "unit": "day"}}
    return leaf


def make_rule(condition: Any, tag: Tag | None = None, *, now: datetime = NOW, enabled: bool = True) -> TagRule:
    """A rule over a condition, enabled and evaluated for everyone."""
    return make_form("condition", {"condition": condition}, tag, now=now, enabled=enabled)


def make_form(
    form: str, definition: dict[str, Any], tag: Tag | None = None, *, now: datetime = NOW, enabled: bool = True
) -> TagRule:
    rule = automatic.create(tag_id=(tag or make_tag()).pk, form=form, definition=definition, now=now)
    if enabled:
        automatic.enable(rule_id=rule.pk, now=now)
        watches.evaluate_everyone(watch_id=rule.watch_id, now=now)
    return rule


def happen(member: Member, kind: str, *, at: datetime = NOW, now: datetime | None = None, **properties: Any) -> None:
    """One event lands through the intake."""
    land([event(member, kind, at=at, **properties)], now=now or max(at, NOW))


def event(member: Member, kind: str, *, at: datetime = NOW, **properties: Any) -> EventIn:
    return EventIn(
        source="shop",
        message_id=f"m{next(_numbers)}",
        type=kind,
        occurred_at=at,
        member=MemberRef(member_id=member.pk),
        properties=properties,
    )


def land(items: list[EventIn], *, now: datetime = NOW) -> None:
    outcomes = intake.land_events(items=items, now=now)
    assert {outcome.status for outcome in outcomes} == {"accepted"}, outcomes


def tags_of(member: Member, *, now: datetime = NOW) -> set[str]:
    rows = MemberTag.objects.filter(member=member).select_related("tag")
    return {row.tag.name for row in rows if row.expires_at is None or row.expires_at > now}


def moves(member: Member) -> list[tuple[str, str]]:
    """(tag.added or tag.removed, name) on the timeline, in the order in which they came."""
    rows = Event.objects.filter(member=member, type__key__startswith="tag.").select_related("type")
    return [(row.type.key, row.properties["tag"]) for row in rows.order_by("occurred_at", "id")]


def truth(watch: Watch, *, now: datetime) -> set[int]:
    """Who fulfils a watch's condition now, by the compiled SQL over everyone."""
    test = conditions.compile_condition(conditions.parse(watch.condition), as_of=now)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT m.id FROM members_member m WHERE m.status = 'active' AND ({test.text})",
            test.params,
        )
        return {row[0] for row in cursor.fetchall()}


def stored(watch: Watch) -> set[int]:
    return set(WatchMember.objects.filter(watch=watch).values_list("member_id", flat=True))


def due(rule: TagRule, member: Member) -> datetime | None:
    row = WatchFlip.objects.filter(watch_id=rule.watch_id, member=member).first()
    return row.due_at if row else None
