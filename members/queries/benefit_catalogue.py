"""The catalogue of benefits and how they are used; partners and what they are owed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import connection
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from members.models import Benefit, Partner
from members.rules.benefits import OWED
from scrm.common import clock
from scrm.common.errors import Invalid, NotFound

LONGEST_SETTLEMENT = 366  # days
# A reward that waits for its code is not claimed yet, and nobody is paid for it.
_GIVEN = f"period <> '{OWED}'"


def every() -> QuerySet[Benefit]:
    return Benefit.objects.select_related("partner").prefetch_related("rules")


def get(benefit_id: int) -> Benefit:
    """A benefit with its rules, stores and partner. Raises `NotFound` (`unknown_benefit`)."""
    found = every().prefetch_related("stores__store").filter(pk=benefit_id).first() if 0 < benefit_id < 2**63 else None
    if found is None:
        raise NotFound(_("There is no such benefit."), code="unknown_benefit")
    return found


def partners() -> list[Partner]:
    return list(Partner.objects.order_by("-is_active", "name"))


def partner(partner_id: int) -> Partner:
    """Raises `NotFound` (`unknown_partner`)."""
    found = Partner.objects.filter(pk=partner_id).first() if 0 < partner_id < 2**63 else None
    if found is None:
        raise NotFound(_("There is no such partner."), code="unknown_partner")
    return found


@dataclass(frozen=True, slots=True)
class Use:
    """What became of a benefit's claims in a span of time. `cost` in minor units, of uses less those taken back."""

    claimed: int = 0
    redeemed: int = 0
    returned: int = 0
    cost: int = 0


def uses(benefit_ids: Sequence[int], *, since: datetime, until: datetime) -> dict[int, Use]:
    """Claims, uses and returns of each benefit from `since` to before `until`; by three indexes, for all at once."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT v.id, c.n, r.n, b.n, r.cost - b.cost
            FROM unnest(%(ids)s::bigint[]) AS v (id),
            LATERAL (SELECT count(*) AS n FROM members_memberbenefit WHERE benefit_id = v.id AND {_GIVEN}
                     AND claimed_at >= %(since)s AND claimed_at < %(until)s) c,
            LATERAL (SELECT count(*) AS n, COALESCE(sum(cost), 0)::bigint AS cost FROM members_memberbenefit
                     WHERE benefit_id = v.id AND redeemed_at >= %(since)s AND redeemed_at < %(until)s) r,
            LATERAL (SELECT count(*) AS n, COALESCE(sum(cost), 0)::bigint AS cost FROM members_memberbenefit
                     WHERE benefit_id = v.id AND closed_at >= %(since)s AND closed_at < %(until)s
                       AND state = 'returned') b
            """,
            {"ids": list(benefit_ids), "since": since, "until": until},
        )
        return {benefit_id: Use(*rest) for benefit_id, *rest in cursor.fetchall()}


def by_day(benefit_id: int, *, days: int, now: datetime) -> list[tuple[date, int, int]]:
    """(shop day, claims, uses) of the last days, the oldest first; days without either are zeros."""
    today = clock.shop_date(now)
    first = today - timedelta(days=days - 1)
    found: dict[date, list[int]] = {}
    with connection.cursor() as cursor:
        for place, column in enumerate(("claimed_at", "redeemed_at")):
            cursor.execute(
                f"""
                SELECT ({column} AT TIME ZONE %s)::date AS day, count(*) FROM members_memberbenefit
                WHERE benefit_id = %s AND {_GIVEN} AND {column} >= %s AND {column} < %s GROUP BY day
                """,  # noqa: S608  # columns of this file
                [str(clock.shop_zone()), benefit_id, clock.day_start(first), clock.day_end(today)],
            )
            for day, count in cursor.fetchall():
                found.setdefault(day, [0, 0])[place] = count
    listed = [first + timedelta(days=number) for number in range(days)]
    return [(day, *found.get(day, [0, 0])) for day in listed]  # type: ignore[misc]  # two numbers


@dataclass(frozen=True, slots=True)
class Owed:
    """One line of a settlement: what of a benefit counts in the period, and what it costs, in minor units.

    `counted`: codes given out, or uses, whichever the benefit is settled by. `returned`: uses taken back, and codes
    withdrawn, in the period, whenever they had been counted. Costs are those at the time of the claim.
    """

    benefit_id: int
    key: str
    name: str
    settle_on: str
    counted: int
    counted_cost: int
    returned: int
    returned_cost: int

    @property
    def net(self) -> int:
        return self.counted - self.returned

    @property
    def owed(self) -> int:
        return self.counted_cost - self.returned_cost


def settlement(partner_id: int, *, first: date, last: date) -> list[Owed]:
    """What a partner is owed for the shop days from `first` to `last`, by benefit. Raises `Invalid` (`bad_period`).

    Of a benefit settled by codes given out, voided claims are subtracted, expired ones are not: the code is gone.
    """
    if not first <= last < first + timedelta(days=LONGEST_SETTLEMENT):
        raise Invalid(_("A period of 1 to 366 days is needed."), code="bad_period", field="to")
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT v.id, v.key, v.name, v.settle_on, c.n, c.cost, b.n, b.cost
            FROM (SELECT id, key, name, COALESCE(parameters ->> 'settle_on', 'redeem') AS settle_on
                  FROM members_benefit WHERE partner_id = %(partner)s) v,
            LATERAL (
                SELECT count(*) AS n, COALESCE(sum(m.cost), 0)::bigint AS cost FROM (
                    SELECT cost FROM members_memberbenefit
                    WHERE v.settle_on = 'claim' AND benefit_id = v.id AND {_GIVEN}
                       AND claimed_at >= %(since)s AND claimed_at < %(until)s
                    UNION ALL
                    SELECT cost FROM members_memberbenefit WHERE v.settle_on = 'redeem' AND benefit_id = v.id
                       AND redeemed_at >= %(since)s AND redeemed_at < %(until)s) m) c,
            LATERAL (
                SELECT count(*) AS n, COALESCE(sum(cost), 0)::bigint AS cost FROM members_memberbenefit
                WHERE benefit_id = v.id AND {_GIVEN} AND closed_at >= %(since)s AND closed_at < %(until)s
                  AND (state = 'returned' OR (state = 'voided' AND v.settle_on = 'claim'))) b
            ORDER BY v.id
            """,
            {"partner": partner_id, "since": clock.day_start(first), "until": clock.day_end(last)},
        )
        return [Owed(*row) for row in cursor.fetchall()]
