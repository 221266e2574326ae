"""The earning rules that count, and when: what each version says, read once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db import connection

from members.rules import earning_parse
from members.rules.earning import Version
from scrm.common import conditions
from scrm.common.conditions import Node
from scrm.common.conditions.where import Test, read_tests


@dataclass(frozen=True, slots=True)
class Counting:
    """A version with the times at which it counts, and its condition and tests read."""

    version: Version
    currency: str
    spans: tuple[tuple[datetime, datetime | None], ...]
    node: Node | None
    tests: tuple[Test, ...] = ()
    broken: str = ""  # why the condition can no longer be read


@dataclass(slots=True)
class Known:
    """Every version that counts or has counted, of all currencies."""

    counting: Sequence[Counting] = ()
    by_currency: dict[str, list[Counting]] = field(default_factory=dict)
    by_id: dict[int, Counting] = field(default_factory=dict)
    event_types: frozenset[str] = frozenset()
    order_currencies: frozenset[str] = frozenset()
    limited: frozenset[int] = frozenset()  # rules with a limit per day, month or ever in any version
    limited_ever: frozenset[int] = frozenset()
    looks_at_lines: bool = False

    def __post_init__(self) -> None:
        for one in self.counting:
            self.by_currency.setdefault(one.currency, []).append(one)
            self.by_id[one.version.id] = one
        said = [one.version.definition for one in self.counting]
        self.event_types = frozenset(one.event_type for one in said if one.event_type)
        self.order_currencies = frozenset(
            one.currency for one in self.counting if one.version.definition.trigger == "order"
        )
        self.limited = frozenset(
            one.version.rule_id
            for one in self.counting
            if one.version.definition.caps.keys() & {"day", "month", "ever"}
        )
        self.limited_ever = frozenset(
            one.version.rule_id for one in self.counting if "ever" in one.version.definition.caps
        )  # fmt: skip
        self.looks_at_lines = any(one.looks_at_lines for one in said)

    def at(self, currency: str, trigger: str, instant: datetime) -> list[Version]:
        """The versions in force at an instant."""
        return [
            one.version
            for one in self.by_currency.get(currency, ())
            if one.version.definition.trigger == trigger and in_force(one.spans, instant)
        ]


def in_force(spans: Sequence[tuple[datetime, datetime | None]], instant: datetime) -> bool:
    place = bisect_right(spans, instant, key=lambda span: span[0]) - 1
    if place < 0:
        return False
    ends = spans[place][1]
    return ends is None or instant < ends


def read() -> list[Counting]:
    """Every version that has a period, from the rows."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT v.id, v.rule_id, v.number, r.name, r.trigger, c.key, p.starts_at, p.ends_at
            FROM members_earningperiod p
            JOIN members_earningruleversion v ON v.id = p.version_id
            JOIN members_earningrule r ON r.id = v.rule_id
            JOIN members_pointscurrency c ON c.id = r.currency_id
            ORDER BY v.id, p.starts_at
            """
        )
        rows = cursor.fetchall()
        cursor.execute(
            "SELECT id, definition::text FROM members_earningruleversion WHERE id = ANY(%s)",
            [list({row[0] for row in rows})],
        )
        definitions = {pk: conditions.loads(text) for pk, text in cursor.fetchall()}
    found: dict[int, Counting] = {}
    for pk, rule_id, number, name, trigger, currency, starts_at, ends_at in rows:
        if pk in found:
            found[pk] = replace(found[pk], spans=(*found[pk].spans, (starts_at, ends_at)))
        else:
            made = version_of(pk, rule_id, number, name, definitions[pk], trigger=trigger)
            found[pk] = counting(made, currency=currency, spans=((starts_at, ends_at),))
    return list(found.values())


def version_of(pk: int, rule_id: int, number: int, name: str, definition: Any, *, trigger: str) -> Version:
    return Version(pk, rule_id, number, name, earning_parse.parse(definition, trigger=trigger))


def counting(
    version: Version, *, currency: str, spans: Iterable[tuple[datetime, datetime | None]]
) -> Counting:  # fmt: skip
    """A version with its condition and tests read. One that can no longer be read says so: it gives nobody anything."""
    definition = version.definition
    try:
        node = conditions.parse(definition.condition) if definition.condition is not None else None
        tests = read_tests(list(definition.where))
    except (conditions.BadCondition, ValueError) as error:
        return Counting(version, currency, tuple(spans), None, broken=str(error))
    return Counting(version, currency, tuple(spans), node, tests)
