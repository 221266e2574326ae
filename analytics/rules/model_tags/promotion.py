"""Promotion sensitivity: how often a member's orders carry a discount, against everybody's.

The member's share of discounted orders, pulled towards everybody's by `PRIOR` orders (Beta-binomial), is compared by
odds: high from twice everybody's odds, low up to half of them. Odds compare alike whether few or most orders of the
shop are discounted.
"""

from __future__ import annotations

from analytics.rules.model_tags.conclusions import Conclusion, shown

WINDOW = 730
MINIMUM = 3  # orders
PRIOR = 6  # orders of everybody's mix that everybody is lent
ODDS = 2


def conclude(*, discounted: int, orders: int, common: float) -> Conclusion | None:
    """From the orders in the window and everybody's share of discounted ones.

    None while unknown: too few orders, or a shop whose orders all, or none, carry a discount.
    """
    if orders < MINIMUM or not 0 < common < 1:
        return None
    share = (discounted + PRIOR * common) / (orders + PRIOR)
    mine, others = share * (1 - common), common * (1 - share)
    value = "high" if mine >= ODDS * others else "low" if mine * ODDS <= others else "middle"
    return Conclusion(value, shown(share), orders)
