"""From where to where members moved between two states of everybody, as a matrix whose sums are the populations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

# Nowhere: no orders in the window yet or any more; not a member yet.
NOWHERE = ""


@dataclass(frozen=True, slots=True)
class Matrix:
    """Members by where they were and where they are, both in the order of `keys`; zeros are there too."""

    keys: list[str]
    counts: dict[tuple[str, str], int]

    def row(self, before: str) -> list[int]:
        return [self.counts.get((before, after), 0) for after in self.keys]

    @property
    def before(self) -> dict[str, int]:
        """Members per key at the earlier state."""
        return {key: sum(self.row(key)) for key in self.keys}

    @property
    def after(self) -> dict[str, int]:
        """Members per key at the later state."""
        return {key: sum(self.counts.get((other, key), 0) for other in self.keys) for key in self.keys}

    @property
    def moved(self) -> int:
        return sum(count for (before, after), count in self.counts.items() if before != after)

    @property
    def stayed(self) -> int:
        return sum(count for (before, after), count in self.counts.items() if before == after and before)

    def share(self, before: str, after: str) -> float:
        """Of those who were in `before`, how many are in `after`: a rate of the transition matrix."""
        whole = self.before[before]
        return self.counts.get((before, after), 0) / whole if whole else 0.0


def matrix(touched: Iterable[tuple[str, str, str, int]], current: Mapping[str, int], order: Sequence[str]) -> Matrix:
    """The matrix between two runs.

    `touched` are (state at the earlier run, at the later run, now, members) of all who changed since the earlier
    run; `current` are the members per state now, touched or not. Who did not change since is now where they were.
    States that are nobody's any more keep their place by `order`; unknown ones follow.
    """
    counts: dict[tuple[str, str], int] = {}
    untouched = dict(current)
    for before, after, now, members in touched:
        if before or after:
            counts[before, after] = counts.get((before, after), 0) + members
        if now:
            untouched[now] = untouched.get(now, 0) - members
    for key, members in untouched.items():
        if members > 0:
            counts[key, key] = counts.get((key, key), 0) + members
    found = {key for pair in counts for key in pair}
    keys = [key for key in order if key in found or key]
    keys += sorted(found - set(keys) - {NOWHERE})
    if NOWHERE in found and NOWHERE not in keys:
        keys.append(NOWHERE)
    return Matrix(keys, counts)
