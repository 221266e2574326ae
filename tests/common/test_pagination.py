"""Pages one after the other are the whole list, whatever the directions, ties and missing values."""

from __future__ import annotations

import base64
import json
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from members.models import Member, MemberSummary
from scrm.common import pagination
from scrm.common.errors import Invalid
from tests.factories import NOW

pytestmark = pytest.mark.django_db

PATHS = ["joined_at", "name", "birth_on", "summary__last_order_at", "summary__net_amount", "summary__order_count"]
# Few distinct values, so that ties and missing values are the rule.
ROWS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(["", "a", "b"]),
        st.sampled_from([None, 0, 1]),
        st.sampled_from([None, 0, 1, 2]),
        st.booleans(),
    ),
    max_size=12,
)


def walk(queryset: Any, order: list[tuple[str, bool]], size: int) -> list[Any]:
    rows, cursor, pages = [], None, 0
    while pages == 0 or cursor:
        page = pagination.paginate(queryset, order=order, cursor=cursor, size=size)
        assert len(page.rows) == size or page.next_cursor is None
        rows += page.rows
        cursor = page.next_cursor
        pages += 1
        assert pages < 50
    return rows


def sort_key(order: list[tuple[str, bool]]) -> Any:
    def number(value: Any) -> float:
        match value:
            case str():
                return float(ord(value)) if value else 0.0
            case datetime():
                return value.timestamp()
            case date():
                return float(value.toordinal())
        return float(value)

    def key(row: Member) -> list[tuple[bool, float]]:
        values = []
        for path, descending in order:
            value: Any = row
            for part in path.split("__"):
                value = None if value is None else getattr(value, part, None)
            values.append((value is None, 0.0 if value is None else -number(value) if descending else number(value)))
        return values

    return key


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=ROWS,
    order=st.lists(st.tuples(st.sampled_from(PATHS), st.booleans()), max_size=3, unique_by=lambda pair: pair[0]),
    id_descending=st.booleans(),
    size=st.integers(1, 5),
)
def test_pages_joined_are_the_sorted_list(rows: Any, order: Any, id_descending: bool, size: int) -> None:
    with transaction.atomic():
        make_rows(rows)
        full = [*order, ("id", id_descending)]
        listed = walk(Member.objects.select_related("summary"), full, size)
        everyone = list(Member.objects.select_related("summary"))
        transaction.set_rollback(True)
    assert [row.pk for row in listed] == [row.pk for row in sorted(everyone, key=sort_key(full))]


def make_rows(rows: Any) -> None:
    for joined, name, born, last, summarised in rows:
        member = Member.objects.create(
            joined_at=NOW - timedelta(days=joined),
            name=name,
            birth_on=None if born is None else (NOW - timedelta(days=9000 + born)).date(),
        )
        if summarised:
            MemberSummary.objects.create(
                member=member,
                last_order_at=None if last is None else NOW - timedelta(days=last),
                net_amount=last or 0,
                order_count=last or 0,
            )


@pytest.mark.parametrize(
    ("order", "index"),
    [
        ([("joined_at", True), ("id", True)], "member_by_joined"),
        ([("joined_at", False), ("id", False)], "member_by_joined"),
        ([("joined_at", True), ("id", False)], "member_by_joined"),
        ([("summary__net_amount", True), ("summary__member", True)], "summary_by_net"),
        ([("summary__net_amount", False), ("summary__member", False)], "summary_by_net"),
        ([("summary__last_order_at", True), ("summary__member", True)], "summary_by_last_order"),
        ([("summary__last_order_at", False), ("summary__member", False)], "summary_by_last_order"),
        ([("summary__order_count", True), ("summary__member", True)], "summary_by_orders"),
    ],
)
def test_a_page_starts_in_the_index_where_the_cursor_points(order: Any, index: str) -> None:
    cursor = pagination.encode([NOW if order[0][0].endswith("_at") else 5, 7])
    queryset = Member.objects.select_related("summary")
    with connection.cursor() as sql:
        sql.execute("SET LOCAL enable_seqscan = off")
        sql.execute("SET LOCAL enable_bitmapscan = off")
        sql.execute("SET LOCAL enable_sort = off")
    with CaptureQueriesContext(
        connection,
    ) as captured:
        pagination.paginate(queryset, order=order, cursor=cursor, size=10)
    with connection.cursor() as sql:
        sql.execute("EXPLAIN " + captured.captured_queries[0]["sql"])
        plan = "\n".join(row[0] for row in sql.fetchall())
    assert f"using {index}" in plan, plan
    walked = plan.split(f"using {index}")[1]
    assert walked.split("\n")[1].strip().startswith("Index Cond:"), plan


@pytest.mark.parametrize(
    "cursor",
    [
        "nonsense",
        "é",
        "A" * 5_000,
        base64.urlsafe_b64encode(b"{}").decode(),
        *(
            base64.urlsafe_b64encode(json.dumps(values).encode()).decode()
            for values in (
                [1],
                [None, 1],
                [{"t": "2026-01-01"}, 1],
                [{"t": "never"}, 1],
                ["\0", 1],
                ["\ud800", 1],
                [{"t": "2026-01-01T00:00:00+00:00"}, "x"],
                [{"t": "2026-01-01T00:00:00+00:00"}, 2**70],
                [{"t": "2026-01-01T00:00:00+00:00"}, 1.5],
                [{"t": "2026-01-01T00:00:00+00:00"}, True],
                [[[[]]], 1],
            )
        ),
    ],
)
def test_a_forged_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(Invalid) as caught:
        pagination.paginate(Member.objects.all(), order=[("joined_at", True), ("id", True)], cursor=cursor, size=10)
    assert caught.value.code == "bad_cursor"
