"""What segments are made of besides a condition: exclusions, parts of a split. All of it is the one language."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

# Buckets of the field `bucket`: 0–9999, evenly spread for each salt.
BUCKETS = 10_000
FEWEST_PARTS, MOST_PARTS = 2, 10


def in_segments(segment_ids: Iterable[int]) -> dict[str, Any]:
    """The condition of being in any of these segments."""
    return {"field": "segment", "op": "any_of", "value": sorted(set(segment_ids))}


def split_exclusions(condition: Any) -> tuple[Any, list[int]]:
    """The condition proper and the segments excluded from it: {"all": [condition, none of segments]} taken apart.

    Any other condition comes back as it is, without exclusions. `with_exclusions` puts it together again.
    """
    if not isinstance(condition, dict) or set(condition) - {"version"} != {"all"}:
        return condition, []
    parts = condition["all"]
    if not isinstance(parts, list) or len(parts) != 2 or not (excluded := _excluded(parts[1])):
        return condition, []
    inner = parts[0]
    if "version" in condition and isinstance(inner, dict):
        inner = {"version": condition["version"], **inner}
    return inner, excluded


def with_exclusions(condition: Any, segment_ids: Iterable[int]) -> Any:
    """The condition without the members of these segments; exclusions that it had are replaced."""
    inner, _former = split_exclusions(condition)
    wanted = list(dict.fromkeys(segment_ids))
    if not wanted:
        return inner
    composed: dict[str, Any] = {}
    if isinstance(inner, dict) and "version" in inner:
        composed["version"] = inner["version"]
        inner = {key: value for key, value in inner.items() if key != "version"}
    return {**composed, "all": [inner, {"field": "segment", "op": "none_of", "value": wanted}]}


def _excluded(part: Any) -> list[int]:
    if not isinstance(part, dict) or set(part) != {"field", "op", "value"}:
        return []
    value = part["value"]
    if (part["field"], part["op"]) != ("segment", "none_of") or not isinstance(value, list):
        return []
    return value if all(isinstance(one, int) and not isinstance(one, bool) for one in value) else []


class Part(NamedTuple):
    """One part of a split: the buckets `low` … `high`, both included."""

    number: int
    low: int
    high: int


def parts(count: int) -> list[Part]:
    """`count` ranges of buckets: disjoint, together all of them, and as equal as they can be."""
    edges = [BUCKETS * place // count for place in range(count + 1)]
    return [Part(place + 1, edges[place], edges[place + 1] - 1) for place in range(count)]


def part_condition(segment_id: int, part: Part, *, salt: str) -> dict[str, Any]:
    """Members of a segment whose bucket for `salt` is in the part."""
    return {
        "all": [
            in_segments([segment_id]),
            {"field": "bucket", "op": "between", "value": [part.low, part.high], "with": {"salt": salt}},
        ]
    }


def region_condition(segment_ids: Sequence[int], inside: Sequence[bool]) -> dict[str, Any]:
    """Members in each of the segments that `inside` says, and in none of the others. At least one is inside."""
    held = [in_segments([key]) for key, is_in in zip(segment_ids, inside, strict=True) if is_in]
    left_out = [key for key, is_in in zip(segment_ids, inside, strict=True) if not is_in]
    condition: dict[str, Any] = with_exclusions({"all": held}, left_out)
    return condition


def trend(sizes: Sequence[int]) -> float | None:
    """By what share the last of these sizes differs from the first; None when there is nothing to compare."""
    if len(sizes) < 2 or not sizes[0]:
        return None
    return (sizes[-1] - sizes[0]) / sizes[0]
