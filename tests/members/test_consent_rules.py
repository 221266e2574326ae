"""Who may be contacted: silence is a no for marketing that reaches a person, and a withdrawal always counts."""

from __future__ import annotations

import pytest

from members.models import Consent, Member
from members.queries import consents
from tests.factories import NOW, make_member

pytestmark = pytest.mark.django_db

CASES = [
    # channel, purpose, what the member said last, may be contacted
    ("email", "marketing", None, False),
    ("email", "marketing", "granted", True),
    ("email", "marketing", "withdrawn", False),
    ("email", "service", None, True),
    ("email", "service", "withdrawn", False),
    ("sandbox", "marketing", None, True),
    ("sandbox", "marketing", "granted", True),
    ("sandbox", "marketing", "withdrawn", False),
]


@pytest.mark.parametrize(("channel", "purpose", "said", "may"), CASES)
def test_what_a_member_said_decides(channel: str, purpose: str, said: str | None, may: bool) -> None:
    member = make_member()
    if said:
        Consent.objects.create(member=member, channel=channel, purpose=purpose, state=said, at=NOW)
    asked = {"member_ids": [member.pk], "channel": channel, "purpose": purpose}
    expected = {member.pk} if may else set()
    assert consents.allowed(**asked) == expected
    sql, params = consents.allowed_sql(channel, purpose)
    rows = Member.objects.raw(f"SELECT m.id FROM members_member m WHERE {sql}", params)
    assert {row.pk for row in rows} == expected
