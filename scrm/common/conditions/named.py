"""What a condition names, read and replaced in the raw tree: also in one that no longer compiles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

GROUPS = ("all", "any", "none")


def leaves_of(condition: Any) -> Iterator[dict[str, Any]]:
    """Everything in the tree that has a field."""
    waiting = [condition]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting += item
        elif isinstance(item, dict):
            if isinstance(item.get("field"), str):
                yield item
            waiting += [item[key] for key in GROUPS if key in item]


def names_field(condition: Any, key: str) -> bool:
    """Whether a leaf is of that field."""
    return any(leaf["field"] == key for leaf in leaves_of(condition))


def segments_named(condition: Any) -> set[int]:
    """The ids of every segment that it names."""
    return {
        one
        for leaf in leaves_of(condition)
        if leaf["field"] == "segment" and isinstance(leaf.get("value"), list)
        for one in _ids(leaf["value"])
    }


def tags_named(condition: Any) -> set[int]:
    """The ids of every tag that it names."""
    found: set[int] = set()
    for leaf in leaves_of(condition):
        if is_about_tags(leaf):
            extra = leaf.get("with")
            if leaf["field"] == "tag":
                found |= _ids(leaf.get("value"))
            if isinstance(extra, dict):
                found |= _ids(extra.get("tag"))
    return found


def replace_tag(condition: Any, *, old: int, new: int) -> Any:
    """The same condition with one tag in the place of another; what names it already is not said twice."""
    if isinstance(condition, list):
        return [replace_tag(item, old=old, new=new) for item in condition]
    if not isinstance(condition, dict):
        return condition
    changed = dict(condition)
    for key in GROUPS:
        if key in changed:
            changed[key] = replace_tag(changed[key], old=old, new=new)
    if is_about_tags(changed):
        if changed["field"] == "tag" and "value" in changed:
            changed["value"] = _replaced(changed["value"], old, new)
        extra = changed.get("with")
        if isinstance(extra, dict) and "tag" in extra:
            changed["with"] = {**extra, "tag": _replaced(extra["tag"], old, new)}
    return changed


def is_about_tags(leaf: dict[str, Any]) -> bool:
    """Whether the leaf asks for tags by their ids, or of one what its tagging says."""
    field = leaf.get("field")
    return isinstance(field, str) and (field == "tag" or field.startswith("tag."))


def _ids(value: Any) -> set[int]:
    values = value if isinstance(value, list) else [value]
    return {one for one in values if isinstance(one, int) and not isinstance(one, bool)}


def _replaced(value: Any, old: int, new: int) -> Any:
    if isinstance(value, list):
        return list(dict.fromkeys(new if one == old and not isinstance(one, bool) else one for one in value))
    return new if value == old and not isinstance(value, bool) else value
