"""Tags named in conditions: replaced in the raw tree, so that one that no longer compiles is rewritten too."""

from __future__ import annotations

from typing import Any

from scrm.common.conditions.named import GROUPS, is_about_tags


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


def _replaced(value: Any, old: int, new: int) -> Any:
    if isinstance(value, list):
        return list(dict.fromkeys(new if one == old and not isinstance(one, bool) else one for one in value))
    return new if value == old and not isinstance(value, bool) else value
