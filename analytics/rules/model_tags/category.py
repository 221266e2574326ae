"""Category preference: what a member buys more of than others do.

Lines are weighted by recency. A category's share of the member's lines, pulled towards everybody's share by `PRIOR`
lines, is divided by everybody's share: the lift. Preferred are categories of a real share and a real lift, in the
order of share × (lift − 1) – as TF-IDF does, what everybody buys counts little.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from analytics.rules.model_tags.conclusions import UNIT, Conclusion, fading, shown

WINDOW = 730
HALF_LIFE = 180  # days in which a line loses half of its weight
WEIGHTS: Sequence[int] = fading(half_life=HALF_LIFE, window=WINDOW)
MINIMUM = 3  # lines
PRIOR = 2  # lines of the population's mix that everybody is lent
SHARE = 0.3
LIFT = 1.5
MOST = 3  # categories kept
BROAD = "-"  # buys across categories, prefers none


def conclude(lines: Iterable[tuple[str, int]], shares: Mapping[str, float]) -> Conclusion | None:
    """From (category, age in days) of the lines in the window and everybody's shares; None while unknown."""
    weights: dict[str, int] = {}
    count = 0
    for category, age in lines:
        if category in shares:
            weights[category] = weights.get(category, 0) + WEIGHTS[age]
            count += 1
    if count < MINIMUM:
        return None
    total = sum(weights.values())
    preferred = []
    for category, weight in weights.items():
        share = (weight + PRIOR * UNIT * shares[category]) / (total + PRIOR * UNIT)
        lift = share / shares[category]
        if share >= SHARE and lift >= LIFT:
            preferred.append((-(share * (lift - 1)), category, lift))
    preferred.sort()
    if not preferred:
        return Conclusion(BROAD, 1.0, count)
    (_, best, lift), *others = preferred[:MOST]
    return Conclusion(best, shown(lift), count, tuple(category for _, category, _ in others))
