"""RFM: how values become scores, classes and layers. Exact: integers and fractions only, no floats.

- R is whole shop days since the last paid order, F the number of counting orders in the window, M the net paid
  amount in the window in minor units.
- Scores 1 to 5 come from four cut points. A score is one more than the number of cut points that the value has
  reached, so equal values always get equal scores, however many ties there are. R counts the other way round:
  fewer days are better.
- Quantile cuts: the type-7 quantiles at 20, 40, 60 and 80 % of the values (Hyndman & Fan 1996, the default of numpy
  and R). Values up to the quantile stay below the cut, as in pandas.qcut. Cut points that coincide, because few
  values are distinct, are kept: they carry the share of members below them.
- Classes compare each value with a middle: at least as good as the middle is high.
- Layers are the first match of a table over the three scores: analytics/rules/rfm_layers.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from math import ceil, floor
from typing import Any

from analytics.enums import RfmClass
from analytics.rules.rfm_layers import (
    LAYERS11 as LAYERS11,
)
from analytics.rules.rfm_layers import (
    SCORES as SCORES,
)
from analytics.rules.rfm_layers import (
    BadDefinition as BadDefinition,
)
from analytics.rules.rfm_layers import (
    Label,
    Layer,
    dump_classes,
    parse_classes,
    parse_layers,
)
from analytics.rules.rfm_layers import (
    dump_layers as dump_layers,
)

DIMENSIONS = ("r", "f", "m")
CUT_MODES = ("quantile", "typed")
MIDDLE_MODES = ("mean", "median", "typed")
LARGEST = {"r": 3650, "f": 1_000_000, "m": 10**13}

# (R high, F high, M high) → class.
CLASSES: dict[tuple[bool, bool, bool], RfmClass] = {
    (True, True, True): RfmClass.CHAMPION,
    (True, False, True): RfmClass.DEVELOP,
    (False, True, True): RfmClass.KEEP,
    (False, False, True): RfmClass.WIN_BACK,
    (True, True, False): RfmClass.GENERAL_VALUE,
    (True, False, False): RfmClass.GENERAL_DEVELOP,
    (False, True, False): RfmClass.GENERAL_KEEP,
    (False, False, False): RfmClass.GENERAL_WIN_BACK,
}
CLASSES_BY_KEY = {entry.value: entry for entry in RfmClass}


@dataclass(frozen=True, slots=True)
class Cuts:
    """How a dimension is cut: by quantile, or at four typed values (days, orders, minor units)."""

    mode: str = "quantile"
    values: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Middle:
    """What tells high from low: the mean, the median, or a typed value."""

    mode: str = "mean"
    value: int | None = None


@dataclass(frozen=True, slots=True)
class Definition:
    cuts: Mapping[str, Cuts]
    middle: Mapping[str, Middle]
    layers: tuple[Layer, ...]
    classes: Mapping[str, Label]


def parse(raw: Mapping[str, Any]) -> Definition:
    """The definition stored with a model; what is missing takes its default. Raises `BadDefinition`."""
    cuts = {name: _parse_cuts(name, _part(raw, "cuts", name)) for name in DIMENSIONS}
    middle = {name: _parse_middle(name, _part(raw, "middle", name)) for name in DIMENSIONS}
    return Definition(cuts, middle, parse_layers(raw.get("layers")), parse_classes(raw.get("classes")))


def dump(definition: Definition) -> dict[str, Any]:
    """What `parse` reads."""
    return {
        "cuts": {name: {"mode": c.mode, "values": list(c.values)} for name, c in definition.cuts.items()},
        "middle": {name: {"mode": m.mode, "value": m.value} for name, m in definition.middle.items()},
        "layers": dump_layers(definition.layers),
        "classes": dump_classes(definition.classes),
    }


def _part(raw: Mapping[str, Any], part: str, name: str) -> Mapping[str, Any]:
    whole = raw.get(part)
    whole = {} if whole is None else whole
    found = (whole.get(name) or {}) if isinstance(whole, Mapping) else None
    if not isinstance(found, Mapping):
        raise BadDefinition("unknown_mode", f"{part}.{name}")
    return found


def _parse_cuts(name: str, raw: Mapping[str, Any]) -> Cuts:
    mode = raw.get("mode", "quantile")
    if mode not in CUT_MODES:
        raise BadDefinition("unknown_mode", f"cuts.{name}")
    if mode == "quantile":
        return Cuts()
    given = raw.get("values") or ()
    values = tuple(given) if isinstance(given, list | tuple) else ()
    if len(values) != 4 or not all(_is_amount(name, value) for value in values):
        raise BadDefinition("four_values_needed", f"cuts.{name}")
    if any(low >= high for low, high in zip(values, values[1:], strict=False)):
        raise BadDefinition("not_ascending", f"cuts.{name}")
    return Cuts("typed", values)


def _parse_middle(name: str, raw: Mapping[str, Any]) -> Middle:
    mode = raw.get("mode", "mean")
    if mode not in MIDDLE_MODES:
        raise BadDefinition("unknown_mode", f"middle.{name}")
    if mode != "typed":
        return Middle(mode)
    if not _is_amount(name, raw.get("value")):
        raise BadDefinition("value_needed", f"middle.{name}")
    return Middle("typed", raw["value"])


def _is_amount(name: str, value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST[name]


def ranks(count: int) -> list[int]:
    """The 0-based ranks of the sorted values that the four quantiles and the median are made of, in pairs."""
    if count == 0:
        return []
    found: list[int] = []
    for share in (Fraction(1, 5), Fraction(2, 5), Fraction(3, 5), Fraction(4, 5), Fraction(1, 2)):
        low = floor(share * (count - 1))
        found += [low, min(low + 1, count - 1)]
    return found


def quantiles(count: int, at_ranks: Sequence[int]) -> tuple[list[Fraction], Fraction]:
    """The type-7 quantiles at 20, 40, 60, 80 % and the median, from the values at `ranks(count)`."""
    found = []
    for position, share in enumerate((Fraction(1, 5), Fraction(2, 5), Fraction(3, 5), Fraction(4, 5), Fraction(1, 2))):
        low, high = at_ranks[2 * position], at_ranks[2 * position + 1]
        rest = share * (count - 1) % 1
        found.append(low + (high - low) * rest)
    return found[:4], found[4]


def at_ranks_of_histogram(histogram: Mapping[int, int]) -> list[int]:
    """The values at `ranks(count)` when only {value: how often} is known."""
    wanted = ranks(sum(histogram.values()))
    found: dict[int, int] = {}
    pending = sorted(set(wanted), reverse=True)
    seen = 0
    for value in sorted(histogram):
        seen += histogram[value]
        while pending and pending[-1] < seen:
            found[pending.pop()] = value
    return [found[rank] for rank in wanted]


@dataclass(frozen=True, slots=True)
class Scale:
    """The four cut points of a dimension, and the middle as the value at or beyond which it is high.

    For R `high_from` is the largest number of days that is still high; for F and M the smallest value.
    `middle` is for showing, rounded to two places.
    """

    cuts: tuple[int, ...]
    high_from: int
    middle: float


def scale(name: str, definition: Definition, *, count: int, total: int, at_ranks: Sequence[int]) -> Scale:
    """Cut points and middle of one dimension over `count` > 0 values that sum up to `total`."""
    quantile_values, median = quantiles(count, at_ranks)
    cuts, middle = definition.cuts[name], definition.middle[name]
    points = cuts.values if cuts.mode == "typed" else tuple(floor(q) + 1 for q in quantile_values)
    exact = {"mean": Fraction(total, count), "median": median, "typed": Fraction(middle.value or 0)}[middle.mode]
    return Scale(points, floor(exact) if name == "r" else ceil(exact), round(float(exact), 2))


def score(name: str, value: int, cuts: Sequence[int]) -> int:
    """The score, 1 to 5. For R `value` is days and fewer is better."""
    reached = sum(1 for cut in cuts if value >= cut)
    return 5 - reached if name == "r" else 1 + reached


def class_of(scales: Mapping[str, Scale], *, r_days: int, frequency: int, monetary: int) -> RfmClass:
    """One of the eight classes."""
    return CLASSES[
        r_days <= scales["r"].high_from, frequency >= scales["f"].high_from, monetary >= scales["m"].high_from
    ]


def layer_of(r: int, f: int, m: int, layers: Sequence[Layer] = LAYERS11) -> str:
    """The key of the first layer that matches three scores."""
    return next(layer.key for layer in layers if layer.matches(r, f, m))


def recent_from(as_of: date, days: int) -> date:
    """The first shop day that lies fewer than `days` days before `as_of`."""
    return as_of - timedelta(days=days - 1)


def summed(rows: Iterable[tuple[int, int, int, str, str, int, int]]) -> dict[str, Any]:
    """{"cube": {"534": [members, net]}, "cells": {"53": …}, "classes": …, "layers": …, "buyers", "net"} from rows of
    (r, f, m, class, layer, members, net amount)."""
    parts: dict[str, dict[str, list[int]]] = {"cube": {}, "cells": {}, "classes": {}, "layers": {}}
    buyers = net = 0
    for r, f, m, class_, layer, members, amount in rows:
        keys = (("cube", f"{r}{f}{m}"), ("cells", f"{r}{f}"), ("classes", class_), ("layers", layer))
        for part, key in keys:
            cell = parts[part].setdefault(key, [0, 0])
            cell[0] += members
            cell[1] += int(amount)
        buyers += members
        net += int(amount)
    return {**parts, "buyers": buyers, "net": net}
