"""What outstanding points would cost, as last counted: over time, by month of earning, by month of expiry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.utils.translation import gettext as _

from members.models import PointsCohort, PointsCurrency, PointsExpiry, PointsLiability
from scrm.common.access import Actor, DataScope
from scrm.common.errors import Forbidden

DAYS = 90
COHORTS = 24
MONTHS_AHEAD = 12


@dataclass(frozen=True, slots=True)
class Board:
    """`days` oldest first; `cohorts` newest first; `months` the next twelve, those without any included."""

    currency: PointsCurrency
    latest: PointsLiability | None
    days: Sequence[PointsLiability]
    cohorts: Sequence[PointsCohort]
    months: Sequence[tuple[date, int]]

    @property
    def outstanding(self) -> int:
        return 0 if self.latest is None else self.latest.available + self.latest.pending + self.latest.held


def board(currency: PointsCurrency, *, today: date, actor: Actor) -> Board:
    """Everything the page shows of one kind of points. Three statements.

    The sums are of all members. Raises `Forbidden` (`not_all_members`) for an actor who sees only some.
    """
    if actor.scope != DataScope.ALL:
        raise Forbidden(_("These sums are of all members, and you see only some."), code="not_all_members")
    days = list(PointsLiability.objects.filter(currency=currency).order_by("-day")[:DAYS])[::-1]
    cohorts = list(PointsCohort.objects.filter(currency=currency).order_by("-month")[:COHORTS])
    ahead = [_month(today, later) for later in range(MONTHS_AHEAD)]
    known = dict(PointsExpiry.objects.filter(currency=currency, month__in=ahead).values_list("month", "amount"))
    return Board(currency, days[-1] if days else None, days, cohorts, [(month, known.get(month, 0)) for month in ahead])


def _month(today: date, later: int) -> date:
    year, month = divmod(today.year * 12 + today.month - 1 + later, 12)
    return date(year, month + 1, 1)
