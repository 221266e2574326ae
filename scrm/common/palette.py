"""What the command palette finds. Each app registers a search over its own things in `<app>/web/panels.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from scrm.common.access import Actor


@dataclass(frozen=True, slots=True)
class Entry:
    label: str
    url: str
    icon: str
    hint: str = ""


Search = Callable[[Actor, str], list[Entry]]
_searches: list[Search] = []


def register(search: Search) -> None:
    """Add a search. It answers a handful of entries at most and costs one indexed query."""
    _searches.append(search)


def find(actor: Actor, query: str) -> list[Entry]:
    """Everything that the registered searches find for a non-empty query."""
    return [entry for search in _searches for entry in search(actor, query)] if query else []
