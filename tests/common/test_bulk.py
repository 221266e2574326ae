"""The demo brand is the same for a seed, and what it bulk-loads is what the constraints and summaries say."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import IntegrityError, connection, transaction

from members.models import Member, Order, Source
from members.operations import demo, summaries
from scrm.common import bulk
from scrm.common.errors import Conflict
from tests.factories import make_member

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 21, 4, tzinfo=UTC)


def load(members: int = 400) -> dict[str, int]:
    return demo.load(members=members, seed=3, now=NOW, orders_per_member=4.0, report=lambda _: None)


def fingerprint() -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT m.name, m.phone_masked, m.city, m.joined_at, s.order_count, s.net_amount, s.event_count
               FROM members_member m JOIN members_membersummary s ON s.member_id = m.id ORDER BY m.id"""
        )
        return list(cursor.fetchall())


def test_the_same_seed_gives_the_same_brand() -> None:
    with transaction.atomic():
        load()
        first = fingerprint()
        transaction.set_rollback(True)
    load()
    assert fingerprint() == first
    assert len(first) == 400


def test_the_loaded_rows_agree_with_each_other() -> None:
    counts = load()
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT count(*) FROM members_order o
               WHERE amount + discount <> (SELECT sum(l.amount) FROM members_orderline l WHERE l.order_id = o.id)
                  OR refunded_amount
                     <> (SELECT COALESCE(sum(r.amount), 0) FROM members_refund r WHERE r.order_id = o.id)"""
        )
        assert cursor.fetchone() == (0,)
        cursor.execute("SELECT sum(order_count), sum(net_amount) FROM members_membersummary")
        summed = cursor.fetchone()
        cursor.execute("SELECT count(*), sum(net_amount) FROM members_order WHERE counts")
        assert summed == cursor.fetchone()
    assert Order.objects.count() == counts["orders"]
    assert summaries.rebuild() == 0


def test_indexes_and_foreign_keys_are_back_afterwards() -> None:
    load()
    member, source = Member.objects.first(), Source.objects.first()
    order = Order.objects.first()
    assert member is not None
    assert order is not None
    values = {"state": "paid", "amount": 1, "ordered_at": NOW, "paid_at": NOW, "version_at": NOW, "source": source}
    with pytest.raises(IntegrityError, match="order_once"), transaction.atomic():
        Order.objects.create(member_id=order.member_id, external_number=order.external_number, **values)
    with pytest.raises(IntegrityError, match="foreign key"), transaction.atomic():
        Order.objects.create(member_id=999_999, external_number="x", **values)  # checks are immediate after a load


def test_a_brand_with_members_is_never_seeded_over() -> None:
    make_member()
    with pytest.raises(Conflict):
        load()


def test_a_failed_load_leaves_the_indexes_as_they_were() -> None:
    def indexes() -> list[str]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT indexdef FROM pg_indexes WHERE tablename = 'members_order' ORDER BY 1")
            return [row[0] for row in cursor.fetchall()]

    before = indexes()

    def fail_inside() -> None:
        with transaction.atomic(), bulk.without_indexes(["members_order"]):
            assert indexes() == []
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_inside()
    assert indexes() == before
