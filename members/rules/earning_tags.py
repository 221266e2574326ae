"""The tags that an earning rule names, in its condition and as multipliers. Of raw definitions. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from scrm.common.conditions.named import replace_tag, tags_named


def multiplies(definition: Mapping[str, Any], tag_id: int) -> bool:
    """Whether it multiplies for whoever has the tag."""
    return any(_is_of(one, tag_id) for one in definition.get("multipliers", ()))


def names(definition: Mapping[str, Any], tag_id: int) -> bool:
    return tag_id in tags_named(definition.get("condition")) or multiplies(definition, tag_id)


def restated(definition: Mapping[str, Any], *, old: int, new: int) -> dict[str, Any]:
    """The same with one tag in the place of another.

    Where both multiply, the higher factor stays: they do not multiply each other because one took the other's place.
    """
    said = dict(definition)
    if "condition" in said:
        said["condition"] = replace_tag(said["condition"], old=old, new=new)
    if "multipliers" in said:
        said["multipliers"] = _restated(said["multipliers"], old, new)
    return said


def _restated(listed: Sequence[dict[str, Any]], old: int, new: int) -> list[dict[str, Any]]:
    place = next((place for place, one in enumerate(listed) if _is_of(one, new)), None)
    if place is None:
        return [{**one, "value": new} if _is_of(one, old) else one for one in listed]
    former = [{**one, "value": new} for one in listed if _is_of(one, old)]
    highest = max([listed[place], *former], key=lambda one: Decimal(str(one["factor"])))
    return [highest if at == place else one for at, one in enumerate(listed) if not _is_of(one, old)]


def _is_of(multiplier: Mapping[str, Any], tag_id: int) -> bool:
    return bool(multiplier["kind"] == "tag" and multiplier["value"] == tag_id)
