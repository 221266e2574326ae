"""What the models share: the answer's shape, fading weights, rounding."""

from __future__ import annotations

import math
from dataclasses import dataclass

# A fact of today weighs so much; whole numbers add up to the same in any order.
UNIT = 1000


@dataclass(frozen=True, slots=True)
class Conclusion:
    """A value with its score; `evidence` is the number of facts, `others` are values that hold as well."""

    value: str
    score: float
    evidence: int
    others: tuple[str, ...] = ()


def fading(*, half_life: int, window: int) -> list[int]:
    """The weight of a fact by its age in days, 0 to `window` − 1: halved every `half_life` days, in thousandths."""
    return [math.floor(UNIT * 2 ** (-age / half_life) + 0.5) for age in range(window)]


def shown(score: float) -> float:
    """The score as it is kept: two digits, halves upwards. What moves less is no change."""
    return math.floor(score * 100 + 0.5) / 100
