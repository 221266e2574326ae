"""Which facts count for tasks: read from orders, events, profiles and check-ins, for a few members at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from members.enums import IdentityKind, TaskKind, TaskMeasure, TaskWindow
from members.queries.event_fields import SPECIAL, all_of, of_types
from members.rules.attributes import PREFIX
from members.rules.tasks import Fact, Span
from scrm.common.conditions import Sql, bind, compose
from scrm.common.conditions.sql import FALSE
from scrm.common.conditions.where import compile_tests, read_tests

# What a profile may have to hold, by key: tests over `m`, a member.
PROFILE: dict[str, str] = {
    "name": "m.name <> ''",
    "gender": "m.gender <> ''",
    "birthday": "m.birth_on IS NOT NULL",
    "city": "m.city <> ''",
    **{
        kind.value: (f"EXISTS (SELECT 1 FROM members_identity i WHERE i.member_id = m.id AND i.kind = '{kind.value}')")
        for kind in (IdentityKind.PHONE, IdentityKind.EMAIL, IdentityKind.UNIONID)
    },
}


@dataclass(frozen=True, slots=True)
class Counted:
    """What of a task decides which facts count. `most` bounds how many of a member's first facts can matter."""

    kind: str
    counting: Mapping[str, Any]
    spans: tuple[Span, ...]
    most: int | None = None

    def since(self, now: datetime) -> datetime:
        """From when on facts can count at all; what a profile holds is known as of now."""
        if self.kind == TaskKind.PROFILE or not self.spans:
            return now
        return min(start for start, _end in self.spans)


def most_that_matter(*, measure: str, window: str, needed: int, times: int) -> int | None:
    """How many of the first facts decide everything; None when all may."""
    if measure == TaskMeasure.COUNT and window == TaskWindow.WHOLE and times:
        return needed * times
    return None


# task id, what counts, the members and from when on the facts of each are asked for
Asked = Sequence[tuple[int, Counted, Mapping[int, datetime]]]


def of_members(asked: Asked) -> dict[tuple[int, int], list[Fact]]:
    """The facts by (task, member). One statement; of profiles the fields that are set, at the instant asked for."""
    parts = [
        compose("(SELECT {}::int, x.* FROM ({}) x)", bind(task_id), _SOURCES[counted.kind](counted, _members(since)))
        for task_id, counted, since in asked
        if since and counted.spans
    ]
    found: dict[tuple[int, int], list[Fact]] = {}
    if not parts:
        return found
    with connection.cursor() as cursor:
        cursor.execute(
            " UNION ALL ".join(part.text for part in parts), [value for part in parts for value in part.params]
        )
        for task_id, member_id, key, at, amount in cursor.fetchall():
            found.setdefault((task_id, member_id), []).append(Fact(at, key, amount))
    return found


def of_everyone(counted: Counted, *, sample: Sql, since: datetime) -> Sql:
    """The same facts as a query of (member_id, key, at, amount), of the members `m` that pass `sample`."""
    members = compose(
        "(SELECT m.id, {}::timestamptz AS since FROM members_member m WHERE m.status = 'active' AND {})",
        bind(since), sample,
    )  # fmt: skip
    return _SOURCES[counted.kind](counted, members)


def _members(since: Mapping[int, datetime]) -> Sql:
    return compose(
        "unnest({}::bigint[], {}::timestamptz[])", bind(list(since)), bind(list(since.values()))
    )  # fmt: skip


def _in_spans(column: str, counted: Counted) -> Sql:
    tests = [
        Sql(f"{column} >= %s", (start,)) if end is None else Sql(f"({column} >= %s AND {column} < %s)", (start, end))
        for start, end in counted.spans
    ]
    if not tests:
        return FALSE
    return Sql(
        "(" + " OR ".join(test.text for test in tests) + ")", tuple(value for test in tests for value in test.params)
    )


def _limit(counted: Counted, order: str) -> Sql:
    return Sql("") if counted.most is None else compose(f" ORDER BY {order} LIMIT {{}}", bind(counted.most))


