"""Partners' codes: how many are left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from members.rules.benefits import OWED


@dataclass(frozen=True, slots=True)
class Stock:
    """Codes of one benefit: free ones can be given, lapsed ones expired before anybody had them.

    `owed`: rewards that wait for one.
    """

    free: int = 0
    given: int = 0
    withdrawn: int = 0
    lapsed: int = 0
    owed: int = 0

    @property
    def all(self) -> int:
        return self.free + self.given + self.withdrawn + self.lapsed


def of(benefit_id: int, *, now: datetime) -> Stock:
    """The stock of a benefit, counted by its rows."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT count(*) FILTER (WHERE state = 'free' AND (expires_at IS NULL OR expires_at > %(now)s)),
                   count(*) FILTER (WHERE state = 'given'), count(*) FILTER (WHERE state = 'withdrawn'),
                   count(*) FILTER (WHERE state = 'free' AND expires_at <= %(now)s),
                   (SELECT count(*) FROM members_memberbenefit
                    WHERE benefit_id = %(benefit)s AND period = '{OWED}' AND state = 'claimed')
            FROM members_benefitcode WHERE benefit_id = %(benefit)s
            """,
            {"now": now, "benefit": benefit_id},
        )
        return Stock(*cursor.fetchone())


def free_up_to(limits: Mapping[int, int], *, now: datetime) -> dict[int, int]:
    """For each benefit how many codes can be given, counted no further than its limit."""
    if not limits:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT v.id, (SELECT count(*) FROM (
                SELECT FROM members_benefitcode c WHERE c.benefit_id = v.id AND c.state = 'free'
                  AND (c.expires_at IS NULL OR c.expires_at > %s) LIMIT v.most) few)
            FROM unnest(%s::bigint[], %s::bigint[]) AS v (id, most)
            """,
            [now, list(limits), list(limits.values())],
        )
        return dict(cursor.fetchall())
