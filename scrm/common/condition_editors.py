"""How a lower app's page shows the condition builder, which a higher app owns.

The owner registers what makes the template variable `builder`; templates include `tags/condition_builder.html`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from django.forms import Form

from scrm.common import conditions
from scrm.common.access import ConsoleRequest

Faults = Sequence[dict[str, str]]
Make = Callable[..., dict[str, Any]]
_makers: list[Make] = []


def register(make: Make) -> None:
    """Set the maker. Called once, when the app that owns the builder is ready."""
    _makers[:] = [make]


def context(
    request: ConsoleRequest, *, condition: str, faults: Faults = (), draft: str = "", unsaved: bool = False
) -> dict[str, Any]:
    """The variable `builder`: `condition` is the tree as JSON text, or ""; `faults` are those of a refused save.

    `draft` names what the browser keeps an unsaved condition under.
    """
    return _makers[0](request, condition=condition, faults=list(faults), draft=draft, unsaved=unsaved)


def of_form(
    request: ConsoleRequest, form: Form, *, stored: Any, faults: Faults = (), draft: str = ""
) -> dict[str, Any]:
    """The same for a form with a field `condition`: the tree that was sent, or else the one that is stored."""
    if form.is_bound:
        condition = str(form.data.get("condition", ""))
    else:
        condition = json.dumps(stored, ensure_ascii=False) if stored else ""
    return context(request, condition=condition, faults=faults, draft=draft, unsaved=form.is_bound)


def built(text: str) -> Any:
    """The tree that was sent back; None when it has no leaf. Raises `conditions.BadCondition` when it is no JSON."""
    tree = conditions.loads(text) if text.strip() else None
    # The builder without a row sends an empty group: everybody.
    if isinstance(tree, dict) and all(tree[name] == [] for name in tree if name != "version"):
        return None
    return tree
