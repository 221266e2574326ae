"""How a condition is answered from bitmaps: a tree of sets.

The app that owns a field says by `index` how a leaf over it is answered: by a plan, or by None where the leaf asks
for what no bitmap shows (a time window, a part of a text). Such a leaf is answered by its SQL, among the members
that the rest of the condition leaves over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from scrm.common.bitmaps.numbers import Range
from scrm.common.bitmaps.stored import Value
from scrm.common.conditions import Context, Leaf, Node
from scrm.common.conditions.compiler import context_of


@dataclass(frozen=True, slots=True)
class Having:
    """Members with a value of the column that passes the test; with any value when there is no test."""

    family: str
    key: str
    column: str
    test: Callable[[Value], bool] | None = None


@dataclass(frozen=True, slots=True)
class Within:
    """Members whose number lies in one of the half-open ranges."""

    family: str
    key: str
    column: str
    ranges: tuple[Range, ...]


@dataclass(frozen=True, slots=True)
class Every:
    """Members in all of the parts; everybody when there is none."""

    parts: tuple[Plan, ...]


@dataclass(frozen=True, slots=True)
class Some:
    """Members in at least one of the parts; nobody when there is none."""

    parts: tuple[Plan, ...]


@dataclass(frozen=True, slots=True)
class Without:
    """Members in none of the parts."""

    parts: tuple[Plan, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """Members for whom SQL says so: all of the leaves hold."""

    leaves: tuple[Leaf, ...]
    as_of: datetime
    stack: tuple[Any, ...]


Stored = Having | Within
Plan = Having | Within | Every | Some | Without | Asked

Answer = Callable[[Leaf, Context], Plan | None]
_answers: dict[str, Answer] = {}


def index(field_key: str, answer: Answer) -> None:
    """Say how leaves over a field are answered. A key indexed twice is replaced."""
    _answers[field_key] = answer


def plan(node: Node, *, as_of: datetime, stack: tuple[Any, ...] = ()) -> Plan:
    """The plan of a condition. `stack` names the segments being planned around it; raises what answers raise."""
    if isinstance(node, Leaf):
        answer = _answers.get(node.field.key)
        found = answer(node, context_of(node, as_of=as_of, stack=stack)) if answer else None
        return Asked((node,), as_of, stack) if found is None else found
    parts = tuple(plan(child, as_of=as_of, stack=stack) for child in node.children)
    match node.op:
        case "all":
            return Every(parts)
        case "any":
            return Some(parts)
        case _:
            return Without(parts)


def is_asked(part: Plan) -> bool:
    """Whether SQL is needed somewhere in the plan."""
    match part:
        case Asked():
            return True
        case Every(parts) | Some(parts) | Without(parts):
            return any(is_asked(one) for one in parts)
    return False


def stored_parts(part: Plan) -> list[Stored]:
    """Everything in the plan that bitmaps answer."""
    match part:
        case Having() | Within():
            return [part]
        case Every(parts) | Some(parts) | Without(parts):
            return [found for one in parts for found in stored_parts(one)]
    return []
