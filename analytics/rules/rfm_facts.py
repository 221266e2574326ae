"""RFM of many members at once, in arrays: the values, their scales, scores, and who they add up to.

Exact like analytics/rules/rfm.py, whose `scale` gives the cut points: integers throughout. A run and the preview of an
edited model both score here, so that a preview shows what applying it will bring.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from analytics.rules import rfm as rules
from analytics.rules.rfm import CLASSES, Definition, Scale
from analytics.rules.rfm_layers import Layer, table

Ints = npt.NDArray[np.int64]
Small = npt.NDArray[np.int16]

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# The classes in the order of three bits: R, F and M high.
CLASS_KEYS: tuple[str, ...] = tuple(CLASSES[bool(n & 4), bool(n & 2), bool(n & 1)].value for n in range(8))
SCORE_CODES = 125


@dataclass(frozen=True, slots=True)
class Facts:
    """What the orders of members add up to, in member order; `paid` is microseconds since 2000, as in PostgreSQL."""

    member_ids: Ints
    paid: Ints
    frequency: Ints
    monetary: Ints

    @property
    def size(self) -> int:
        return len(self.member_ids)

    def keep(self, mask: npt.NDArray[np.bool_]) -> Facts:
        return Facts(self.member_ids[mask], self.paid[mask], self.frequency[mask], self.monetary[mask])

    def pack(self) -> bytes:
        """The four columns one after the other; `unpack` reads them."""
        return b"".join(
            column.astype("<i8").tobytes() for column in (self.member_ids, self.paid, self.frequency, self.monetary)
        )

    @classmethod
    def unpack(cls, packed: bytes | memoryview) -> Facts:
        columns = np.frombuffer(packed, dtype="<i8").reshape(4, -1)
        return cls(*(columns[n] for n in range(4)))

    @classmethod
    def joined(cls, parts: Sequence[Facts]) -> Facts:
        """One after the other; nobody when there is no part."""
        if not parts:
            return cls(*(np.empty(0, dtype=np.int64) for _ in range(4)))
        names = ("member_ids", "paid", "frequency", "monetary")
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def microseconds(at: datetime) -> int:
    """Microseconds since 2000."""
    return (at - _EPOCH) // _MICROSECOND


def days_ago(paid: Ints, day_starts: Sequence[datetime]) -> Ints:
    """Whole shop days before the last of the days whose starts are given in order; the last day itself is 0."""
    starts = np.array([microseconds(at) for at in day_starts], dtype=np.int64)
    found: Ints = len(starts) - np.searchsorted(starts, paid, side="right")
    return found


@dataclass(frozen=True, slots=True)
class Values:
    """The three values of each member; `ordered_monetary` holds M in rising order."""

    days: Ints
    frequency: Ints
    monetary: Ints
    ordered_monetary: Ints

    @classmethod
    def of(cls, facts: Facts, day_starts: Sequence[datetime]) -> Values:
        return cls(days_ago(facts.paid, day_starts), facts.frequency, facts.monetary, np.sort(facts.monetary))


def scales(definition: Definition, values: Values) -> dict[str, Scale]:
    """Cut points and middles over everybody; empty when there is nobody."""
    count = len(values.days)
    if not count:
        return {}
    at_ranks = {
        "r": rules.at_ranks_of_histogram(_histogram(values.days)),
        "f": rules.at_ranks_of_histogram(_histogram(values.frequency)),
        "m": [int(values.ordered_monetary[rank]) for rank in rules.ranks(count)],
    }
    totals = {"r": values.days.sum(), "f": values.frequency.sum(), "m": values.monetary.sum()}
    return {
        name: rules.scale(name, definition, count=count, total=int(totals[name]), at_ranks=at_ranks[name])
        for name in rules.DIMENSIONS
    }


def _histogram(column: Ints) -> Counter[int]:
    if column.max() > 100_000:  # a counting sort would need more room than the values
        found, times = np.unique(column, return_counts=True)
        return Counter(dict(zip(found.tolist(), times.tolist(), strict=True)))
    times = np.bincount(column)
    return Counter({int(value): int(times[value]) for value in np.flatnonzero(times)})


@dataclass(frozen=True, slots=True)
class Scored:
    """Per member the score code ((r−1)·25 + (f−1)·5 + (m−1)) and the class code (an index into `CLASS_KEYS`)."""

    scores: Small
    classes: Small

    def split(self) -> tuple[Small, Small, Small]:
        """R, F and M, 1 to 5."""
        return self.scores // 25 + 1, self.scores // 5 % 5 + 1, self.scores % 5 + 1


def score(values: Values, found: Mapping[str, Scale]) -> Scored:
    """Scores and classes by these scales."""
    reached = {
        name: np.searchsorted(np.array(found[name].cuts, dtype=np.int64), column, side="right").astype(np.int16)
        for name, column in (("r", values.days), ("f", values.frequency), ("m", values.monetary))
    }
    codes = (4 - reached["r"]) * 25 + reached["f"] * 5 + reached["m"]
    classes = (
        (values.days <= found["r"].high_from) * np.int16(4)
        + (values.frequency >= found["f"].high_from) * np.int16(2)
        + (values.monetary >= found["m"].high_from)
    )
    return Scored(codes.astype(np.int16), classes.astype(np.int16))


def layer_codes(layers: Sequence[Layer]) -> tuple[list[str], Small]:
    """(keys, for each score code an index into them)."""
    keys = [layer.key for layer in layers]
    places = {key: position for position, key in enumerate(keys)}
    found = table(layers)  # in the order of the score codes
    return keys, np.array([places[key] for key in found.values()], dtype=np.int16)


def distribution(scored: Scored, monetary: Ints, layers: Sequence[Layer]) -> dict[str, Any]:
    """Members and net amounts per cell, class and layer; see `rules.summed`."""
    codes = scored.scores.astype(np.int64) * 8 + scored.classes
    counts = np.bincount(codes, minlength=SCORE_CODES * 8)
    # Weights are added up as floats: in two halves, each of which stays exact.
    high = np.bincount(codes, weights=monetary >> 24, minlength=SCORE_CODES * 8)
    low = np.bincount(codes, weights=monetary & 0xFFFFFF, minlength=SCORE_CODES * 8)
    keys, layer_of = layer_codes(layers)
    rows = []
    for code in np.flatnonzero(counts).tolist():
        scores, class_ = divmod(code, 8)
        r, f, m = scores // 25 + 1, scores // 5 % 5 + 1, scores % 5 + 1
        net = (int(high[code]) << 24) + int(low[code])
        rows.append((r, f, m, CLASS_KEYS[class_], keys[layer_of[scores]], int(counts[code]), net))
    return rules.summed(rows)


def window_days(as_of: date, days: int) -> list[date]:
    """The shop days of a window, the first one first, `as_of` last."""
    return [as_of - timedelta(days=days - n) for n in range(days + 1)]
