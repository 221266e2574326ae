"""The fields as the builder and the API list them, with what this installation offers to choose from."""

from __future__ import annotations

from typing import Any

from scrm.common.conditions import fields, operators, where
from scrm.common.conditions.fields import ParamKind
from scrm.common.conditions.operators import OPERANDS


def describe_fields() -> list[dict[str, Any]]:
    """Every field with its operators and choices, labels in the active language.

    {"key", "label", "group", "type",
     "operators": [{"key", "label", "operand"}],       operand: see `operators.Operand`
     "choices": [{"value", "label", "group"?}], "open": true when other values are taken too,   (not for every field)
     "windowed": true,                                 takes a "window"
     "with": [parameter, …]}                           what may stand in the leaf's "with", by the parameter's key

    A parameter is {"key", "label", "kind", "many", "required"} and, depending on its kind (`fields.ParamKind`):
    "choice"    "choices". The value is a list of them, or one of them when not "many".
    "text"      "choices" (suggestions) or null. The value is a list of texts, or one text when not "many".
    "number"    "minimum", "maximum". The value is a number.
    "duration"  "units": ["hour", "day", …]. The value is {"n": 3, "unit": "day"}.
    "where"     "operators": [{"key", "label", "operand"}], operand none, value, list or number;
                "properties": [{"value", "label"}] (suggestions). The value is a list, all of which must hold, of
                {"property": "title", "op": "contains", "value": "育儿"}.
    "step"      "choices" (event types), and "operators" and "properties" as for "where". The value is
                {"type": ["page_view"], "where": [{"property", "op", "value"}]}; "where" may be left out.
    """
    return [_field(field) for field in fields.every()]


def _field(field: fields.Field) -> dict[str, Any]:
    described: dict[str, Any] = {
        "key": field.key,
        "label": str(field.label),
        "group": str(field.group),
        "type": field.type.value,
        "operators": [
            {
                "key": operator,
                "label": str(operators.label(field.type, operator)),
                "operand": OPERANDS[operator].value,
            }
            for operator in field.operators
        ],
    }
    if field.choices is not None:
        described["choices"] = _choices(field.choices())
        described["open"] = field.open
    if field.windowed:
        described["windowed"] = True
    if field.params:
        described["with"] = [_param(param) for param in field.params]
    return described


def _param(param: fields.Param) -> dict[str, Any]:
    described: dict[str, Any] = {
        "key": param.key,
        "label": str(param.label),
        "kind": param.kind.value,
        "many": param.many,
        "required": param.required,
        "choices": None if param.choices is None else _choices(param.choices()),
    }
    if param.kind == ParamKind.NUMBER:
        described |= {"minimum": param.minimum, "maximum": param.maximum}
    if param.kind == ParamKind.DURATION:
        described["units"] = list(param.units)
    if param.kind in (ParamKind.WHERE, ParamKind.STEP):
        described["operators"] = [
            {"key": op, "label": str(operators.where_label(op)), "operand": operand.value}
            for op, operand in where.OPERANDS.items()
        ]
        described["properties"] = [] if param.properties is None else _choices(param.properties())
    return described


def _choices(choices: Any) -> list[dict[str, Any]]:
    return [
        {
            "value": choice.value,
            "label": str(choice.label) or str(choice.value),
            **({"group": str(choice.group)} if choice.group else {}),
        }
        for choice in choices
    ]
