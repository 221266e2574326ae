"""What bitmaps are made of: the tables, registered by the apps that own them (`<app>/queries/indexes.py`)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

# Stands for every key of a family that has keys.
ALL_KEYS = "*"
# Stands for the key that `Family.usual_key` finds, at the instant of the question.
USUAL_KEY = "?"


class Kind(StrEnum):
    """How a column is indexed."""

    TEXT = "text"  # a bitmap per distinct text
    WHOLE = "whole"  # a bitmap per distinct whole number
    NUMBER = "number"  # an ordered whole number with any number of values: buckets, see `numbers`


@dataclass(frozen=True, slots=True)
class Column:
    """An expression over the alias `t`; NULL where the member has no value.

    TEXT and WHOLE columns may have several values for a member (one per row); a NUMBER has at most one.
    """

    name: str
    sql: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Family:
    """One table. `key` names the column that splits it into slots, each built and changed for itself."""

    name: str
    table: str
    member: str
    columns: tuple[Column, ...]
    key: str | None = None
    text_key: bool = False  # else the key is a whole number
    # All keys are read in one pass over the table, not each for itself: right where members have many of them.
    sweep: bool = False
    # A scalar subquery (of text) that finds the key which `USUAL_KEY` means.
    usual_key: str = ""

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)


_families: dict[str, Family] = {}


def register(*families: Family) -> None:
    """Add families; one registered twice is replaced."""
    for family in families:
        _families[family.name] = family


def get(name: str) -> Family:
    return _families[name]


def every() -> list[Family]:
    return list(_families.values())
