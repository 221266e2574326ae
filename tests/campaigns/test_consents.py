"""Who may be contacted: the latest answer counts, silence is no for marketing, and of two at once the stricter wins."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from members.operations import consents
from members.queries import consents as answers
from scrm.common.errors import Invalid
from tests import factories

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)


def say(
    member_id: int, state: str, at: datetime, *, channel: str = "email", purpose: str = "marketing"
) -> consents.Entry:
    return consents.Entry(member_id, channel, purpose, state, at, "form")


def allowed(*member_ids: int, purpose: str = "marketing") -> set[int]:
    return answers.allowed(member_ids=member_ids, channel="email", purpose=purpose)


def test_never_asked_is_no_for_marketing_and_yes_for_service() -> None:
    member = factories.make_member()
    assert allowed(member.pk) == set()
    assert allowed(member.pk, purpose="service") == {member.pk}


def test_the_latest_answer_counts_whatever_the_order_of_arrival() -> None:
    member = factories.make_member()
    consents.record(entries=[say(member.pk, "withdrawn", NOW)], now=NOW)
    consents.record(entries=[say(member.pk, "granted", NOW - timedelta(days=1))], now=NOW)
    assert allowed(member.pk) == set()
    consents.record(entries=[say(member.pk, "granted", NOW + timedelta(minutes=1))], now=NOW)
    assert allowed(member.pk) == {member.pk}
    assert len(answers.history(member.pk)) == 3


@pytest.mark.parametrize("order", [("granted", "withdrawn"), ("withdrawn", "granted")])
def test_of_two_answers_at_one_instant_the_stricter_counts(order: tuple[str, str]) -> None:
    one, other = factories.make_member(), factories.make_member()
    consents.record(entries=[say(one.pk, state, NOW) for state in order], now=NOW)
    for state in order:
        consents.record(entries=[say(other.pk, state, NOW)], now=NOW)
    assert allowed(one.pk, other.pk) == set()


def test_the_same_answer_again_changes_nothing() -> None:
    member = factories.make_member()
    entry = say(member.pk, "granted", NOW)
    assert consents.record(entries=[entry, entry], now=NOW) == 1
    assert consents.record(entries=[entry], now=NOW) == 0


def test_an_answer_from_the_future_is_refused_and_nothing_is_written() -> None:
    member = factories.make_member()
    with pytest.raises(Invalid) as caught:
        consents.record(
            entries=[say(member.pk, "granted", NOW), say(member.pk, "granted", NOW + timedelta(hours=1))],
            now=NOW,
        )
    assert caught.value.code == "in_future"
    assert answers.history(member.pk) == []


def test_reachable_needs_consent_an_address_and_an_active_member() -> None:
    reachable = factories.make_member(email="a@example.com")
    silent = factories.make_member(email="b@example.com")
    homeless = factories.make_member()
    for member in (reachable, homeless):
        consents.record(entries=[say(member.pk, "granted", NOW)], now=NOW)
    sql, params = answers.reachable_sql("email")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT m.id FROM members_member m WHERE {sql}", params)
        assert {row[0] for row in cursor.fetchall()} == {reachable.pk}
    assert silent.pk not in allowed(silent.pk)
