"""Best contact hour: when a member is active, within the hours in which brands may write.

Orders, own events and answers to messages fall into the 24 hours of the shop's clock, weighted by recency; an answer
(opened, clicked) counts threefold, for it is what a message is after. Neighbouring hours lend half of their weight
each, and everybody's day is added with the weight of `PRIOR` facts: a decayed histogram with a Dirichlet prior.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from analytics.rules.model_tags.conclusions import UNIT, Conclusion, fading, shown

WINDOW = 365
HALF_LIFE = 90
WEIGHTS: Sequence[int] = fading(half_life=HALF_LIFE, window=WINDOW)
MINIMUM = 3  # facts
PRIOR = 3  # facts of everybody's day that everybody is lent
ANSWER = 3  # facts that an answer to a message counts for
FIRST, LAST = 8, 21  # the hours in which a message may be sent
HOURS = range(FIRST, LAST + 1)
_OWN, _NEIGHBOUR = 2, 1


def spread(histogram: Sequence[int]) -> list[int]:
    """Each hour with half of its two neighbours', around the clock; four times the weight in all."""
    return [
        _OWN * histogram[hour] + _NEIGHBOUR * (histogram[(hour - 1) % 24] + histogram[(hour + 1) % 24])
        for hour in range(24)
    ]


def conclude(facts: Iterable[tuple[int, int, bool]], shares: Sequence[float]) -> Conclusion | None:
    """From (hour, age in days, whether an answer) and everybody's 24 shares; None while unknown."""
    histogram = [0] * 24
    count = 0
    for hour, age, answer in facts:
        histogram[hour] += WEIGHTS[age] * (ANSWER if answer else 1)
        count += 1
    if count < MINIMUM:
        return None
    total = sum(histogram)
    smooth = spread(histogram)
    # The earliest of equals.
    best = max(HOURS, key=lambda hour: (_share(smooth[hour], total, shares[hour]), -hour))
    return Conclusion(str(best), shown(_share(smooth[best], total, shares[best])), count)


def _share(weight: int, total: int, common: float) -> float:
    return (weight + 4 * PRIOR * UNIT * common) / (4.0 * (total + PRIOR * UNIT))
