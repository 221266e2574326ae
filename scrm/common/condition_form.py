"""How pages of every app offer the condition builder, without importing the app that answers its questions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scrm.common.access import ConsoleRequest

# (request, condition as JSON text, faults, draft, unsaved) → the variable `builder` of tags/condition_builder.html.
Provider = Callable[..., dict[str, Any]]
_provided: list[Provider] = []


def provide(provider: Provider) -> None:
    """Set what `context` answers with. Called once, by the app that owns the builder."""
    _provided[:] = [provider]


def context(
    request: ConsoleRequest,
    *,
    condition: str,
    faults: list[dict[str, str]] | None = None,
    draft: str = "",
    unsaved: bool = False,
) -> dict[str, Any]:
    """The variable `builder` of tags/condition_builder.html: see `tags.web.condition_builder.context`."""
    return _provided[0](request, condition=condition, faults=faults, draft=draft, unsaved=unsaved)
