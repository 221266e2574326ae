"""How a higher app shows itself on a lower app's page without being imported by it.

A page renders the panels registered for its place; each app registers its own in `<app>/web/panels.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.template.loader import render_to_string
from django.utils.functional import Promise
from django.utils.safestring import SafeString, mark_safe

from scrm.common.access import ConsoleRequest


@dataclass(frozen=True, slots=True)
class Badge:
    """A few words in a coloured pill. `tone` is one of the console's badge tones; `title` explains on hover."""

    label: str | Promise
    tone: str = "grey"
    title: str | Promise = ""


# (template, context), or None when there is nothing to show to this actor.
Panel = Callable[[ConsoleRequest, int], tuple[str, dict[str, Any]] | None]
# Member ids of one page of a list → badges per row, fetched with one query.
RowValues = Callable[[Sequence[int]], Mapping[int, Sequence[Badge]]]

_panels: dict[str, dict[str, Panel]] = {}
_rows: dict[str, RowValues] = {}


def register(place: str, name: str, panel: Panel) -> None:
    """Add a panel to a place ("member": the member page). Names are unique; order is that of registration."""
    _panels.setdefault(place, {})[name] = panel


def render(place: str, request: ConsoleRequest, object_id: int) -> list[tuple[str, SafeString]]:
    """(name, HTML) of every panel that has something to show."""
    rendered = []
    for name, panel in _panels.get(place, {}).items():
        answer = panel(request, object_id)
        if answer is not None:
            template, context = answer
            rendered.append((name, mark_safe(render_to_string(template, context, request=request))))  # noqa: S308
    return rendered


def register_rows(name: str, values: RowValues) -> None:
    """Offer badges for the member list and its export: `name` is what they read ("tags", "stage", "rfm")."""
    _rows[name] = values


def row_values(member_ids: Sequence[int]) -> dict[str, Mapping[int, Sequence[Badge]]]:
    """For one page of the member list: name → member id → value. One query per registered name."""
    return {name: values(member_ids) for name, values in _rows.items()} if member_ids else {}
