"""What a type of events may be called, and how an estimated number of events is said."""

from __future__ import annotations

# The same as the intake takes, so that what is declared can also arrive.
LONGEST_KEY = 60
LONGEST_NAME = 60
# The builder offers all of them, and nobody reads more.
MOST_DECLARED = 1_000


def usable(text: str, longest: int) -> bool:
    """Whether a type may be called so: printable, not empty, without spaces around it."""
    return 0 < len(text) <= longest and text == text.strip() and text.isprintable()


def rounded(number: float) -> int:
    """An estimate to two significant digits: 12,345 → 12,000. More would feign what a sample does not know."""
    whole = round(number)
    step: int = 10 ** max(len(str(whole)) - 2, 0)
    return round(whole / step) * step
