"""Messages in conditions: sent, delivered, opened and clicked ones, and what hears of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from campaigns.models import Message
from campaigns.operations import outcomes
from members.models import Member
from scrm.common import conditions, reactions
from tests.campaigns.building import make_campaign
from tests.factories import NOW, make_member

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def ask(raw: dict[str, Any], member: Member) -> tuple[bool, datetime | None]:
    node = conditions.parse(raw)
    test, flip = conditions.compile_condition(node, as_of=NOW), conditions.compile_flip(node, as_of=NOW)
    flip = flip or conditions.Sql("NULL::timestamptz")
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {test.text}, {flip.text} FROM members_member m WHERE m.id = %s",
            [*test.params, *flip.params, member.pk],
        )
        answer, at = cursor.fetchone()
    return answer, at


def test_messages_are_counted_by_what_became_of_them() -> None:
    member = make_member()
    one, other = make_campaign([]), make_campaign([])
    Message.objects.create(
        campaign=one, member=member, channel="email", state="clicked",
        handed_at=NOW - 9 * DAY, opened_at=NOW - 8 * DAY, clicked_at=NOW - 7 * DAY,
    )  # fmt: skip
    Message.objects.create(campaign=other, member=member, channel="sandbox", state="handed", handed_at=NOW - 2 * DAY)
    Message.objects.create(
        campaign=other, member=member, channel="email", state="skipped", reason="capped", handed_at=None
    )

    def count(n: int, days: int | None = None, **narrowing: Any) -> tuple[bool, datetime | None]:
        leaf = {"field": "message.count", "op": "eq", "value": n, "with": narrowing}
        return ask({**leaf, "window": {"last": days}} if days else leaf, member)

    assert count(2) == (True, None)
    assert count(1, state="delivered")[0]
    assert count(1, state="opened")[0]
    assert count(1, state="clicked", channel=["email"])[0]
    assert count(0, state="clicked", channel=["sandbox"])[0]
    assert count(1, campaign=[other.pk])[0]
    assert count(1, days=3) == (True, NOW + DAY)
    assert count(1, days=8, state="clicked") == (True, NOW + DAY)
    last = {"field": "message.last_at", "op": "at_least_ago", "value": 5}
    assert ask(last, member) == (False, NOW + 3 * DAY)
    assert ask({**last, "with": {"state": "clicked"}}, member)[0]


def test_who_watches_messages_hears_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[reactions.Facts] = []
    monkeypatch.setattr(reactions, "_reactions", [lambda facts, _signatures: heard.append(facts)])
    member = make_member()
    outcomes.follow("message.opened", {member.pk}, NOW)
    assert heard[0].topics == {"message", "event:message.opened"}
    assert heard[0].member_ids == [member.pk]
