"""The tables of fields and operators in docs/conditions.md, written from the registry."""

from __future__ import annotations

from django.utils.translation import override

from scrm.common.conditions import fields, operators, where
from scrm.common.conditions.fields import Field, Param, ParamKind
from scrm.common.conditions.operators import OPERANDS, OPERATORS, FieldType, Operand

_OPERAND_WORDS = {
    Operand.NONE: "nothing",
    Operand.VALUE: "a value",
    Operand.PAIR: "a list of two values, the smaller one first",
    Operand.LIST: "a list of values",
    Operand.PATTERN: "a regular expression",
    Operand.DURATION: "a duration",
    Operand.DAYS: "a number of days, 1 to 366",
    Operand.MONTHS: "a list of months, 1 to 12",
    Operand.MONTH_DAYS: "a list of days of the month, 1 to 31",
}
_TYPE_WORDS = {
    FieldType.TEXT: "text",
    FieldType.INTEGER: "whole number",
    FieldType.DECIMAL: "number with up to four decimal places",
    FieldType.MONEY: 'amount in major units, such as "199.00"',
    FieldType.DATE: 'day, such as "2026-01-31"',
    FieldType.DATETIME: "instant; compared with days of the shop's calendar, or with now",
    FieldType.ENUM: "one of a list",
    FieldType.BOOLEAN: "yes or no",
    FieldType.SET: "several of a list",
}


def tables() -> str:
    """Markdown, in English: the operators of each type, those of properties, and every field."""
    with override("en"):
        return "\n\n".join(
            ["### Operators", _operators(), "### Tests of properties", _tests(), "### Fields", _fields()]
        )


def _operators() -> str:
    lines = ["| Type | Operator | Means | `value` |", "|---|---|---|---|"]
    for kind, known in OPERATORS.items():
        for place, op in enumerate(known):
            name = f"**{kind.value}**: {_TYPE_WORDS[kind]}" if place == 0 else ""
            lines.append(f"| {name} | `{op}` | {operators.label(kind, op)} | {_OPERAND_WORDS[OPERANDS[op]]} |")
    return "\n".join(lines)


def _tests() -> str:
    words = {"none": "nothing", "value": "a text or number", "list": "a list of texts or numbers", "number": "a number"}
    lines = ["| Operator | Means | `value` |", "|---|---|---|"]
    lines += [f"| `{op}` | {operators.where_label(op)} | {words[operand]} |" for op, operand in where.OPERANDS.items()]
    return "\n".join(lines)


def _fields() -> str:
    lines = ["| Field | Means | Type | Window | `with` |", "|---|---|---|---|---|"]
    lines += [_row(entry) for entry in fields.registered()]
    lines += [f"| `{prefix}<key>` | a field of your own | by its declaration | | |" for prefix in fields.families()]
    return "\n".join(lines)


def _row(entry: Field) -> str:
    narrowing = ", ".join(_param(param) for param in entry.params)
    set_too = "" if entry.always_set or entry.type == FieldType.BOOLEAN else ", may be unset"
    windowed = "yes" if entry.windowed else ""
    return f"| `{entry.key}` | {entry.group}: {entry.label} | {entry.type.value}{set_too} | {windowed} | {narrowing} |"


def _param(param: Param) -> str:
    shape = {
        ParamKind.CHOICE: "a list" if param.many else "one of a list",
        ParamKind.TEXT: "a list of texts" if param.many else "a text",
        ParamKind.NUMBER: f"a number from {param.minimum:g} to {param.maximum:g}",
        ParamKind.DURATION: "a duration in " + ", ".join(f"{unit}s" for unit in param.units),
        ParamKind.WHERE: "tests of properties",
        ParamKind.STEP: "an event",
    }[param.kind]
    return f"`{param.key}` ({shape}{', required' if param.required else ''})"
