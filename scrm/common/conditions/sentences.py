"""A condition in words, in the language that is active."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from scrm.common import money
from scrm.common.conditions import operators, where
from scrm.common.conditions.durations import Duration, Window
from scrm.common.conditions.fields import Choice, Param, ParamKind
from scrm.common.conditions.operators import OPERANDS, FieldType, Operand
from scrm.common.conditions.tree import Leaf, Node

_SHOWN = 5


def describe(node: Node) -> str:
    """The whole condition as one sentence."""
    return _Words().node(node, top=True)


def describe_leaf(leaf: Leaf) -> str:
    return _Words().leaf(leaf)


class _Words:
    def __init__(self) -> None:
        self._labels: dict[int, dict[Any, str]] = {}

    def node(self, node: Node, *, top: bool = False) -> str:
        if isinstance(node, Leaf):
            return self.leaf(node)
        parts = [self.node(child) for child in node.children]
        if node.op == "none":
            return _("none of (%(parts)s)") % {"parts": pgettext("between conditions", "; ").join(parts)}
        if len(parts) == 1:
            return parts[0]
        text = (
            pgettext("between conditions", " and ") if node.op == "all" else pgettext("between conditions", " or ")
        ).join(parts)
        return text if top else pgettext("conditions", "(%(parts)s)") % {"parts": text}

    def leaf(self, leaf: Leaf) -> str:
        subject = str(leaf.field.label)
        narrowed = [self.narrowing(leaf, param.key) for param in leaf.field.params if param.key in leaf.params]
        if leaf.window is not None:
            narrowed.append(_window(leaf.window))
        if narrowed:
            subject = pgettext("condition", "%(subject)s (%(details)s)") % {
                "subject": subject,
                "details": pgettext("between values", ", ").join(narrowed),
            }
        operator = str(operators.label(leaf.field.type, leaf.op))
        if leaf.field.type == FieldType.BOOLEAN:
            return subject if leaf.op == "true" else _("not: %(subject)s") % {"subject": subject}
        if leaf.value is None:
            return pgettext("condition", "%(subject)s %(operator)s") % {"subject": subject, "operator": operator}
        return pgettext("condition", "%(subject)s %(operator)s %(value)s") % {
            "subject": subject,
            "operator": operator,
            "value": self.value(leaf),
        }

    def narrowing(self, leaf: Leaf, key: str) -> str:
        param = next(param for param in leaf.field.params if param.key == key)
        given = leaf.params[key]
        match param.kind:
            case ParamKind.WHERE:
                return self.tests(given, param)
            case ParamKind.STEP:
                types = _list([self.choice(param.choices, item) for item in given.types])
                what = types
                if given.where:
                    what = pgettext("condition", "%(subject)s (%(details)s)") % {
                        "subject": types,
                        "details": self.tests(given.where, param),
                    }
                return _labelled(param, what)
            case ParamKind.NUMBER:
                return _labelled(param, _number(given))
            case ParamKind.DURATION:
                return _labelled(param, _duration(given))
        words = _list([self.choice(param.choices, item) for item in (given if param.many else [given])])
        return words if param.many else _labelled(param, words) if param.kind == ParamKind.TEXT else words

    def tests(self, tests: Sequence[where.Test], param: Param) -> str:
        """Tests of properties: title contains “育儿”."""
        return pgettext("between conditions", " and ").join(self.test(test, param) for test in tests)

    def test(self, test: where.Test, param: Param) -> str:
        words = {
            "subject": self.choice(param.properties, test.property),
            "operator": operators.where_label(test.op),
        }
        if test.value is None:
            return pgettext("condition", "%(subject)s %(operator)s") % words
        given = test.value if isinstance(test.value, tuple) else (test.value,)
        quoted = [
            pgettext("condition", "“%(text)s”") % {"text": item} if isinstance(item, str) else _number(item)
            for item in given
        ]
        return pgettext("condition", "%(subject)s %(operator)s %(value)s") % {**words, "value": _list(quoted)}

    def value(self, leaf: Leaf) -> str:
        match OPERANDS[leaf.op]:
            case Operand.PAIR:
                low, high = (self.one(leaf, item) for item in leaf.value)
                return pgettext("between", "%(low)s and %(high)s") % {"low": low, "high": high}
            case Operand.LIST:
                return _list([self.one(leaf, item) for item in leaf.value])
            case Operand.DURATION:
                return _duration(leaf.value)
            case Operand.DAYS:
                return _duration(Duration(leaf.value, "day"))
            case Operand.MONTHS | Operand.MONTH_DAYS:
                return _list([str(item) for item in leaf.value])
        return self.one(leaf, leaf.value)

    def one(self, leaf: Leaf, value: Any) -> str:
        match leaf.field.type:
            case FieldType.MONEY:
                return f"¥{money.to_decimal(value)}"
            case FieldType.DECIMAL:
                return _number(value)
            case FieldType.TEXT:
                return pgettext("condition", "“%(text)s”") % {"text": self.choice(leaf.field.choices, value)}
        if isinstance(value, date):
            return date_format(value, "DATE_FORMAT")
        return self.choice(leaf.field.choices, value)

    def choice(self, choices: Callable[[], Any] | None, value: Any) -> str:
        if choices is None:
            return str(value)
        labels = self._labels.get(id(choices))
        if labels is None:
            labels = self._labels[id(choices)] = {entry.value: _label(entry) for entry in choices()}
        return labels.get(value, str(value))


def _number(number: Decimal) -> str:
    """Without zeros that say nothing: 30, not 30.0."""
    return f"{number.normalize():f}"


def _labelled(param: Param, words: str) -> str:
    return pgettext("condition", "%(label)s: %(value)s") % {"label": param.label, "value": words}


def _label(choice: Choice) -> str:
    return str(choice.label) or str(choice.value)


def _list(items: list[str]) -> str:
    text = pgettext("between values", ", ").join(items[:_SHOWN])
    if len(items) > _SHOWN:
        return _("%(items)s and %(count)s more") % {"items": text, "count": len(items) - _SHOWN}
    return text


def _duration(duration: Duration) -> str:
    match duration.unit:
        case "hour":
            text = ngettext("%(n)s hour", "%(n)s hours", duration.n)
        case "week":
            text = ngettext("%(n)s week", "%(n)s weeks", duration.n)
        case "month":
            text = ngettext("%(n)s month", "%(n)s months", duration.n)
        case _:
            text = ngettext("%(n)s day", "%(n)s days", duration.n)
    return text % {"n": duration.n}


def _window(window: Window) -> str:
    if window.last is not None:
        return _("last %(duration)s") % {"duration": _duration(window.last)}
    start = date_format(window.start, "DATE_FORMAT") if window.start else ""
    end = date_format(window.end, "DATE_FORMAT") if window.end else ""
    if start and end:
        return _("%(start)s to %(end)s") % {"start": start, "end": end}
    return _("from %(start)s") % {"start": start} if start else _("until %(end)s") % {"end": end}
