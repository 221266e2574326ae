"""Why a member matches or does not: each leaf true or false, with the value that was found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from scrm.common.conditions.compiler import compile_leaf, context_of, fold, value_of
from scrm.common.conditions.sql import Sql
from scrm.common.conditions.tree import Leaf, Node, leaves


@dataclass(frozen=True, slots=True)
class Reason:
    """One node's answer. `found` is the leaf's value (minor units for money); groups have children instead."""

    path: str
    holds: bool
    node: Node
    found: Any = None
    children: tuple[Reason, ...] = ()


def explain(node: Node, *, member_id: int, as_of: datetime, stack: tuple[Any, ...] = ()) -> Reason | None:
    """The answer for one member, in one query. None when there is no such active member."""
    listed = list(leaves(node))
    columns = []
    for leaf in listed:
        columns += [compile_leaf(leaf, as_of=as_of, stack=stack), _found(leaf, as_of, stack)]
    select = ", ".join(column.text for column in columns)
    params = [value for column in columns for value in column.params]
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {select} FROM members_member m WHERE m.id = %s AND m.status = 'active'",
            [*params, member_id],
        )
        row = cursor.fetchone()
    if row is None:
        return None
    answers = {leaf.path: (row[2 * i], row[2 * i + 1]) for i, leaf in enumerate(listed)}
    return _reason(node, answers)


def _reason(node: Node, answers: dict[str, tuple[bool, Any]]) -> Reason:
    if isinstance(node, Leaf):
        holds, found = answers[node.path]
        return Reason(node.path, holds, node, found)
    children = tuple(_reason(child, answers) for child in node.children)
    return Reason(node.path, fold(node, [child.holds for child in children]), node, None, children)


def _found(leaf: Leaf, as_of: datetime, stack: tuple[Any, ...]) -> Sql:
    return value_of(leaf, leaf.field.source(context_of(leaf, as_of=as_of, stack=stack)))
