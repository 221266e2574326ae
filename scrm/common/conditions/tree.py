"""Reading a condition: from untrusted JSON to a checked tree.

    {"version": 1, "all": [
        {"field": "city", "op": "in", "value": ["上海", "杭州"]},
        {"any": [{"field": "order.count", "op": "ge", "value": 3, "window": {"last": {"n": 90, "unit": "day"}}},
                 {"field": "event", "op": "true", "with": {"type": ["add_to_cart"]}}]}]}

Every refusal names the node by its JSON pointer ("/all/1/any/0"); all of them are reported together.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from scrm.common.conditions import fields, values, where
from scrm.common.conditions.durations import Window
from scrm.common.conditions.fields import ParamKind
from scrm.common.errors import Invalid

VERSION = 1
GROUPS = ("all", "any", "none")
MAX_DEPTH = 20
MAX_LEAVES = 200
# More faults than anybody reads: the rest of the tree is not looked at.
MAX_FAULTS = 100
_LEAF_KEYS = {"field", "op", "value", "window", "with"}


@dataclass(frozen=True, slots=True)
class Leaf:
    path: str
    field: fields.Field
    op: str
    value: Any
    window: Window | None = None
    params: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Group:
    path: str
    op: str  # all, any or none
    children: tuple[Group | Leaf, ...]


Node = Group | Leaf


class BadCondition(Invalid):
    """The condition cannot be used. `detail["errors"]` lists every fault: path, code and message."""

    code = "bad_condition"

    def __init__(self, faults: list[dict[str, str]]) -> None:
        first = faults[0]
        super().__init__(first["message"], code=first["code"], field=first["path"], errors=faults)


def loads(text: str | bytes) -> Any:
    """JSON that came from outside. Raises `BadCondition` (`not_json`, `too_deep`)."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise BadCondition([_fault("", "too_deep", _too_deep())]) from error
    except ValueError as error:
        raise BadCondition([_fault("", "not_json", _("This is not a condition."))]) from error


def parse(raw: Any) -> Node:
    """Check a condition and read its values. Raises `BadCondition` with every fault in it."""
    reader = _Reader()
    if isinstance(raw, dict) and "version" in raw:
        version = raw["version"]
        if version != VERSION or isinstance(version, bool):
            raise BadCondition([_fault("", "unknown_version", _("This version of conditions is not known."))])
        raw = {key: value for key, value in raw.items() if key != "version"}
    node = reader.node(raw, "", 1)
    if reader.faults:
        raise BadCondition(reader.faults)
    assert node is not None  # noqa: S101  # a node is missing only when there is a fault
    return node


@contextmanager
def naming(leaf: Leaf) -> Iterator[None]:
    """Have a refusal that comes up in working with the leaf name it, as reading the tree does."""
    try:
        yield
    except Invalid as error:
        raise BadCondition([_fault(leaf.path, error.code, error.message)]) from error


def leaves(node: Node) -> Iterator[Leaf]:
    """Every leaf, in reading order."""
    if isinstance(node, Leaf):
        yield node
    else:
        for child in node.children:
            yield from leaves(child)


def _too_deep() -> str:
    return _("Groups are nested more than %(count)s deep.") % {"count": MAX_DEPTH}


def _fault(path: str, code: str, message: str | Promise) -> dict[str, str]:
    return {"path": path, "code": code, "message": str(message)}


