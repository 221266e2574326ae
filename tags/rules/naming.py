"""Tags named in conditions: found and replaced in the raw tree, so that one that no longer compiles is read too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

GROUPS = ("all", "any", "none")


def tags_named(condition: Any) -> set[int]:
    """The ids of every tag that a condition names."""
    found: set[int] = set()
    for leaf in _leaves(condition):
        value, extra = leaf.get("value"), leaf.get("with")
        if leaf["field"] == "tag":
            found |= _ids(value)
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
    if _is_tag_leaf(changed):
        if changed["field"] == "tag" and "value" in changed:
            changed["value"] = _replaced(changed["value"], old, new)
        extra = changed.get("with")
        if isinstance(extra, dict) and "tag" in extra:
            changed["with"] = {**extra, "tag": _replaced(extra["tag"], old, new)}
    return changed


def _is_tag_leaf(node: Any) -> bool:
    field = node.get("field") if isinstance(node, dict) else None
    return isinstance(field, str) and (field == "tag" or field.startswith("tag."))


def _leaves(condition: Any) -> Iterator[dict[str, Any]]:
    waiting = [condition]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting += item
        elif isinstance(item, dict):
            if _is_tag_leaf(item):
                yield item
            waiting += [item[key] for key in GROUPS if key in item]


def _ids(value: Any) -> set[int]:
    values = value if isinstance(value, list) else [value]
    return {one for one in values if isinstance(one, int) and not isinstance(one, bool)}


def _replaced(value: Any, old: int, new: int) -> Any:
    if isinstance(value, list):
        return list(dict.fromkeys(new if one == old and not isinstance(one, bool) else one for one in value))
    return new if value == old and not isinstance(value, bool) else value