def _events(counted: Counted, members: Sql) -> Sql:
    tests = compile_tests(read_tests(counted.counting.get("where", [])), "e.properties", SPECIAL)
    return compose(
        "SELECT q.id AS member_id, 'event:' || f.id AS key, f.at, f.amount FROM {} AS q (id, since), LATERAL ("
        "SELECT e.id, e.occurred_at AS at, COALESCE(e.amount, 0) AS amount FROM members_event e WHERE {}{}) f",
        members,
        all_of(
            [
                Sql("e.member_id = q.id AND e.occurred_at >= q.since"),
                of_types(counted.counting["types"]),
                _in_spans("e.occurred_at", counted),
                *tests,
            ]
        ),
        _limit(counted, "e.occurred_at, e.id"),
    )


_LINES = "members_orderline l JOIN members_product p ON p.id = l.product_id WHERE l.order_id = o.id"
_SCOPE = (
    ("sources", "o.source_id = ANY({}::bigint[])"),
    ("stores", "o.store_id = ANY({}::bigint[])"),
    ("channels", "o.channel = ANY({})"),
    ("categories", f"EXISTS (SELECT 1 FROM {_LINES} AND p.category = ANY({{}}))"),
    ("products", f"EXISTS (SELECT 1 FROM {_LINES} AND p.sku = ANY({{}}))"),
)


def _orders(counted: Counted, members: Sql) -> Sql:
    given = counted.counting
    tests = [compose(test, bind(list(given[key]))) for key, test in _SCOPE if given.get(key)]
    if given.get("minimum"):
        tests.append(compose("o.net_amount >= {}", bind(given["minimum"])))
    return compose(
        "SELECT q.id AS member_id, 'order:' || f.id AS key, f.at, f.amount FROM {} AS q (id, since), LATERAL ("
        "SELECT o.id, o.paid_at AS at, o.net_amount AS amount FROM members_order o WHERE {}{}) f",
        members,
        all_of(
            [
                Sql("o.member_id = q.id AND o.counts AND o.paid_at >= q.since"),
                _in_spans("o.paid_at", counted),
                *tests,
            ]
        ),
        _limit(counted, "o.paid_at, o.id"),
    )


def _profiles(counted: Counted, members: Sql) -> Sql:
    fields = [
        compose("({}::text, {})", bind(key), profile_test(key)) for key in dict.fromkeys(counted.counting["fields"])
    ]
    return Sql(
        f"SELECT q.id AS member_id, 'profile:' || f.key AS key, q.since AS at, 0::bigint AS amount"
        f" FROM {members.text} AS q (id, since) JOIN members_member m ON m.id = q.id,"
        f" LATERAL (VALUES {', '.join(one.text for one in fields)}) AS f (key, held) WHERE f.held",
        (*members.params, *(value for one in fields for value in one.params)),
    )


def profile_test(key: str) -> Sql:
    """Whether a member's profile holds it."""
    if key.startswith(PREFIX):
        return compose("COALESCE(m.attributes ->> {}, '') <> ''", bind(key.removeprefix(PREFIX)))
    return Sql(PROFILE[key])


def _checkins(counted: Counted, members: Sql) -> Sql:
    return compose(
        "SELECT q.id AS member_id, 'checkin:' || c.day AS key, c.occurred_at AS at, 0::bigint AS amount"
        " FROM {} AS q (id, since) JOIN members_checkin c ON c.member_id = q.id AND c.occurred_at >= q.since"
        " WHERE c.calendar_id = {} AND {}",
        members, bind(counted.counting["calendar"]), _in_spans("c.occurred_at", counted),
    )  # fmt: skip


_SOURCES: dict[str, Callable[[Counted, Sql], Sql]] = {
    TaskKind.EVENT: _events,
    TaskKind.ORDER: _orders,
    TaskKind.PROFILE: _profiles,
    TaskKind.CHECKIN: _checkins,
}