class _Reader:
    def __init__(self) -> None:
        self.faults: list[dict[str, str]] = []
        self.leaf_count = 0
        self._choices: dict[str, dict[str | int, str | int]] = {}

    def refuse(self, path: str, code: str, message: str) -> None:
        self.faults.append(_fault(path, code, message))

    def node(self, raw: Any, path: str, depth: int) -> Node | None:
        # Checked before going down, so that no input can exhaust the stack.
        if depth > MAX_DEPTH:
            self.refuse(path, "too_deep", _too_deep())
            return None
        if not isinstance(raw, dict):
            self.refuse(path, "not_an_object", _("This is not a condition."))
            return None
        operators = [key for key in raw if key in GROUPS]
        if not operators:
            return self.leaf(raw, path)
        if len(raw) != 1:
            self.refuse(path, "unknown_key", _("A group has exactly one of all, any and none."))
            return None
        return self.group(operators[0], raw[operators[0]], path, depth)

    def group(self, op: str, children: Any, path: str, depth: int) -> Group | None:
        if not isinstance(children, list):
            self.refuse(path, "not_a_list", _("A group holds a list of conditions."))
            return None
        if not children:
            self.refuse(path, "empty", _("Add at least one condition."))
            return None
        nodes = []
        for index, child in enumerate(children):
            nodes.append(self.node(child, f"{path}/{op}/{index}", depth + 1))
            if self.leaf_count > MAX_LEAVES or len(self.faults) >= MAX_FAULTS:
                return None
        return Group(path, op, tuple(node for node in nodes if node is not None))

    def leaf(self, raw: dict[str, Any], path: str) -> Leaf | None:
        self.leaf_count += 1
        if self.leaf_count > MAX_LEAVES:
            self.refuse(path, "too_many_leaves", _("At most %(count)s conditions.") % {"count": MAX_LEAVES})
            return None
        if unknown := next((key for key in raw if key not in _LEAF_KEYS), None):
            # A lone surrogate could not be written into an answer.
            shown = str(unknown)[:40].encode("utf-8", "backslashreplace").decode()
            self.refuse(path, "unknown_key", _("Unknown part: %(key)s") % {"key": shown})
            return None
        key, op = raw.get("field"), raw.get("op")
        found = fields.find(key) if isinstance(key, str) else None
        if found is None:
            message = _("Choose a field.")
            if isinstance(key, str) and key and key.isprintable():
                message = _("There is no field “%(key)s” (any more).") % {"key": key[:80]}
            self.refuse(path, "unknown_field", message)
            return None
        if not isinstance(op, str) or op not in found.operators:
            self.refuse(path, "wrong_operator", _("Choose how to compare."))
            return None
        window = None
        params: dict[str, Any] = {}
        try:
            value = values.read(found, op, raw.get("value"), self._allowed(found))
            if (raw_window := raw.get("window")) is not None:
                if not found.windowed:
                    raise ValueError(_("This field has no time window."))
                window = values.read_window(raw_window)
            params = self._params(found, raw.get("with"))
        except ValueError as error:
            self.refuse(path, "bad_value", str(error))
            return None
        return Leaf(path, found, op, value, window, params)

    def _allowed(self, found: fields.Field) -> values.Allowed:
        choices = found.choices
        if choices is None or found.open:
            return None
        return lambda: self._values(found.key, choices)

    def _values(self, key: str, choices: Callable[[], Sequence[fields.Choice]]) -> dict[str | int, str | int]:
        # One read of the choices per condition, however many leaves name them.
        if key not in self._choices:
            self._choices[key] = {
                choice.value: choice.value if choice.read_as is None else choice.read_as for choice in choices()
            }
        return self._choices[key]

    def _params(self, found: fields.Field, raw: Any) -> dict[str, Any]:
        raw = {} if raw is None else raw
        if not isinstance(raw, dict) or not set(raw) <= {param.key for param in found.params}:
            raise ValueError(_("This field cannot be narrowed down that way."))
        read: dict[str, Any] = {}
        for param in found.params:
            given = raw.get(param.key)
            if given in (None, "", []):
                if param.required:
                    raise ValueError(_("Choose: %(label)s") % {"label": param.label})
                continue
            read[param.key] = self._param(found, param, given)
        return read

    def _param(self, found: fields.Field, param: fields.Param, given: Any) -> Any:
        allowed: values.Allowed = None
        if param.choices is not None:
            allowed = partial(self._values, f"{found.key}|{param.key}", param.choices)
        match param.kind:
            case ParamKind.NUMBER:
                return values.read_decimal(given, param.minimum, param.maximum)
            case ParamKind.DURATION:
                span = values.read_duration(given)
                if span.unit not in param.units:
                    raise ValueError(_("Not a unit of time."))
                return span
            case ParamKind.WHERE:
                return where.read_tests(given)
            case ParamKind.STEP:
                return self._step(param, given, allowed)
            case ParamKind.TEXT:
                return self._many(param, given, values.read_text)
            case _:
                return self._many(param, given, partial(values.read_choice, allowed=allowed))

    def _step(self, param: fields.Param, given: Any, allowed: values.Allowed) -> where.Step:
        if not isinstance(given, dict) or not set(given) <= {"type", "where"} or not given.get("type"):
            raise ValueError(_("Choose: %(label)s") % {"label": param.label})
        types = self._many(param, given["type"], partial(values.read_choice, allowed=allowed))
        return where.Step(tuple(types), where.read_tests(given.get("where") or []))

    def _many(self, param: fields.Param, given: Any, read: Callable[[Any], Any]) -> Any:
        if not param.many:
            return read(given)
        if not isinstance(given, list) or not given or len(given) > values.MAX_LIST:
            raise ValueError(_("Choose: %(label)s") % {"label": param.label})
        return [read(item) for item in given]
