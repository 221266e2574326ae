"""The demo brand shows every room of the house: tags, scores, stages, segments, a campaign on its way."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.db import connection

from members.queries import points_check
from scrm.common.models import User


@pytest.mark.django_db(transaction=True)
def test_the_demo_brand_is_complete() -> None:
    call_command("seed_demo", members=300, seed=1)
    with connection.cursor() as cursor:

        def count(table: str) -> int:
            cursor.execute(f"SELECT count(*) FROM {table}")
            return int(cursor.fetchone()[0])

        assert count("members_member") == 300
        assert count("tags_membertag") > 300
        assert count("analytics_memberstage") == 300
        assert 150 < count("analytics_rfmscore") < 300
        assert count("analytics_rfmrun") == 2
        assert count("tags_segment") == 3
        assert count("campaigns_campaign") == 1
        assert count("members_task") == 5
        assert count("members_taskcompletion") > 20
        assert count("members_checkin") > 100
        assert count("members_pointsentry") > 1_000
    assert list(points_check.check()) == []
    assert set(User.objects.values_list("username", flat=True)) == {"demo", "operator", "auditor"}
    call_command("seed_demo", members=300, seed=1, if_empty=True)
