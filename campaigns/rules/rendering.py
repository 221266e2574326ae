"""Filling a checked message in for one member. Compiled once, rendered by the hundred thousand.

The source contains only tags that `expressions` let through; on top of that the engine sees nothing but a dict of
strings, has a fuel limit and no loader. Values are escaped in HTML.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import minijinja

from campaigns.rules.content import Content

FUEL = 20_000
LARGEST_RESULT = 200_000


class RenderProblem(ValueError):
    """The message cannot be rendered for this member."""


@dataclass(frozen=True, slots=True)
class Rendered:
    subject: str
    text: str
    html: str


class Renderer:
    """A message ready to be filled in. `words` are the sentences of the layout, in the brand's language."""

    def __init__(self, content: Content, *, layout: str = "{{ body }}", words: Mapping[str, str] | None = None) -> None:
        self.content = content
        self._words = dict(words or {})
        before, _, after = layout.partition("{{ body }}")
        self._environment = minijinja.Environment(
            templates={"subject": content.subject, "text": content.text, "html": before + content.html + after},
            auto_escape_callback=lambda name: name == "html",
            undefined_behavior="chainable",
            fuel=FUEL,
        )

    def missing(self, values: Mapping[str, Any]) -> list[str]:
        """The fields that are read without a default and have no value here, sorted."""
        return sorted(path for path in self.content.required if not _look_up(values, path))

    def render(self, values: Mapping[str, Any], *, links: Sequence[str]) -> Rendered:
        """Fill in. `values` are nested dicts of strings, an empty one counts as missing; `links` one address each.

        Raises `RenderProblem`.
        """
        context = {**_without_blanks(values), "links": list(links), "words": self._words}
        try:
            rendered = Rendered(
                *(self._environment.render_template(name, **context) for name in ("subject", "text", "html"))
            )
        except minijinja.TemplateError as error:
            raise RenderProblem(str(error)[:200]) from error
        if len(rendered.html) > LARGEST_RESULT:
            raise RenderProblem("too_long")
        # A value may not add a header line; and a slash needs no escape in any place that our HTML has.
        html = rendered.html.replace("&#x2f;", "/")
        return Rendered(" ".join(rendered.subject.split()), rendered.text, html)


def _look_up(values: Mapping[str, Any], path: str) -> Any:
    current: Any = values
    for part in path.split("."):
        current = current.get(part) if isinstance(current, Mapping) else None
    return current


def _without_blanks(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _without_blanks(value) if isinstance(value, Mapping) else value for key, value in values.items() if value
    }
