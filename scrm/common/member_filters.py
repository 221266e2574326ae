"""What the member list can be narrowed by, its API twin included.

`members` owns the list; a higher app adds filters over its own tables by registering them, so that nothing is
imported upwards. A group of filters answers with one condition for all of its values: a `Q` on `Member`, a statement
that selects member ids (Postgres joins it without visiting other rows), or a boolean expression.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from django.db.models import Q
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from scrm.common import clock, money
from scrm.common.access import Permission
from scrm.common.errors import Invalid

LONGEST_VALUE = 200
MOST_VALUES = 500


class Kind(StrEnum):
    TEXT = "text"
    CHOICE = "choice"
    DATE = "date"  # a shop day
    COUNT = "count"
    MONEY = "money"  # typed in major units, handed over in minor units


def no_options() -> list[tuple[str, str]]:
    return []


@dataclass(frozen=True, slots=True)
class Filter:
    """One parameter of the list. `options` are (value, label) pairs; they are asked for once per page."""

    key: str
    label: str | Promise
    kind: Kind = Kind.CHOICE
    multiple: bool = False
    options: Callable[[], Sequence[tuple[str, str]]] = no_options
    # Not offered in the form: set by links from other pages, shown as a chip.
    linked_only: bool = False

    def clean(self, raw: str) -> Any:
        """The typed value. Raises `Invalid` (code `bad_filter`, field = the key)."""
        try:
            raw.encode()
            if len(raw) > LONGEST_VALUE or "\0" in raw:
                raise ValueError
            match self.kind:
                case Kind.DATE:
                    day = date.fromisoformat(raw)
                    if not 1900 <= day.year < 2200:
                        raise ValueError
                    return day
                case Kind.COUNT:
                    number = int(raw)
                    if not 0 <= number < 2**31:
                        raise ValueError
                    return number
                case Kind.MONEY:
                    return money.to_minor(Decimal(raw))
            return raw
        except (ValueError, InvalidOperation) as error:
            raise self.refusal(raw) from error

    def refusal(self, raw: object) -> Invalid:
        return Invalid(
            _("“%(value)s” is not a valid value for the filter “%(filter)s”.")
            % {"value": str(raw)[:40].encode(errors="replace").decode(), "filter": self.label},
            code="bad_filter",
            field=self.key,
        )

    def describe(self, value: Any) -> str:
        """The value as a chip shows it."""
        if self.kind is Kind.CHOICE:
            return dict(self.options()).get(str(value), str(value))
        return str(value)


@dataclass(frozen=True, slots=True)
class Members:
    """A statement that selects the ids of the members meant, and its parameters."""

    sql: str
    params: Sequence[Any] = ()


@dataclass(frozen=True, slots=True)
class Test:
    """A boolean SQL expression over the table `members_member` itself, for what no list of ids says cheaply."""

    sql: str
    params: Sequence[Any] = ()


# Values as `clean` gave them, lists for filters that may be repeated; only keys that were given.
Values = Mapping[str, Any]
Narrow = Callable[[Values, datetime], Q | Members | Test | None]


@dataclass(frozen=True, slots=True)
class Group:
    """Filters that are answered together."""

    name: str
    label: str | Promise
    filters: Sequence[Filter]
    narrow: Narrow
    # Without it the group is neither offered nor applied: asking for it is refused.
    permission: Permission = Permission.MEMBERS_VIEW
    keys: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "keys", frozenset(item.key for item in self.filters))


_groups: dict[str, Group] = {}


def register(group: Group) -> None:
    """Add or replace a group. Keys are unique over all groups."""
    taken = {key: other.name for other in _groups.values() for key in other.keys if other.name != group.name}
    if clash := group.keys & taken.keys():
        raise ValueError(f"{group.name}: {sorted(clash)} already belong to another group")
    _groups[group.name] = group


def groups() -> list[Group]:
    return list(_groups.values())


def day_range(start: date | None, end: date | None, path: str) -> Q:
    """Shop days `start` to `end`, both included, as a condition on an instant."""
    condition = Q()
    if start is not None:
        condition &= Q(**{f"{path}__gte": clock.day_start(start)})
    if end is not None:
        condition &= Q(**{f"{path}__lt": clock.day_end(end)})
    return condition
