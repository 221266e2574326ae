"""The language as a JSON Schema (2020-12): the same in every installation, so that it can be published and versioned.

What a brand has made itself (its tags, segments, event types, custom fields) stands in no enumeration here; the
fields as one installation has them are listed by `describe_fields`.
"""

from __future__ import annotations

import re
from typing import Any

from scrm.common.conditions import fields, where
from scrm.common.conditions.durations import LONGEST
from scrm.common.conditions.fields import Field, Param, ParamKind
from scrm.common.conditions.operators import OPERANDS, FieldType, Operand
from scrm.common.conditions.patterns import LONGEST as LONGEST_PATTERN
from scrm.common.conditions.tree import GROUPS, MAX_DEPTH, MAX_LEAVES, VERSION
from scrm.common.conditions.values import MAX_LIST, MAX_TEXT

_DECIMAL = r"^-?[0-9]{1,13}(\.[0-9]{1,4})?$"
_DATE = {"type": "string", "format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}
_CHOICE = {"type": ["string", "integer"], "minLength": 1, "maxLength": MAX_TEXT}
_ONE: dict[FieldType, dict[str, Any]] = {
    FieldType.TEXT: {"$ref": "#/$defs/text"},
    FieldType.INTEGER: {"type": ["integer", "string"], "pattern": "^-?[0-9]{1,16}$"},
    FieldType.DECIMAL: {"type": ["number", "string"], "pattern": _DECIMAL},
    FieldType.MONEY: {"type": ["number", "string"], "pattern": r"^-?[0-9]{1,13}(\.[0-9]{1,2})?$"},
    FieldType.DATE: _DATE,
    FieldType.DATETIME: _DATE,
    FieldType.ENUM: _CHOICE,
    FieldType.SET: _CHOICE,
}


def json_schema() -> dict[str, Any]:
    """The schema. What it cannot say (depth, number of leaves, whether a choice exists) is said in its description."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:scrm:condition:{VERSION}",
        "title": "Condition",
        "description": f"A tree of conditions on a member: at most {MAX_DEPTH} levels and {MAX_LEAVES} leaves. "
        "Choices (tags, stores, event types …) have to exist in the installation.",
        "allOf": [{"$ref": "#/$defs/node"}],
        "properties": {"version": {"const": VERSION}},
        "unevaluatedProperties": False,
        "$defs": {
            "node": {"oneOf": [*(_group(op) for op in GROUPS), {"$ref": "#/$defs/leaf"}]},
            "leaf": _leaf(),
            "text": {"type": "string", "minLength": 1, "maxLength": MAX_TEXT, "pattern": r"\S"},
            "duration": {
                "description": "A bare number means days.",
                "oneOf": [
                    {"type": "integer", "minimum": 1, "maximum": LONGEST["day"]},
                    *(_duration(unit) for unit in LONGEST),
                ],
            },
            "window": {
                "oneOf": [
                    _object({"last": {"$ref": "#/$defs/duration"}}, required=["last"]),
                    {**_object({"from": _DATE, "to": _DATE}), "minProperties": 1},
                ]
            },
            "tests": {"type": "array", "maxItems": where.MAX_TESTS, "items": {"$ref": "#/$defs/test"}},
            "test": _test(),
        },
    }


def _object(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    described: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**described, "required": required} if required else described


def _group(op: str) -> dict[str, Any]:
    child = {"$ref": "#/$defs/node", "unevaluatedProperties": False}
    children = {"type": "array", "items": child, "minItems": 1}
    return {"type": "object", "properties": {op: children}, "required": [op]}


def _duration(unit: str) -> dict[str, Any]:
    return _object(
        {"n": {"type": "integer", "minimum": 1, "maximum": LONGEST[unit]}, "unit": {"const": unit}},
        required=["n", "unit"],
    )


def _leaf() -> dict[str, Any]:
    known = fields.registered()
    alike: dict[str, list[Field]] = {}
    for entry in known:
        alike.setdefault(repr(_fits(entry)), []).append(entry)
    prefixes = "|".join(re.escape(prefix) for prefix in fields.families())
    return {
        "type": "object",
        "properties": {
            "field": {
                "anyOf": [{"enum": [entry.key for entry in known]}, {"type": "string", "pattern": f"^({prefixes})"}]
            },
            "op": {"enum": list(OPERANDS)},
            "value": {},
            "window": {},
            "with": {},
        },
        "required": ["field", "op"],
        "allOf": [
            {
                "if": {"properties": {"field": {"enum": [entry.key for entry in same]}}},
                "then": _fits(same[0]),
            }
            for same in alike.values()
        ],
    }


def _fits(entry: Field) -> dict[str, Any]:
    """What else a leaf of the field may say."""
    by_operand: dict[Operand, list[str]] = {}
    for op in entry.operators:
        by_operand.setdefault(OPERANDS[op], []).append(op)
    described: dict[str, Any] = {
        "properties": {
            "op": {"enum": list(entry.operators)},
            "window": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/window"}]} if entry.windowed else {"type": "null"},
            "with": _narrowing(entry.params),
        },
        "anyOf": [
            {"properties": {"op": {"enum": ops}, "value": _value(operand, entry.type)}, **_needs(operand)}
            for operand, ops in by_operand.items()
        ],
    }
    if any(param.required for param in entry.params):
        described["required"] = ["with"]
    return described


def _needs(operand: Operand) -> dict[str, Any]:
    return {} if operand == Operand.NONE else {"required": ["value"]}


def _value(operand: Operand, kind: FieldType) -> dict[str, Any]:
    match operand:
        case Operand.NONE:
            return {"type": "null"}
        case Operand.VALUE:
            return _ONE[kind]
        case Operand.PAIR:
            return {"type": "array", "items": _ONE[kind], "minItems": 2, "maxItems": 2}
        case Operand.LIST:
            return _list(_ONE[kind])
        case Operand.PATTERN:
            return {"type": "string", "minLength": 1, "maxLength": LONGEST_PATTERN}
        case Operand.DURATION:
            return {"$ref": "#/$defs/duration"}
        case Operand.DAYS:
            return {"type": "integer", "minimum": 1, "maximum": 366}
        case Operand.MONTHS:
            return _list({"type": "integer", "minimum": 1, "maximum": 12})
        case Operand.MONTH_DAYS:
            return _list({"type": "integer", "minimum": 1, "maximum": 31})


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": 1, "maxItems": MAX_LIST}


def _narrowing(params: tuple[Param, ...]) -> dict[str, Any]:
    if not params:
        return {"anyOf": [{"type": "null"}, {"type": "object", "maxProperties": 0}]}
    required = [param.key for param in params if param.required]
    described = _object({param.key: _param(param) for param in params}, required=required)
    return described if required else {"anyOf": [{"type": "null"}, described]}


def _param(param: Param) -> dict[str, Any]:
    match param.kind:
        case ParamKind.NUMBER:
            return {
                "type": ["number", "string"],
                "minimum": param.minimum,
                "maximum": param.maximum,
                "pattern": _DECIMAL,
            }
        case ParamKind.DURATION:
            days = [{"type": "integer", "minimum": 1, "maximum": LONGEST["day"]}] if "day" in param.units else []
            return {"oneOf": [*days, *(_duration(unit) for unit in param.units)]}
        case ParamKind.WHERE:
            return {"$ref": "#/$defs/tests"}
        case ParamKind.STEP:
            return _object({"type": _list(_CHOICE), "where": {"$ref": "#/$defs/tests"}}, required=["type"])
        case ParamKind.TEXT:
            text = {"$ref": "#/$defs/text"}
            return _list(text) if param.many else text
        case _:
            return _list(_CHOICE) if param.many else _CHOICE


def _test() -> dict[str, Any]:
    scalar = {"type": ["string", "number", "boolean"], "minLength": 1, "maxLength": MAX_TEXT}
    shapes = {
        where.WhereOperand.NONE: {"type": "null"},
        where.WhereOperand.VALUE: scalar,
        where.WhereOperand.LIST: {"type": "array", "items": scalar, "minItems": 1, "maxItems": where.MAX_VALUES},
        where.WhereOperand.NUMBER: {"type": ["number", "string"], "pattern": _DECIMAL},
    }
    return {
        "description": "A test of a property of the event; a dot goes into an object inside.",
        "type": "object",
        "properties": {
            "property": {"type": "string", "minLength": 1, "maxLength": where.MAX_PROPERTY},
            "op": {"enum": list(where.OPERANDS)},
            "value": {},
        },
        "required": ["property", "op"],
        "additionalProperties": False,
        "anyOf": [
            {
                "properties": {
                    "op": {"enum": [op for op, taken in where.OPERANDS.items() if taken == operand]},
                    "value": shape,
                },
                **({} if operand == where.WhereOperand.NONE else {"required": ["value"]}),
            }
            for operand, shape in shapes.items()
        ],
    }
