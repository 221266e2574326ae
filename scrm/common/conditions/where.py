"""Narrowing facts by their properties: tests on a JSON object, all bound, none of which can fail on data."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from django.utils.translation import gettext as _

from scrm.common.conditions import values
from scrm.common.conditions.sql import Sql, bind, compose, join, like

# The fact's own amount, beside what its properties say; in major units.
AMOUNT = "$amount"
MAX_TESTS = 10
MAX_PROPERTY = 100
MAX_VALUES = 100
_PARTS = 5


class WhereOperand(StrEnum):
    NONE = "none"
    VALUE = "value"  # a text, or a number that is compared as one
    LIST = "list"
    NUMBER = "number"


OPERANDS: dict[str, WhereOperand] = {
    "eq": WhereOperand.VALUE, "ne": WhereOperand.VALUE,
    "in": WhereOperand.LIST, "not_in": WhereOperand.LIST,
    "contains": WhereOperand.VALUE, "not_contains": WhereOperand.VALUE, "contains_any": WhereOperand.LIST,
    "starts": WhereOperand.VALUE, "ends": WhereOperand.VALUE,
    "ge": WhereOperand.NUMBER, "gt": WhereOperand.NUMBER, "le": WhereOperand.NUMBER, "lt": WhereOperand.NUMBER,
    "set": WhereOperand.NONE, "not_set": WhereOperand.NONE,
}  # fmt: skip
_SIGNS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}


@dataclass(frozen=True, slots=True)
class Test:
    """One test of a property. `value`: a text, a `Decimal`, a tuple of them, or None."""

    property: str
    op: str
    value: Any = None


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a sequence: an event of one of the types that passes all tests."""

    types: tuple[str, ...]
    where: tuple[Test, ...] = ()


def read_tests(raw: Any) -> tuple[Test, ...]:
    """[{"property": "title", "op": "contains", "value": "育儿"}, …]. Raises `ValueError`."""
    if not isinstance(raw, list) or len(raw) > MAX_TESTS:
        raise ValueError(_("At most %(count)s tests of properties.") % {"count": MAX_TESTS})
    return tuple(_test(one) for one in raw)


def _test(raw: Any) -> Test:
    if not isinstance(raw, dict) or not {"property", "op"} <= set(raw) <= {"property", "op", "value"}:
        raise ValueError(_("A test of a property has a property, an operator and a value."))
    name, op, value = raw["property"], raw["op"], raw.get("value")
    name = values.read_text(name).strip()
    if len(name) > MAX_PROPERTY or len(name.split(".")) > _PARTS or not all(name.split(".")):
        raise ValueError(_("Not the name of a property."))
    operand = OPERANDS.get(op) if isinstance(op, str) else None
    if operand is None:
        raise ValueError(_("Choose how to compare."))
    match operand:
        case WhereOperand.NONE:
            if value is not None:
                raise ValueError(_("This operator takes no value."))
            return Test(name, op)
        case WhereOperand.NUMBER:
            return Test(name, op, values.read_decimal(value))
        case WhereOperand.LIST:
            if not isinstance(value, list) or not 0 < len(value) <= MAX_VALUES:
                raise ValueError(_("From 1 to %(count)s values.") % {"count": MAX_VALUES})
            read = values.read_text if op == "contains_any" else _scalar
            return Test(name, op, tuple(read(item) for item in value))
        case _:
            if op in ("eq", "ne"):
                return Test(name, op, _scalar(value))
            return Test(name, op, values.read_text(value))


def _scalar(raw: Any) -> str | Decimal:
    if isinstance(raw, bool):
        return "true" if raw else "false"
    return values.read_text(raw) if isinstance(raw, str) else values.read_decimal(raw)


def compile_tests(tests: Sequence[Test], document: str, special: Mapping[str, Sql]) -> list[Sql]:
    """Each test over a jsonb column. `special` gives properties that stand in columns, as numbers."""
    return [_compile(test, document, special) for test in tests]


def property_text(name: str, document: str) -> Sql:
    """The property as text, NULL when it is missing or empty. A dot goes into an object inside."""
    return compose(f"NULLIF({document} #>> {{}}, '')", bind(name.split(".")))


def _compile(test: Test, document: str, special: Mapping[str, Sql]) -> Sql:
    column = special.get(test.property)
    text = compose("({})::text", column) if column is not None else property_text(test.property, document)
    if test.op in ("set", "not_set"):
        return compose("{} IS NULL" if test.op == "not_set" else "{} IS NOT NULL", text)
    if test.op in _SIGNS:
        return compose(f"{{}} {_SIGNS[test.op]} {{}}", column or _number(text), bind(test.value))
    if test.op in ("contains", "not_contains", "starts", "ends"):
        return like(test.op, text, test.value)
    if test.op == "contains_any":
        return join(" OR ", [like("contains", text, item) for item in test.value])
    wanted = test.value if isinstance(test.value, tuple) else (test.value,)
    texts = [item for item in wanted if isinstance(item, str)]
    numbers = [item for item in wanted if isinstance(item, Decimal)]
    parts = []
    if texts:
        parts.append(compose("{} = ANY({})", text, bind(texts)))
    if numbers:
        # A text is not a number, so that a test for one is false, not unknown.
        parts.append(compose("COALESCE({} = ANY({}), FALSE)", column or _number(text), bind(numbers)))
    either = parts[0] if len(parts) == 1 else compose("({} OR {})", *parts)
    return either if test.op in ("eq", "in") else compose("{} IS NOT NULL AND NOT ({})", text, either)


def _number(text: Sql) -> Sql:
    """The text as a number of at most 18 digits before and 9 after the point, NULL when it is none."""
    return compose(r"CASE WHEN {} ~ '^-?[0-9]{{1,18}}(\.[0-9]{{1,9}})?$' THEN ({})::numeric END", text, text)


def number_of(text: str) -> Decimal | None:
    """The same in Python, for whoever reads properties outside of SQL."""
    return Decimal(text) if re.fullmatch(r"-?[0-9]{1,18}(\.[0-9]{1,9})?", text) else None
