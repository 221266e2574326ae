"""What outstanding points would cost, as last counted: over time, by month of earning, by month of expiry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from members.models import PointsCohort, PointsCurrency, PointsExpiry, PointsLiability

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


def board(currency: PointsCurrency, *, today: date) -> Board:
    """Everything the page shows of one kind of points. Three statements."""
    days = list(PointsLiability.objects.filter(currency=currency).order_by("-day")[:DAYS])[::-1]
    cohorts = list(PointsCohort.objects.filter(currency=currency).order_by("-month")[:COHORTS])
    ahead = [_month(today, later) for later in range(MONTHS_AHEAD)]
    known = dict(PointsExpiry.objects.filter(currency=currency, month__in=ahead).values_list("month", "amount"))
    return Board(currency, days[-1] if days else None, days, cohorts, [(month, known.get(month, 0)) for month in ahead])


def _month(today: date, later: int) -> date:
    year, month = divmod(today.year * 12 + today.month - 1 + later, 12)
    return date(year, month + 1, 1)
