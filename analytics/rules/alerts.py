"""When a part of the members has grown or shrunk enough to tell people."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from analytics.enums import AlertDirection


@dataclass(frozen=True, slots=True)
class Found:
    """A part that came or went by more than the rule allows."""

    key: str
    before: int
    after: int

    @property
    def percent(self) -> int:
        """By how much, of what it was, rounded down; from nobody it is 100."""
        return abs(self.after - self.before) * 100 // self.before if self.before else 100


def judge(
    *,
    before: Mapping[str, int],
    after: Mapping[str, int],
    keys: Collection[str],
    direction: str,
    percent: int,
    smallest: int,
) -> Iterator[Found]:
    """The parts among `keys` (all when empty) that changed by more than `percent` of what they were.

    Parts of fewer than `smallest` members before and after are passed over; growth from nobody counts as 100 %.
    """
    for key in sorted(set(before) | set(after)):
        was, is_ = before.get(key, 0), after.get(key, 0)
        if (keys and key not in keys) or max(was, is_) < smallest or was == is_:
            continue
        if (direction == AlertDirection.SHRINKS and is_ > was) or (direction == AlertDirection.GROWS and is_ < was):
            continue
        change = abs(is_ - was) * 100
        if (change > percent * was) if was else percent < 100:
            yield Found(key, was, is_)
