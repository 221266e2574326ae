"""Which orders an RFM model counts: of some sources, stores, regions, channels, product categories; of one currency.

A list narrows; several lists narrow together. Stores and regions are where the order was placed. With categories, M is
the part of each order's net amount that its lines of those categories have in all of its lines, rounded half up, and
F counts the orders that hold such a line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analytics.rules.rfm_layers import BadDefinition

NUMBERED = ("sources", "stores", "regions")
NAMED = {"channels": 24, "categories": 60}  # and how long a name may be
MOST = 100


@dataclass(frozen=True, slots=True)
class Scope:
    """Ids and names that narrow the orders; empty ones do not."""

    sources: tuple[int, ...] = ()
    stores: tuple[int, ...] = ()
    regions: tuple[int, ...] = ()
    channels: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()

    @property
    def is_by_source_only(self) -> bool:
        """Whether the covering index of orders tells everything."""
        return not (self.stores or self.regions or self.channels or self.categories)


def parse(raw: Any) -> Scope:
    """The scope stored with a model. Raises `BadDefinition` (`bad_scope`, `too_many`)."""
    given = raw or {}
    if not isinstance(given, Mapping) or set(given) - {*NUMBERED, *NAMED}:
        raise BadDefinition("bad_scope", "scope")
    found: dict[str, tuple[Any, ...]] = {}
    for name in (*NUMBERED, *NAMED):
        values = given.get(name) or []
        if not isinstance(values, list | tuple):
            raise BadDefinition("bad_scope", f"scope.{name}")
        if len(values) > MOST:
            raise BadDefinition("too_many", f"scope.{name}", most=MOST)
        if not all(_is_id(v) if name in NUMBERED else _is_name(v, NAMED[name]) for v in values):
            raise BadDefinition("bad_scope", f"scope.{name}")
        found[name] = tuple(sorted(set(values)))
    return Scope(**found)


def dump(scope: Scope) -> dict[str, list[Any]]:
    """What `parse` reads; only what narrows."""
    return {name: list(values) for name in (*NUMBERED, *NAMED) if (values := getattr(scope, name))}


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**63


def _is_name(value: Any, longest: int) -> bool:
    return isinstance(value, str) and 0 < len(value) <= longest and "\x00" not in value
