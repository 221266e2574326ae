"""What uses a thing: listed before the thing is deleted, archived or merged, and rewritten where another replaces it.

The app that owns the thing asks `of` and calls `rewrite`; each app says by `register` what of its own may use it, and
by `register_rewriter` how that comes to name the other one, so that nothing is imported upwards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple


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


@dataclass(frozen=True, slots=True)
class Replacement:
    """One thing takes the place of another: its keys or ids before and after, and why, in words."""

    old: Any
    new: Any
    why: str
    at: datetime


# Given the key or id of a thing.
Search = Callable[[Any], list[Dependent]]
# Lets what uses the old thing name the new one; answers how many were changed. Safe to repeat.
Rewrite = Callable[[Replacement], int]
# Given the key or id: keeps out whoever would go on to work by what is about to be rewritten.
Hold = Callable[[Any], None]


class _Rewriter(NamedTuple):
    rewrite: Rewrite
    hold: Hold | None


_searches: dict[Thing, list[Search]] = {thing: [] for thing in Thing}
_rewriters: dict[Thing, list[_Rewriter]] = {thing: [] for thing in Thing}


def register(thing: Thing, search: Search) -> None:
    """Say what of an app's own uses such a thing. A search costs few queries, however many things there are."""
    _searches[thing].append(search)


def register_rewriter(thing: Thing, rewrite: Rewrite, *, hold: Hold | None = None) -> None:
    """Say how what an app's own uses such a thing comes to name another. `hold` shuts the app's gates."""
    _rewriters[thing].append(_Rewriter(rewrite, hold))


def of(thing: Thing, key: Any) -> list[Dependent]:
    """Everything that uses the thing, in the order in which the searches were registered; each named once."""
    found: dict[tuple[str, str], Dependent] = {}
    for search in _searches[thing]:
        for one in search(key):
            found.setdefault((one.kind, one.url), one)
    return list(found.values())


def hold(thing: Thing, key: Any) -> None:
    """Shut the gates of what uses the thing until the transaction ends: nobody goes on by what it said.

    Members are locked before this, things after it.
    """
    for rewriter in _rewriters[thing]:
        if rewriter.hold is not None:
            rewriter.hold(key)


def rewrite(thing: Thing, replacement: Replacement) -> int:
    """Let everything of other apps that uses the old thing name the new one; answers how many were changed."""
    return sum(rewriter.rewrite(replacement) for rewriter in _rewriters[thing])
