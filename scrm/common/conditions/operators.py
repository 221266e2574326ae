"""The types a field can have, the operators each type understands, and what kind of operand an operator takes."""

from __future__ import annotations

from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import pgettext_lazy


class FieldType(StrEnum):
    TEXT = "text"
    INTEGER = "integer"
    DECIMAL = "decimal"  # at most four decimal places
    MONEY = "money"  # operands in major units ("199.00"), compared in minor units
    DATE = "date"
    DATETIME = "datetime"
    ENUM = "enum"
    BOOLEAN = "boolean"
    SET = "set"  # many values of a list at once: tags, identities


class Operand(StrEnum):
    """What stands to the right of an operator. `value` and its lists are read as the field's type."""

    NONE = "none"
    VALUE = "value"
    PAIR = "pair"
    LIST = "list"
    PATTERN = "pattern"
    DURATION = "duration"  # {"n": 30, "unit": "day"}; a bare number means days
    DAYS = "days"  # a number of days within a year
    MONTHS = "months"  # 1–12
    MONTH_DAYS = "month_days"  # 1–31


_PRESENCE = ("set", "not_set")
_NUMBERS = ("ge", "gt", "le", "lt", "eq", "ne", "between", *_PRESENCE)
_CALENDAR = (
    "in_last", "at_least_ago", "in_next", "eq", "before", "after", "between",
    "anniversary_next", "anniversary_last", "anniversary_within", "month", "month_day", *_PRESENCE,
)  # fmt: skip

OPERATORS: dict[FieldType, tuple[str, ...]] = {
    FieldType.TEXT: (
        "eq", "ne", "in", "not_in", "contains", "not_contains", "starts", "not_starts",
        "ends", "not_ends", "regex", "not_regex", *_PRESENCE,
    ),
    FieldType.INTEGER: _NUMBERS,
    FieldType.DECIMAL: _NUMBERS,
    FieldType.MONEY: _NUMBERS,
    FieldType.DATE: _CALENDAR,
    FieldType.DATETIME: _CALENDAR,
    FieldType.ENUM: ("in", "not_in", "eq", "ne", *_PRESENCE),
    FieldType.BOOLEAN: ("true", "false"),
    FieldType.SET: ("any_of", "all_of", "none_of", *_PRESENCE),
}  # fmt: skip

OPERANDS: dict[str, Operand] = {
    "eq": Operand.VALUE, "ne": Operand.VALUE,
    "lt": Operand.VALUE, "le": Operand.VALUE, "gt": Operand.VALUE, "ge": Operand.VALUE,
    "before": Operand.VALUE, "after": Operand.VALUE,
    "between": Operand.PAIR,
    "in": Operand.LIST, "not_in": Operand.LIST,
    "any_of": Operand.LIST, "all_of": Operand.LIST, "none_of": Operand.LIST,
    "contains": Operand.VALUE, "not_contains": Operand.VALUE,
    "starts": Operand.VALUE, "not_starts": Operand.VALUE,
    "ends": Operand.VALUE, "not_ends": Operand.VALUE,
    "regex": Operand.PATTERN, "not_regex": Operand.PATTERN,
    "in_last": Operand.DURATION, "in_next": Operand.DURATION, "at_least_ago": Operand.DURATION,
    "anniversary_next": Operand.DAYS, "anniversary_last": Operand.DAYS,
    "anniversary_within": Operand.DAYS,
    "month": Operand.MONTHS, "month_day": Operand.MONTH_DAYS,
    "true": Operand.NONE, "false": Operand.NONE,
    "set": Operand.NONE, "not_set": Operand.NONE,
}  # fmt: skip

_LABELS: dict[str, str | Promise] = {
    "eq": pgettext_lazy("operator", "is"),
    "ne": pgettext_lazy("operator", "is not"),
    "in": pgettext_lazy("operator", "is any of"),
    "not_in": pgettext_lazy("operator", "is none of"),
    "contains": pgettext_lazy("operator", "contains"),
    "not_contains": pgettext_lazy("operator", "does not contain"),
    "contains_any": pgettext_lazy("operator", "contains any of"),
    "starts": pgettext_lazy("operator", "starts with"),
    "not_starts": pgettext_lazy("operator", "does not start with"),
    "ends": pgettext_lazy("operator", "ends with"),
    "not_ends": pgettext_lazy("operator", "does not end with"),
    "regex": pgettext_lazy("operator", "matches the pattern"),
    "not_regex": pgettext_lazy("operator", "does not match the pattern"),
    "between": pgettext_lazy("operator", "is between"),
    "before": pgettext_lazy("operator", "is before"),
    "after": pgettext_lazy("operator", "is after"),
    "in_last": pgettext_lazy("operator", "is in the last"),
    "in_next": pgettext_lazy("operator", "is in the next"),
    "at_least_ago": pgettext_lazy("operator", "was at least this long ago"),
    "anniversary_next": pgettext_lazy("operator", "has its anniversary in the next"),
    "anniversary_last": pgettext_lazy("operator", "had its anniversary in the last"),
    "anniversary_within": pgettext_lazy("operator", "has its anniversary, before or after today, within"),
    "month": pgettext_lazy("operator", "falls in the month"),
    "month_day": pgettext_lazy("operator", "falls on the day of the month"),
    "any_of": pgettext_lazy("operator", "has any of"),
    "all_of": pgettext_lazy("operator", "has all of"),
    "none_of": pgettext_lazy("operator", "has none of"),
    "true": pgettext_lazy("operator", "yes"),
    "false": pgettext_lazy("operator", "no"),
    "set": pgettext_lazy("operator", "is known"),
    "not_set": pgettext_lazy("operator", "is not known"),
}
_TYPE_LABELS: dict[tuple[FieldType, str], str | Promise] = {
    (FieldType.DATE, "eq"): pgettext_lazy("operator", "is on"),
    (FieldType.DATETIME, "eq"): pgettext_lazy("operator", "is on"),
    (FieldType.SET, "set"): pgettext_lazy("operator", "has at least one"),
    (FieldType.SET, "not_set"): pgettext_lazy("operator", "has none at all"),
}
_SYMBOLS = {"eq": "=", "ne": "≠", "lt": "<", "le": "≤", "gt": ">", "ge": "≥"}


def label(field_type: FieldType, operator: str) -> str | Promise:
    """What the operator is called next to a field of this type."""
    if field_type in (FieldType.INTEGER, FieldType.DECIMAL, FieldType.MONEY) and operator in _SYMBOLS:
        return _SYMBOLS[operator]
    return _TYPE_LABELS.get((field_type, operator), _LABELS[operator])


def where_label(operator: str) -> str | Promise:
    """What an operator is called in a test of a property."""
    return _SYMBOLS[operator] if operator in ("ge", "gt", "le", "lt") else _LABELS[operator]
