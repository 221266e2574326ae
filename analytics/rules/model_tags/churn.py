"""Churn risk: whether a member will buy again within `HORIZON` days, by their own rhythm.

The rhythm is the mean number of days between the member's purchase days, pulled towards everybody's by `PRIOR` gaps;
who bought once has everybody's. How many rhythms the last purchase lies back, and on how many days they bought, give
a cell. Of each cell, history tells how many bought within the next `HORIZON` days: that share, pulled towards the
base rate by `CELL_PRIOR` members, is the probability. It is fitted on what was known `HORIZON` days ago and what
happened since; its quality is measured on that stretch with a table fitted one stretch earlier, never on itself.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass

from analytics.rules.model_tags.conclusions import Conclusion, shown

WINDOW = 730
HORIZON = 90
PRIOR = 2  # gaps of everybody's length that everybody is lent
CELL_PRIOR = 20  # members of the base rate that every cell is lent
DAYS = (2, 3, 5)  # bounds of the classes 1, 2, 3–4, 5 and more purchase days
RATIOS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0)  # bounds of the classes of rhythms since the last purchase
MINIMUM = 1  # purchase days
# With fewer members, or fewer of either outcome, history cannot tell.
FIT_MEMBERS, FIT_OUTCOMES = 100, 10
HIGH = 0.2  # risk is high below this probability of buying
LOW = 0.5  # … and low from this one on
TARGET_ACCURACY = 0.92

# Members and buyers among them, by cell.
Counts = Mapping[int, tuple[int, int]]


def cell(*, days: int, span: int, recency: int, typical_gap: int) -> int:
    """The class of a member: `days` on which they bought, from first to last `span` days, last `recency` days ago."""
    rhythms = recency * float(days - 1 + PRIOR) / (span + PRIOR * typical_gap)
    return 10 * bisect_right(DAYS, days) + bisect_right(RATIOS, rhythms)


@dataclass(frozen=True, slots=True)
class Table:
    """The probability of buying within the horizon, by cell; the base rate where nobody has been."""

    base: float
    cells: Mapping[int, float]

    def of(self, cell: int) -> float:
        return self.cells.get(cell, self.base)


def fit(counts: Counts) -> Table | None:
    """None when there is too little history to learn from."""
    members = sum(n for n, _ in counts.values())
    buyers = sum(bought for _, bought in counts.values())
    if members < FIT_MEMBERS or not FIT_OUTCOMES <= buyers <= members - FIT_OUTCOMES:
        return None
    base = round(buyers / members, 4)
    return Table(
        base, {key: round((bought + CELL_PRIOR * base) / (n + CELL_PRIOR), 4) for key, (n, bought) in counts.items()}
    )


def conclude(*, days: int, span: int, recency: int, typical_gap: int, table: Table) -> Conclusion | None:
    """From a member's purchase days; None while they have none."""
    if days < MINIMUM:
        return None
    chance = table.of(cell(days=days, span=span, recency=recency, typical_gap=typical_gap))
    return Conclusion("high" if chance < HIGH else "low" if chance >= LOW else "middle", shown(chance), days)


def quality(table: Table, counts: Counts) -> dict[str, float]:
    """How good a table fitted before is on what came after.

    `base_rate`, `majority_accuracy` (what always answering alike would reach), `accuracy`, `auc` (½: a coin),
    `log_loss` and that of the base rate, `brier`, `top_decile_lift`, `coverage` (the share of members for whom the
    surest answers reach `TARGET_ACCURACY`), `members`.
    """
    rows = sorted((table.of(key), n, bought) for key, (n, bought) in counts.items() if n)
    members = sum(n for _, n, _ in rows)
    buyers = sum(bought for _, _, bought in rows)
    if not members or not 0 < buyers < members:
        return {}
    base = buyers / members
    loss = _log_loss([(chance, n, bought) for chance, n, bought in rows]) / members
    right = sum(bought if chance >= 0.5 else n - bought for chance, n, bought in rows)
    return {
        "members": members,
        "base_rate": round(base, 4),
        "majority_accuracy": round(max(base, 1 - base), 4),
        "accuracy": round(right / members, 4),
        "auc": round(_auc(rows), 4),
        "log_loss": round(loss, 4),
        "base_log_loss": round(_log_loss([(base, members, buyers)]) / members, 4),
        "brier": round(
            sum(bought * (1 - chance) ** 2 + (n - bought) * chance**2 for chance, n, bought in rows) / members, 4
        ),
        "top_decile_lift": round(_top(rows, members / 10) / (members / 10) / base, 2),
        "coverage": round(_coverage(rows, members), 4),
    }


def calibration(table: Table, counts: Counts) -> list[dict[str, float | str]]:
    """By value: how likely buying was said to be, and how many did buy."""
    groups: dict[str, list[float]] = {}
    for key, (n, bought) in counts.items():
        chance = table.of(key)
        value = "high" if chance < HIGH else "low" if chance >= LOW else "middle"
        sums = groups.setdefault(value, [0, 0, 0])
        sums[0] += n
        sums[1] += n * chance
        sums[2] += bought
    return [
        {"value": value, "members": n, "rate": round(bought / n, 4), "expected": round(said / n, 4)}
        for value, (n, said, bought) in sorted(groups.items())
        if n
    ]


def _auc(rows: list[tuple[float, int, int]]) -> float:
    """The probability that a buyer was rated above a non-buyer; equal ratings count half."""
    below = wins = 0.0
    by_chance: dict[float, list[int]] = {}
    for chance, n, bought in rows:
        sums = by_chance.setdefault(chance, [0, 0])
        sums[0] += bought
        sums[1] += n - bought
    for bought, stayed in (by_chance[chance] for chance in sorted(by_chance)):
        wins += bought * (below + stayed / 2)
        below += stayed
    buyers = sum(bought for _, _, bought in rows)
    return wins / (buyers * below)


def _log_loss(rows: list[tuple[float, int, int]]) -> float:
    total = 0.0
    for chance, n, bought in rows:
        sure = min(max(chance, 1e-6), 1 - 1e-6)
        total -= bought * math.log(sure) + (n - bought) * math.log(1 - sure)
    return total


def _top(rows: list[tuple[float, int, int]], wanted: float) -> float:
    """The buyers among the `wanted` members rated highest; of the last cell taken, its share."""
    found = 0.0
    for _, n, bought in reversed(rows):
        taken = min(float(n), wanted)
        found += bought * taken / n
        wanted -= taken
        if wanted <= 0:
            break
    return found


def _coverage(rows: list[tuple[float, int, int]], members: int) -> float:
    """The largest share of members, the surest first, whose answers are right at the target accuracy."""
    best = seen = right = 0
    for chance, n, bought in sorted(rows, key=lambda row: -abs(row[0] - 0.5)):
        seen += n
        right += bought if chance >= 0.5 else n - bought
        if right >= TARGET_ACCURACY * seen:
            best = seen
    return best / members
