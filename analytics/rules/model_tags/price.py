"""Price sensitivity: how cheap a member buys within the categories they buy from.

Each line's unit price is placed among all prices of its category and currency: at 0 when cheaper than 95 % of them,
at 1 when dearer than 95 %. The member's mean place is pulled to the middle by `PRIOR` lines of place ½, and the score
is one minus that. After the usual price-quantile index of retail analytics (share of wallet spent below the category's
median), with shrinkage as in empirical Bayes.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence

from analytics.rules.model_tags.conclusions import Conclusion, shown

WINDOW = 730  # days of orders that count
MINIMUM = 4  # lines below which the answer is unknown
PRIOR = 4  # lines of the middle price that everybody is lent
CUTS = 19  # the category's prices at 5 %, 10 % … 95 %
# A category with fewer lines, or with one price only, says nothing.
CATEGORY_MINIMUM = 20
HIGH = 0.6
LOW = 0.4

# Cut points by (currency, category): unit prices in ten-thousandths of the currency's major unit, rising.
Cuts = Mapping[tuple[str, str], Sequence[int]]


def place(price: int, cuts: Sequence[int]) -> int:
    """Where a price stands among its category's: 0 to 2 × `CUTS`; equal prices count half."""
    return bisect_right(cuts, price) + bisect_left(cuts, price)


def conclude(lines: Iterable[tuple[str, str, int]], cuts: Cuts) -> Conclusion | None:
    """From (currency, category, unit price) of the lines in the window; None while unknown."""
    places = [
        place(price, cuts[currency, category]) for currency, category, price in lines if (currency, category) in cuts
    ]
    if len(places) < MINIMUM:
        return None
    score = 1 - (sum(places) + CUTS * PRIOR) / (2.0 * CUTS * (len(places) + PRIOR))
    value = "high" if score >= HIGH else "low" if score <= LOW else "middle"
    return Conclusion(value, shown(score), len(places))
