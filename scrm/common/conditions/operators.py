"""The types a field can have, the operators each type understands, and what kind of operand an operator takes."""

from __future__ import annotations

from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class FieldType(StrEnum):
    TEXT = "text"
    INTEGER = "integer"
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
    "anniversary_next", "anniversary_last", "month", "month_day", *_PRESENCE,
)  # fmt: skip

OPERATORS: dict[FieldType, tuple[str, ...]] = {
    FieldType.TEXT: (
        "eq", "ne", "in", "not_in", "contains", "not_contains", "starts", "not_starts",
        "ends", "not_ends", "regex", "not_regex", *_PRESENCE,
    ),
    FieldType.INTEGER: _NUMBERS,
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
    "month": Operand.MONTHS, "month_day": Operand.MONTH_DAYS,
    "true": Operand.NONE, "false": Operand.NONE,
    "set": Operand.NONE, "not_set": Operand.NONE,
}  # fmt: skip

_LABELS: dict[str, str | Promise] = {
    "eq": _("is"),
    "ne": _("is not"),
    "in": _("is any of"),
    "not_in": _("is none of"),
    "contains": _("contains"),
    "not_contains": _("does not contain"),
    "starts": _("starts with"),
    "not_starts": _("does not start with"),
    "ends": _("ends with"),
    "not_ends": _("does not end with"),
    "regex": _("matches the pattern"),
    "not_regex": _("does not match the pattern"),
    "between": _("is between"),
    "before": _("is before"),
    "after": _("is after"),
    "in_last": _("is in the last"),
    "in_next": _("is in the next"),
    "at_least_ago": _("was at least this long ago"),
    "anniversary_next": _("has its anniversary in the next"),
    "anniversary_last": _("had its anniversary in the last"),
    "month": _("falls in the month"),
    "month_day": _("falls on the day of the month"),
    "any_of": _("has any of"),
    "all_of": _("has all of"),
    "none_of": _("has none of"),
    "true": _("yes"),
    "false": _("no"),
    "set": _("is known"),
    "not_set": _("is not known"),
}
_TYPE_LABELS: dict[tuple[FieldType, str], str | Promise] = {
    (FieldType.DATE, "eq"): _("is on"),
    (FieldType.DATETIME, "eq"): _("is on"),
    (FieldType.SET, "set"): _("has at least one"),
    (FieldType.SET, "not_set"): _("has none at all"),
}
_SYMBOLS = {"eq": "=", "ne": "≠", "lt": "<", "le": "≤", "gt": ">", "ge": "≥"}


def label(field_type: FieldType, operator: str) -> str | Promise:
    """What the operator is called next to a field of this type."""
    if field_type in (FieldType.INTEGER, FieldType.MONEY) and operator in _SYMBOLS:
        return _SYMBOLS[operator]
    return _TYPE_LABELS.get((field_type, operator), _LABELS[operator])
