"""SQL text with its parameters, put together without ever formatting a value into the text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Sql:
    """A piece of SQL and the values of its `%s` placeholders, in order."""

    text: str
    params: tuple[Any, ...] = ()


def bind(value: Any) -> Sql:
    """A value, as a placeholder."""
    return Sql("%s", (value,))


def compose(template: str, *parts: Sql) -> Sql:
    """The template with each `{}` replaced by a part; parameters follow in the same order."""
    text = template.format(*(part.text for part in parts))
    return Sql(text, tuple(value for part in parts for value in part.params))


def join(separator: str, parts: Iterable[Sql]) -> Sql:
    """Parts in a row, each in brackets."""
    listed = list(parts)
    return Sql(
        separator.join(f"({part.text})" for part in listed),
        tuple(value for part in listed for value in part.params),
    )


def like(op: str, expression: Sql, text: str) -> Sql:
    """contains, starts or ends, or `not_` one of them; the text is taken literally."""
    literal = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    kind = op.removeprefix("not_")
    pattern = f"{'' if kind == 'starts' else '%'}{literal}{'' if kind == 'ends' else '%'}"
    return compose(f"{{}} {'NOT ' if op.startswith('not_') else ''}LIKE {{}}", expression, bind(pattern))


TRUE = Sql("TRUE")
FALSE = Sql("FALSE")
