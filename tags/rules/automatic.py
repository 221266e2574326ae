"""The three forms in which a tag rule is written, each turned into a condition of the one language.

- condition: `{"condition": {…}}`, a tree as the builder makes it.
- keyword: `{"types": ["message"], "property": "text", "keywords": ["育儿", "辅食"], "match": "any", "min_count": 2,
  "within_days": 30}`: at least so many events of these types within so many days whose property contains any (or all)
  of the keywords. Without keywords the events alone count; without `within_days` all time does.
- interest: `{"types": ["page"], "property": "title", "keywords": ["育儿"], "match": "any", "half_life_days": 14,
  "threshold": 2.5}`: every such event weighs 1 and its weight halves each half-life; the tag stays on while the sum
  reaches the threshold.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FORMS = ("condition", "keyword", "interest")
MATCHES = ("any", "all")
MOST_KEYWORDS = 50
MOST_TOGETHER = 10
MOST_TYPES = 50
LONGEST_KEYWORD = 60
LONGEST_PROPERTY = 60
MOST_COUNT = 10_000
MOST_DAYS = 3_650
LONGEST_HALF_LIFE = 3_650.0
LARGEST_THRESHOLD = 100_000.0
_KEYS = {
    "condition": {"condition"},
    "keyword": {"types", "property", "keywords", "match", "min_count", "within_days"},
    "interest": {"types", "property", "keywords", "match", "half_life_days", "threshold"},
}


class BadRule(ValueError):
    """A definition that cannot be used. `code` is stable, `field` names the place (`keywords`)."""

    def __init__(self, code: str, field: str) -> None:
        super().__init__(f"{field}: {code}")
        self.code = code
        self.field = field


def condition_of(form: str, definition: Mapping[str, Any], *, valid_days: int | None = None) -> Any:
    """The condition that a definition stands for, as raw JSON for `conditions.parse`.

    `valid_days` is the validity of the tag. For keyword and interest rules it counts from the last matching event, so
    that a new one brings the tag back; it becomes part of the condition. For the condition form it is no part of it.
    Raises `BadRule` (`unknown_form`, `unknown_key`, `value_needed`, `too_many`, `too_long`, `out_of_range`).
    """
    if form not in FORMS:
        raise BadRule("unknown_form", "form")
    if not isinstance(definition, Mapping):
        raise BadRule("value_needed", "definition")
    unknown = set(definition) - _KEYS[form]
    if unknown:
        raise BadRule("unknown_key", min(map(str, unknown))[:40])
    if form == "condition":
        if not definition.get("condition"):
            raise BadRule("value_needed", "condition")
        return definition["condition"]
    narrowed = narrowing(definition)
    if form == "keyword":
        days = definition.get("within_days")
        leaf: dict[str, Any] = {
            "field": "event.count",
            "op": "ge",
            "value": _whole(definition.get("min_count", 1), 1, MOST_COUNT, "min_count"),
            "with": narrowed,
        }
        if days is not None:
            days = _whole(days, 1, MOST_DAYS, "within_days")
            leaf["window"] = _last(days)
    else:
        leaf = weight_leaf(definition)
        days = None
    if valid_days is None or (days is not None and days <= valid_days and leaf.get("value") == 1):
        return {"all": [leaf]}
    fresh = {"field": "event", "op": "true", "with": narrowed, "window": _last(valid_days)}
    return {"all": [leaf, fresh]}


def weight_leaf(definition: Mapping[str, Any]) -> dict[str, Any]:
    """The leaf of an interest rule that compares the faded sum with the threshold."""
    return {
        "field": "event.weight",
        "op": "ge",
        "value": _number(definition.get("threshold", 1), 0.0001, LARGEST_THRESHOLD, "threshold"),
        "with": {**narrowing(definition), "half_life_days": half_life(definition)},
    }


def half_life(definition: Mapping[str, Any]) -> float:
    """Days after which an event of an interest rule weighs half. Raises `BadRule`."""
    return _number(definition.get("half_life_days"), 0.1, LONGEST_HALF_LIFE, "half_life_days")


def narrowing(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Which events count: the `with` of an event leaf. Raises `BadRule`."""
    types = _texts(definition.get("types"), MOST_TYPES, LONGEST_PROPERTY, "types")
    if not types:
        raise BadRule("value_needed", "types")
    keywords = _texts(definition.get("keywords") or [], MOST_KEYWORDS, LONGEST_KEYWORD, "keywords")
    if not keywords:
        return {"type": types}
    name = definition.get("property")
    if not isinstance(name, str) or not name.strip():
        raise BadRule("value_needed", "property")
    if len(name) > LONGEST_PROPERTY:
        raise BadRule("too_long", "property")
    match = definition.get("match", "any")
    if match not in MATCHES:
        raise BadRule("out_of_range", "match")
    name = name.strip()
    if match == "all" or len(keywords) == 1:
        # A condition takes at most ten tests of properties.
        if len(keywords) > MOST_TOGETHER:
            raise BadRule("too_many", "keywords")
        together = [{"property": name, "op": "contains", "value": keyword} for keyword in keywords]
        return {"type": types, "where": together}
    return {"type": types, "where": [{"property": name, "op": "contains_any", "value": keywords}]}


def _last(days: int) -> dict[str, Any]:
    return {"last": {"n": days, "unit": "day"}}


def _texts(raw: Any, most: int, longest: int, field: str) -> list[str]:
    if not isinstance(raw, list) or not all(isinstance(one, str) for one in raw):
        raise BadRule("value_needed", field)
    found = list(dict.fromkeys(one.strip() for one in raw if one.strip()))
    if len(found) > most:
        raise BadRule("too_many", field)
    if any(len(one) > longest or "\x00" in one for one in found):
        raise BadRule("too_long", field)
    return found


def _whole(raw: Any, low: int, high: int, field: str) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int) or not low <= raw <= high:
        raise BadRule("out_of_range", field)
    return raw


def _number(raw: Any, low: float, high: float, field: str) -> float:
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not low <= raw <= high:
        raise BadRule("out_of_range", field)
    return round(float(raw), 4)
