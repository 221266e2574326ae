"""The ledger of everybody: the latest first, over any span of time, found by reference without knowing the member."""

from __future__ import annotations

from datetime import timedelta

import pytest

from members.models import PointsEntry
from members.operations import currencies, points
from members.queries import points_ledger
from scrm.common import clock
from scrm.common.access import SYSTEM
from tests.factories import make_member

pytestmark = pytest.mark.django_db
# One within each span that is looked at, and one at its edge.
AGES = [
    timedelta(seconds=59), timedelta(minutes=1), timedelta(minutes=29), timedelta(hours=14), timedelta(days=18),
    timedelta(days=19), timedelta(days=400),
]  # fmt: skip


def keys(search: dict[str, object], size: int = 2) -> list[tuple[int, int]]:
    """Member and number of every entry that a search leaves, page by page."""
    currencies.get(currencies.POINTS)
    rows, cursor = [], None
    while True:
        found = points_ledger.page(
            points_ledger.narrow(points_ledger.of_everybody(SYSTEM), search), cursor=cursor, size=size
        )
        rows += [(row.member_id, row.number) for row in found.rows]
        cursor = found.next_cursor
        if cursor is None:
            return rows


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_pages_run_through_all_time_without_a_gap(size: int) -> None:
    now = clock.now()
    members = [make_member(), make_member()]
    for age in sorted(AGES, reverse=True):
        for member in members:  # at one instant
            points.earn(member_id=member.pk, amount=5, reference=f"{age}", now=now - age)
    expected = list(
        PointsEntry.objects.order_by("-booked_at", "-member_id", "-number").values_list("member_id", "number")
    )
    assert keys({}, size) == expected
    assert len(expected) == 2 * len(AGES)


def test_a_reference_finds_its_whole_movement_whoever_it_is_of() -> None:
    now = clock.now()
    one, other = make_member(), make_member()
    for member in (one, other):
        points.earn(member_id=member.pk, amount=100, reference="order:1", now=now)
    points.hold(member_id=one.pk, amount=50, reference="cart:7", now=now)
    points.post(member_id=one.pk, amount=20, reference="cart:7", now=now)
    assert keys({"reference": "order:1"}) == [(other.pk, 1), (one.pk, 1)]
    # Held, spent, and the rest released.
    assert keys({"reference": "cart:7"}) == [(one.pk, 4), (one.pk, 3), (one.pk, 2)]
    assert keys({"reference": "cart"}) == []
