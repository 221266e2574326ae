"""Channel preference: through which channel a member buys and answers.

Orders by their channel (a store's kind where none is given) and answers to messages by theirs, weighted by recency.
A channel's share leans towards everybody's by `PRIOR` facts: the mean of a Dirichlet, of a Beta for one channel
against the rest. Who has no channel with half of the facts uses several.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from analytics.rules.model_tags.conclusions import UNIT, Conclusion, fading, shown

WINDOW = 730
HALF_LIFE = 180
WEIGHTS: Sequence[int] = fading(half_life=HALF_LIFE, window=WINDOW)
MINIMUM = 2  # facts
PRIOR = 2
SHARE = 0.5
SEVERAL = "-"


def conclude(facts: Iterable[tuple[str, int]], shares: Mapping[str, float]) -> Conclusion | None:
    """From (channel, age in days) and everybody's shares; None while unknown."""
    weights: dict[str, int] = {}
    count = 0
    for channel, age in facts:
        if channel in shares:
            weights[channel] = weights.get(channel, 0) + WEIGHTS[age]
            count += 1
    if count < MINIMUM:
        return None
    total = sum(weights.values())
    share, best = max(
        ((weight + PRIOR * UNIT * shares[channel]) / (total + PRIOR * UNIT), channel)
        for channel, weight in weights.items()
    )
    return Conclusion(best if share >= SHARE else SEVERAL, shown(share), count)
