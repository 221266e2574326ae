"""The fields of the condition language over custom attributes: they come and go with the declarations.

What a member holds may be anything, so nothing is cast that was not looked at first: a value that is none of its
declared type counts as unset.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from members.enums import AttributeType
from members.models import Attribute
from members.queries import attributes
from members.rules.attributes import PREFIX
from scrm.common.conditions import Choice, Column, Context, Field, FieldType, Sql, bind, compose

GROUP = _("Custom fields")
_TOPICS = frozenset({"attribute"})
_TYPES = {
    AttributeType.TEXT: FieldType.TEXT,
    AttributeType.NUMBER: FieldType.INTEGER,
    AttributeType.DATE: FieldType.DATE,
    AttributeType.YES_NO: FieldType.ENUM,
    AttributeType.CHOICE: FieldType.ENUM,
}


def resolve(key: str) -> Field | None:
    """The field of a declared attribute; None when there is no such declaration (any more)."""
    found = attributes.by_key(key.removeprefix(PREFIX))
    return None if found is None else _field(found)


def every() -> list[Field]:
    return [_field(attribute) for attribute in attributes.every()]


def _field(attribute: Attribute) -> Field:
    return Field(
        PREFIX + attribute.key,
        attribute.label,
        GROUP,
        _TYPES[AttributeType(attribute.type)],
        _source(attribute.key, attribute.type),
        choices=_choices(attribute),
        topics=_TOPICS,
    )


def _choices(attribute: Attribute) -> Callable[[], Sequence[Choice]] | None:
    match attribute.type:
        case AttributeType.CHOICE:
            return lambda: [Choice(value, value) for value in attribute.choices]
        case AttributeType.YES_NO:
            return lambda: [
                Choice("true", pgettext_lazy("answer", "Yes")),
                Choice("false", pgettext_lazy("answer", "No")),
            ]
        case _:
            return None


def _source(key: str, kind: str) -> Callable[[Context], Column]:
    def source(_context: Context) -> Column:
        text = compose(
            "CASE WHEN jsonb_typeof(m.attributes -> {}) NOT IN ('object', 'array') THEN m.attributes ->> {} END",
            bind(key), bind(key),
        )  # fmt: skip
        value = _value(compose("({})", text), kind)
        return Column(value, compose("{} IS NOT NULL", value))

    return source


def _value(text: Sql, kind: str) -> Sql:
    match kind:
        case AttributeType.NUMBER:
            return compose(
                r"CASE WHEN {} ~ '^-?[0-9]{{1,18}}(\.0+)?$' THEN trunc(({})::numeric)::bigint END", text, text
            )
        case AttributeType.DATE:
            return compose(
                "CASE WHEN {} ~ '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}$' AND pg_input_is_valid({}, 'date')"
                " THEN ({})::date END",
                text, text, text,
            )  # fmt: skip
        case AttributeType.YES_NO:
            return compose("CASE WHEN {} IN ('true', 'false') THEN {} END", text, text)
        case _:
            return compose("NULLIF({}, '')", text)
