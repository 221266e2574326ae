"""The condition language: one tree for segments, tag rules, journeys, tasks and earning rules.

`parse` checks a tree, `compile_condition` turns it into SQL over a member, `explain` answers why for one member,
`describe` puts it into words, `dependencies` says which facts can change its answer and `compile_flip` when time alone
can. Fields are registered by the apps that own the tables (`fields.register`).
"""

from scrm.common.conditions.compiler import compile_condition
from scrm.common.conditions.explain import Reason, explain
from scrm.common.conditions.fields import (
    Aggregate,
    Choice,
    Column,
    Context,
    Field,
    Flag,
    Param,
    ParamKind,
    PerValue,
    Row,
    Rows,
    register,
    register_family,
)
from scrm.common.conditions.flips import compile_flip
from scrm.common.conditions.operators import FieldType
from scrm.common.conditions.published import json_schema
from scrm.common.conditions.schema import describe_fields
from scrm.common.conditions.sentences import describe, describe_leaf
from scrm.common.conditions.sql import Sql, bind, compose, join
from scrm.common.conditions.topics import dependencies
from scrm.common.conditions.tree import VERSION, BadCondition, Group, Leaf, Node, leaves, loads, parse

__all__ = [
    "VERSION", "Aggregate", "BadCondition", "Choice", "Column", "Context", "Field", "FieldType", "Flag", "Group",
    "Leaf", "Node", "Param", "ParamKind", "PerValue", "Reason", "Row", "Rows", "Sql", "bind", "compile_condition",
    "compile_flip", "compose", "dependencies", "describe", "describe_fields", "describe_leaf", "explain", "join",
    "json_schema", "leaves", "loads", "parse", "register", "register_family",
]  # fmt: skip
