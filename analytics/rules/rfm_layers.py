"""The named layers of RFM: a table over the three scores, first match wins, and the presets to start from.

- `layers11`: eleven layers over R and the mean of F and M, the table of most e-mail tools.
- `layers10`: ten layers over R and F alone, as the RFM libraries for Python and R have them.
Members without a counting order match no row: they are prospects.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analytics.enums import RfmClass, RfmLayer

SCORES = (1, 2, 3, 4, 5)
TONES = ("jade", "green", "blue", "violet", "amber", "red", "pink", "grey")
MOST = 30
LONGEST_NAME = 40
_KEY = re.compile(r"[a-z][a-z0-9_]{0,19}")
_ALL = (1, 5)

Range = tuple[int, int]


class BadDefinition(ValueError):
    """A definition that cannot be computed. `code` is stable, `field` names the place (`cuts.r`, `layers.3`)."""

    def __init__(self, code: str, field: str, **detail: Any) -> None:
        super().__init__(f"{field}: {code}")
        self.code = code
        self.field = field
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Layer:
    """A row of the table: scores within ranges, and a mean of the F and M scores of at least `fm`.

    `name` is what the operator typed; empty for the layer's usual name in the reader's language.
    """

    key: str
    r: Range = _ALL
    f: Range = _ALL
    m: Range = _ALL
    fm: int = 1
    name: str = ""
    tone: str = "grey"

    def matches(self, r: int, f: int, m: int) -> bool:
        return (
            self.r[0] <= r <= self.r[1]
            and self.f[0] <= f <= self.f[1]
            and self.m[0] <= m <= self.m[1]
            and f + m >= 2 * self.fm
        )


@dataclass(frozen=True, slots=True)
class Label:
    """How one of the eight classes is called and coloured in a model."""

    name: str = ""
    tone: str = "grey"


_TONES = {
    RfmLayer.CHAMPIONS: "green",
    RfmLayer.LOYAL: "jade",
    RfmLayer.POTENTIAL_LOYALIST: "blue",
    RfmLayer.NEW: "blue",
    RfmLayer.PROMISING: "violet",
    RfmLayer.NEED_ATTENTION: "amber",
    RfmLayer.ABOUT_TO_SLEEP: "amber",
    RfmLayer.CANNOT_LOSE: "red",
    RfmLayer.AT_RISK: "red",
    RfmLayer.HIBERNATING: "grey",
    RfmLayer.LOST: "grey",
}
CLASS_TONES = {
    RfmClass.CHAMPION: "green",
    RfmClass.DEVELOP: "jade",
    RfmClass.KEEP: "violet",
    RfmClass.WIN_BACK: "red",
}


def _row(layer: RfmLayer, r: Range, *, f: Range = _ALL, fm: int = 1) -> Layer:
    return Layer(layer.value, r=r, f=f, fm=fm, tone=_TONES[layer])


LAYERS11: tuple[Layer, ...] = (
    _row(RfmLayer.CHAMPIONS, (4, 5), fm=4),
    _row(RfmLayer.LOYAL, (3, 5), fm=3),
    _row(RfmLayer.POTENTIAL_LOYALIST, (4, 5), fm=2),
    _row(RfmLayer.NEW, (5, 5)),
    _row(RfmLayer.PROMISING, (4, 4)),
    _row(RfmLayer.NEED_ATTENTION, (3, 3), fm=2),
    _row(RfmLayer.CANNOT_LOSE, (1, 2), fm=4),
    _row(RfmLayer.AT_RISK, (1, 2), fm=3),
    _row(RfmLayer.ABOUT_TO_SLEEP, (2, 3)),
    _row(RfmLayer.HIBERNATING, (1, 1), fm=2),
    _row(RfmLayer.LOST, (1, 1)),
)
LAYERS10: tuple[Layer, ...] = (
    _row(RfmLayer.CHAMPIONS, (5, 5), f=(4, 5)),
    _row(RfmLayer.LOYAL, (3, 4), f=(4, 5)),
    _row(RfmLayer.POTENTIAL_LOYALIST, (4, 5), f=(2, 3)),
    _row(RfmLayer.NEW, (5, 5), f=(1, 1)),
    _row(RfmLayer.PROMISING, (4, 4), f=(1, 1)),
    _row(RfmLayer.NEED_ATTENTION, (3, 3), f=(3, 3)),
    _row(RfmLayer.ABOUT_TO_SLEEP, (3, 3), f=(1, 2)),
    _row(RfmLayer.CANNOT_LOSE, (1, 2), f=(5, 5)),
    _row(RfmLayer.AT_RISK, (1, 2), f=(3, 4)),
    _row(RfmLayer.HIBERNATING, (1, 2), f=(1, 2)),
)
PRESETS: dict[str, tuple[Layer, ...]] = {"layers11": LAYERS11, "layers10": LAYERS10}
STANDARD_CLASSES: dict[str, Label] = {entry.value: Label(tone=CLASS_TONES.get(entry, "grey")) for entry in RfmClass}


def table(layers: Sequence[Layer]) -> dict[tuple[int, int, int], str]:
    """The layer of each of the 125 scores. Raises `BadDefinition` (`layers_incomplete`) when one matches none."""
    found = {}
    for r in SCORES:
        for f in SCORES:
            for m in SCORES:
                key = next((layer.key for layer in layers if layer.matches(r, f, m)), None)
                if key is None:
                    raise BadDefinition("layers_incomplete", "layers", scores=f"R{r} F{f} M{m}")
                found[r, f, m] = key
    return found


def parse_layers(raw: Any) -> tuple[Layer, ...]:
    """Layers as they are stored; nothing stands for the eleven. Raises `BadDefinition`."""
    if raw is None or raw == []:
        return LAYERS11
    if not isinstance(raw, list) or len(raw) > MOST:
        raise BadDefinition("layers_expected", "layers", most=MOST)
    layers = tuple(_parse_layer(position, entry) for position, entry in enumerate(raw))
    keys = [layer.key for layer in layers]
    for position, key in enumerate(keys):
        if key in keys[:position]:
            raise BadDefinition("layer_twice", f"layers.{position}")
    found = set(table(layers).values())
    for position, layer in enumerate(layers):
        if layer.key not in found:
            raise BadDefinition("layer_unreachable", f"layers.{position}")
    return layers


def dump_layers(layers: Sequence[Layer]) -> list[dict[str, Any]]:
    """What `parse_layers` reads."""
    return [
        {
            "key": layer.key,
            "name": layer.name,
            "tone": layer.tone,
            "r": list(layer.r),
            "f": list(layer.f),
            "m": list(layer.m),
            "fm": layer.fm,
        }
        for layer in layers
    ]


def parse_classes(raw: Any) -> dict[str, Label]:
    """Names and colours of the eight classes; what is missing is as usual. Raises `BadDefinition`."""
    given = raw or {}
    if not isinstance(given, Mapping):
        raise BadDefinition("classes_expected", "classes")
    if unknown := set(given) - set(STANDARD_CLASSES):
        raise BadDefinition("unknown_class", f"classes.{min(map(str, unknown))[:20]}")
    found = {}
    for key, usual in STANDARD_CLASSES.items():
        entry = given.get(key) or {}
        if not isinstance(entry, Mapping):
            raise BadDefinition("classes_expected", f"classes.{key}")
        found[key] = Label(
            _name(entry.get("name", ""), f"classes.{key}"), _tone(entry.get("tone", usual.tone), f"classes.{key}")
        )
    return found


def dump_classes(classes: Mapping[str, Label]) -> dict[str, Any]:
    """What `parse_classes` reads."""
    return {key: {"name": label.name, "tone": label.tone} for key, label in classes.items()}


def _parse_layer(position: int, raw: Any) -> Layer:
    field = f"layers.{position}"
    if not isinstance(raw, Mapping):
        raise BadDefinition("layers_expected", field, most=MOST)
    key = raw.get("key")
    if not isinstance(key, str) or not _KEY.fullmatch(key) or key == RfmLayer.PROSPECT:
        raise BadDefinition("bad_key", field)
    name = _name(raw.get("name", ""), field)
    if not name and key not in RfmLayer.values:
        raise BadDefinition("name_needed", field)
    fm = raw.get("fm", 1)
    if not _is_score(fm):
        raise BadDefinition("score_range", field)
    return Layer(
        key,
        r=_range(raw.get("r", [1, 5]), field),
        f=_range(raw.get("f", [1, 5]), field),
        m=_range(raw.get("m", [1, 5]), field),
        fm=fm,
        name=name,
        tone=_tone(raw.get("tone", "grey"), field),
    )


def _is_score(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 5


def _range(raw: Any, field: str) -> Range:
    if not isinstance(raw, list | tuple) or len(raw) != 2 or not all(_is_score(v) for v in raw) or raw[0] > raw[1]:
        raise BadDefinition("score_range", field)
    return raw[0], raw[1]


def _name(raw: Any, field: str) -> str:
    if not isinstance(raw, str) or len(raw) > LONGEST_NAME or "\x00" in raw:
        raise BadDefinition("bad_name", field)
    return raw.strip()


def _tone(raw: Any, field: str) -> str:
    if raw not in TONES:
        raise BadDefinition("unknown_tone", field)
    return str(raw)
