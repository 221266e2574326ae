"""When time alone can turn an answer: never told too late, and always of an instant to come."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dateutil.relativedelta import relativedelta
from django.db import connection

from members.models import Event, EventType, Member, Refund
from scrm.common import conditions
from tags.models import MemberTag, Segment, Tag, TagGroup
from tests.factories import NOW, make_member, make_order, make_source

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
SHANGHAI = ZoneInfo("Asia/Shanghai")


def did(member: Member, kind: str, *moments: datetime) -> None:
    for at in moments:
        Event.objects.create(
            member=member, source=make_source(), type=EventType.objects.get_or_create(key=kind)[0],
            message_id=f"{kind}{at}", occurred_at=at,
        )  # fmt: skip


def ask(raw: dict[str, Any], member: Member, as_of: datetime) -> tuple[bool, datetime | None]:
    """The answer, and when it may turn: after `as_of` in any case."""
    node = conditions.parse(raw)
    test, flip = conditions.compile_condition(node, as_of=as_of), conditions.compile_flip(node, as_of=as_of)
    flip = flip or conditions.Sql("NULL::timestamptz")
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {test.text}, {flip.text} FROM members_member m WHERE m.id = %s",
            [*test.params, *flip.params, member.pk],
        )
        answer, at = cursor.fetchone()
    assert at is None or at > as_of
    return answer, at


def flip(raw: dict[str, Any], member: Member, as_of: datetime = NOW) -> datetime | None:
    return ask(raw, member, as_of)[1]


def walk(raw: dict[str, Any], member: Member, start: datetime, end: datetime, step: timedelta) -> list[datetime]:
    """Look every `step`: the answer is what it was at the last instant told. Answers when it turned."""
    turned = []
    at = start
    answer, following = ask(raw, member, at)
    while at < end:
        at += step
        while following is not None and following <= at:
            before, instant = answer, following
            answer, following = ask(raw, member, instant)
            turned += [instant] if answer != before else []
        seen, _ = ask(raw, member, at)
        assert seen == answer, f"turned untold before {at}"
    return turned


def local(text: str, zone: str = "Asia/Shanghai") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


@pytest.mark.parametrize("op", ["in_last", "in_next", "at_least_ago"])
@pytest.mark.parametrize(
    ("zone", "moment", "span"),
    [
        ("Asia/Shanghai", "2026-01-31T10:00", {"n": 1, "unit": "month"}),
        ("Asia/Shanghai", "2026-02-28T10:00", {"n": 1, "unit": "month"}),
        ("Asia/Shanghai", "2026-03-31T10:00", {"n": 1, "unit": "month"}),
        ("Asia/Shanghai", "2026-03-31T10:00", {"n": 30, "unit": "hour"}),
        ("Europe/Berlin", "2026-03-28T02:30", {"n": 1, "unit": "day"}),
        ("Europe/Berlin", "2026-10-24T02:30", {"n": 1, "unit": "day"}),
        ("Europe/Berlin", "2026-10-25T02:30", {"n": 1, "unit": "week"}),
        ("America/New_York", "2026-02-28T02:30", {"n": 8, "unit": "day"}),
        ("America/New_York", "2026-10-01T01:30", {"n": 1, "unit": "month"}),
        ("Australia/Lord_Howe", "2026-03-29T01:45", {"n": 1, "unit": "week"}),
        ("Etc/GMT-8", "2026-05-31T10:00", {"n": 1, "unit": "month"}),
    ],
)
def test_an_instant_crosses_a_bound_in_any_zone(settings: Any, op: str, zone: str, moment: str, span: Any) -> None:
    settings.TIME_ZONE = zone
    at = local(moment, zone)
    member = make_member(joined_at=at)
    raw = {"field": "joined_at", "op": op, "value": span}
    sign = -1 if op == "in_next" else 1
    moved = (datetime.fromisoformat(moment) + sign * relativedelta(**{span["unit"] + "s": span["n"]})).isoformat()
    bound = at + sign * timedelta(hours=30) if span["unit"] == "hour" else local(moved, zone)
    calm = 5 * DAY if span["unit"] == "month" else 5 * HOUR
    # Closely around the bound, then far on: nothing turns any more.
    walk(raw, member, bound - calm / 5, bound + calm, timedelta(minutes=7 if calm < DAY else 101))
    walk(raw, member, at - 2 * HOUR, at + 2 * HOUR, HOUR)
    assert flip(raw, member, max(at, bound) + 40 * DAY) is None


def test_a_plain_bound_is_told_to_the_microsecond() -> None:
    member = make_member(joined_at=local("2026-03-10T10:11:12.131415"))
    for unit, n, then in (("day", 30, "2026-04-09"), ("week", 2, "2026-03-24"), ("month", 1, "2026-04-10")):
        raw = {"field": "joined_at", "op": "in_last", "value": {"n": n, "unit": unit}}
        assert flip(raw, member, local("2026-03-20T00:00")) == local(f"{then}T10:11:12.131415")
        assert flip(raw, member, local("2026-03-01T00:00")) == member.joined_at
        assert flip(raw, member, local(f"{then}T10:11:12.131415")) is None


@pytest.mark.parametrize("born", [date(1996, 2, 29), date(1996, 3, 1), date(1990, 12, 31), date(2026, 1, 31)])
@pytest.mark.parametrize(
    ("op", "value"),
    [
        ("anniversary_next", 1), ("anniversary_next", 7), ("anniversary_last", 3), ("anniversary_within", 3),
        ("anniversary_next", 366), ("in_last", {"n": 1, "unit": "month"}), ("in_next", {"n": 1, "unit": "month"}),
        ("at_least_ago", {"n": 1, "unit": "month"}), ("in_last", 10), ("in_next", 10), ("at_least_ago", 10),
    ],
)  # fmt: skip
def test_a_date_turns_at_midnight(born: date, op: str, value: Any) -> None:
    member = make_member(birth_on=born)
    start = local("2026-01-05T12:00" if born.year == 2026 else "2027-02-20T12:00")
    for turned in walk({"field": "birthday", "op": op, "value": value}, member, start, start + 75 * DAY, DAY):
        assert turned.astimezone(SHANGHAI).hour == turned.minute == 0


def test_birthdays_are_told_once_a_year() -> None:
    member = make_member(birth_on=date(1990, 12, 25))
    week = {"field": "birthday", "op": "anniversary_next", "value": 7}
    assert flip(week, member) == local("2026-12-19T00:00")
    assert flip(week, member, local("2026-12-19T00:00")) == local("2026-12-26T00:00")
    assert flip(week, member, local("2026-12-26T00:00")) == local("2027-12-19T00:00")
    assert flip({"field": "age", "op": "ge", "value": 40}, member) == local("2026-12-25T00:00")
    assert flip({"field": "birthday", "op": "month", "value": [12]}, member) is None
    assert flip({"field": "birthday", "op": "before", "value": "2000-01-01"}, member) is None


def test_only_the_event_that_keeps_the_count_is_waited_for() -> None:
    member = make_member()
    did(member, "view", NOW - 6 * DAY, NOW - 5 * DAY, NOW - 2 * DAY, NOW - DAY)
    views = {"field": "event.count", "window": {"last": 7}, "with": {"type": ["view"]}}
    assert flip({**views, "op": "ge", "value": 3}, member) == NOW + 2 * DAY
    assert flip({**views, "op": "gt", "value": 3}, member) == NOW + DAY
    assert flip({**views, "op": "lt", "value": 2}, member) == NOW + 5 * DAY
    assert flip({**views, "op": "eq", "value": 1}, member) == NOW + 5 * DAY
    assert flip({**views, "op": "between", "value": [2, 3]}, member) == NOW + DAY
    assert flip({**views, "op": "ge", "value": 5}, member) is None
    assert flip({**views, "field": "event", "op": "true"}, member) == NOW + 6 * DAY
    assert flip({**views, "field": "event.last_at", "op": "set"}, member) == NOW + 6 * DAY
    assert flip({**views, "field": "event.first_at", "op": "set"}, member) == NOW + DAY
    assert flip({"field": "event.count", "op": "ge", "value": 3, "with": {"type": ["view"]}}, member) is None
    did(member, "view", NOW + 3 * HOUR)
    assert flip({**views, "op": "ge", "value": 5}, member) == NOW + 3 * HOUR
    assert flip({**views, "op": "ge", "value": 1, "window": {"from": "2026-11-01"}}, member) is None
    walk({**views, "op": "ge", "value": 3}, member, NOW, NOW + 14 * DAY, 7 * HOUR)


def test_orders_and_refunds_leave_their_window() -> None:
    member = make_member()
    make_order(member, amount=10_000, paid_at=NOW - 20 * DAY)
    make_order(member, amount=5_000, paid_at=NOW - 3 * DAY)
    Refund.objects.create(
        member=member, source=make_source(), external_number="R", amount=100, refunded_at=NOW - 25 * DAY
    )
    month = {"last": {"n": 30, "unit": "day"}}
    assert flip({"field": "order.sum", "op": "ge", "value": "100", "window": month}, member) == NOW + 5 * DAY
    assert flip({"field": "order.count", "op": "ge", "value": 1, "window": month}, member) == NOW + 27 * DAY
    assert flip({"field": "order.largest", "op": "ge", "value": "60", "window": month}, member) == NOW + 10 * DAY
    assert flip({"field": "order.last_at", "op": "at_least_ago", "value": 60}, member) == NOW + 57 * DAY
    assert flip({"field": "order.count", "op": "ge", "value": 1}, member) is None
    for field in ("order.sum", "order.average", "order.largest"):
        walk({"field": field, "op": "ge", "value": "60", "window": month}, member, NOW, NOW + 40 * DAY, DAY)
    for field in ("order.products", "order.categories"):
        assert flip({"field": field, "op": "ge", "value": 1, "window": month}, member) == NOW + 10 * DAY


@pytest.mark.parametrize("op", ["ge", "gt", "le", "lt", "eq", "between"])
def test_a_fading_weight_falls_through_its_threshold(op: str) -> None:
    member = make_member()
    did(member, "read", NOW - DAY, NOW - 3 * DAY, NOW - 6 * DAY, NOW + 2 * DAY)
    raw = {
        "field": "event.weight", "op": op, "value": ["0.5", "1.2"] if op == "between" else "0.75",
        "with": {"type": ["read"], "half_life_days": 3},
    }  # fmt: skip
    turned = walk(raw, member, NOW, NOW + 20 * DAY, 5 * HOUR)
    assert len(turned) == {"ge": 1, "gt": 1, "le": 1, "lt": 1, "eq": 2, "between": 4}[op]


def test_a_weight_alone_is_told_to_the_second() -> None:
    member = make_member()
    did(member, "read", NOW, NOW + timedelta(microseconds=1))
    raw = {"field": "event.weight", "op": "ge", "value": 1, "with": {"type": ["read"], "half_life_days": 7}}
    told = flip(raw, member, NOW + DAY)
    assert told is not None
    assert abs(told - (NOW + 7 * DAY)) < timedelta(seconds=2)


def test_a_tag_expires_and_fades() -> None:
    group = TagGroup.objects.create(name="兴趣")
    tag, other = (Tag.objects.create(group=group, name=name) for name in ("育儿", "数码"))
    member = make_member()
    MemberTag.objects.create(
        member=member,
        tag=tag,
        expires_at=NOW + 9 * DAY,
        assigned_at=NOW - DAY,
        weight=4,
        weight_at=NOW,
        half_life_days=2,
    )
    MemberTag.objects.create(member=member, tag=other, expires_at=NOW + DAY, assigned_at=NOW, weight=4)
    assert flip({"field": "tag", "op": "any_of", "value": [tag.pk]}, member) == NOW + 9 * DAY
    assert flip({"field": "tag", "op": "set"}, member) == NOW + DAY
    assert flip({"field": "tag_group", "op": "none_of", "value": [group.pk]}, member) == NOW + DAY
    weight = {"field": "tag.weight", "op": "ge", "value": 1, "with": {"tag": tag.pk}}
    told = flip(weight, member)
    assert told is not None
    assert abs(told - (NOW + 4 * DAY)) < timedelta(seconds=2)
    assert walk(weight, member, NOW, NOW + 12 * DAY, 5 * HOUR) != []
    assert flip({**weight, "with": {"tag": other.pk}}, member) == NOW + DAY
    aged = {"field": "tag.assigned_at", "op": "at_least_ago", "value": 3, "with": {"tag": tag.pk}}
    assert walk(aged, member, NOW, NOW + 12 * DAY, 5 * HOUR) == [NOW + 2 * DAY, NOW + 9 * DAY]


def test_a_segment_turns_when_what_is_in_it_does() -> None:
    member = make_member(joined_at=NOW - 5 * DAY)
    new = Segment.objects.create(name="新客", condition={"field": "joined_at", "op": "in_last", "value": 30})
    outer = Segment.objects.create(
        name="外", condition={"none": [{"field": "segment", "op": "any_of", "value": [new.pk]}]}
    )
    listed = Segment.objects.create(name="名单", kind="static")
    assert flip({"field": "segment", "op": "any_of", "value": [outer.pk, listed.pk]}, member) == NOW + 25 * DAY
    assert flip({"field": "segment", "op": "any_of", "value": [listed.pk]}, member) is None
    assert conditions.dependencies(
        conditions.parse({"field": "segment", "op": "any_of", "value": [outer.pk, listed.pk]})
    ) == {"created", "profile", f"segment:{new.pk}", f"segment:{outer.pk}", f"segment:{listed.pk}"}


def test_a_sequence_leaves_its_window() -> None:
    member = make_member()
    did(member, "cart", NOW - 5 * DAY, NOW - 2 * DAY)
    did(member, "pay", NOW - 4 * DAY)
    raw = {
        "field": "event.sequence", "op": "true", "window": {"last": 10},
        "with": {"first": {"type": ["cart"]}, "then": {"type": ["pay"]}, "within": 2},
    }  # fmt: skip
    assert walk(raw, member, NOW, NOW + 12 * DAY, 6 * HOUR) == [NOW + 5 * DAY]
    assert flip({**raw, "window": None}, member) is None


def test_the_earliest_of_a_tree_counts_and_what_never_turns_does_not() -> None:
    member = make_member(joined_at=NOW - 5 * DAY, birth_on=date(1990, 12, 25), city="上海")
    never = [{"field": "city", "op": "eq", "value": "上海"}, {"field": "bucket", "op": "lt", "value": 5_000}]
    assert conditions.compile_flip(conditions.parse({"all": never}), as_of=NOW) is None
    tree = {
        "any": [*never, {"field": "birthday", "op": "anniversary_next", "value": 1},
                {"none": [{"field": "joined_at", "op": "in_last", "value": 7}]}],
    }  # fmt: skip
    assert flip(tree, member) == NOW + 2 * DAY
    assert flip({"field": "order.last_at", "op": "at_least_ago", "value": 7}, member) is None


def test_what_a_condition_hangs_on() -> None:
    for key in ("view", "pay"):
        EventType.objects.create(key=key)
    tree = {
        "all": [
            {"field": "event", "op": "true", "with": {"type": ["view"]}},
            {"none": [{"field": "event.sequence", "op": "true", "with": {
                "first": {"type": ["view"]}, "then": {"type": ["pay"]}, "within": 1}}]},
            {"any": [{"field": "order.count", "op": "ge", "value": 1}, {"field": "identity", "op": "set"},
                     {"field": "consent.email", "op": "set"}, {"field": "rfm.r", "op": "ge", "value": 3},
                     {"field": "lifecycle", "op": "set"}, {"field": "message.count", "op": "ge", "value": 1},
                     {"field": "tag", "op": "set"}]},
        ]
    }  # fmt: skip
    assert conditions.dependencies(conditions.parse(tree)) == {
        "created", "event:view", "event:pay", "order", "identity", "consent", "rfm", "lifecycle", "message", "tag",
    }  # fmt: skip
    assert conditions.dependencies(conditions.parse({"field": "bucket", "op": "lt", "value": 5})) == {"created"}
