"""What uses a thing: listed before the thing is deleted, archived or merged.

The app that owns the thing asks `of`; each app says by `register` what of its own may use it, so that nothing is
imported upwards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Thing(StrEnum):
    """What can be used, and how it is named to those who are asked."""

    FIELD = "field"  # a field of conditions that may go away, by its key (`attribute.<key>`)
    SEGMENT = "segment"  # by its id
    TAG = "tag"  # by its id


@dataclass(frozen=True, slots=True)
class Dependent:
    """Something that uses a thing. `kind` ("segment", "rule", "campaign") says what it is."""

    kind: str
    label: str
    url: str

    def __str__(self) -> str:
        return self.label


# Given the key or id of a thing.
Search = Callable[[Any], list[Dependent]]
_searches: dict[Thing, list[Search]] = {thing: [] for thing in Thing}


def register(thing: Thing, search: Search) -> None:
    """Say what of an app's own uses such a thing. A search costs few queries, however many things there are."""
    _searches[thing].append(search)


def of(thing: Thing, key: Any) -> list[Dependent]:
    """Everything that uses the thing, in the order in which the searches were registered; each named once."""
    found: dict[tuple[str, str], Dependent] = {}
    for search in _searches[thing]:
        for one in search(key):
            found.setdefault((one.kind, one.url), one)
    return list(found.values())
