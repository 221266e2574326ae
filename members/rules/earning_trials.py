"""Adding up a dry run: what two sets of rules give for the same orders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heappush, heappushpop
from typing import Any

from members.rules import earning, earning_caps
from members.rules.earning import Answer, Fact, Line, Version

TOP = 20


@dataclass(slots=True)
class Sums:
    """Points before and after, and of them those that have not expired."""

    before: int = 0
    after: int = 0
    open_before: int = 0
    open_after: int = 0
    members: int = 0


@dataclass(slots=True)
class Tally:
    """Everything a dry run found."""

    orders: int = 0
    orders_changed: int = 0
    more: int = 0  # members who would have more
    less: int = 0
    total: Sums = field(default_factory=Sums)
    months: dict[str, Sums] = field(default_factory=dict)
    tiers: dict[str, Sums] = field(default_factory=dict)
    wanted_of_budget: int = 0  # what the tried rule gives altogether
    _top: list[tuple[int, int, int, int]] = field(default_factory=list)

    def add_member(
        self,
        member_id: int,
        tier: str,
        orders: Sequence[tuple[Fact, Sequence[Line], Sequence[Line], bool]],
        rule_id: int,
    ) -> None:
        """One member's orders in time: the lines before and after, and whether such points are still open."""
        earning_caps.apply((fact.at.date(), before) for fact, before, _, _ in orders)
        if any(after is not before for _, before, after, _ in orders):
            earning_caps.apply((fact.at.date(), after) for fact, _, after, _ in orders)
        sums = Sums(members=1)
        for fact, lines_before, lines_after, is_open in orders:
            before = _left(fact, lines_before)
            after = before if lines_after is lines_before else _left(fact, lines_after)
            self.orders += 1
            self.orders_changed += before != after
            self.wanted_of_budget += sum(line.points for line in lines_after if line.rule_id == rule_id)
            of_order = Sums(before, after, before if is_open else 0, after if is_open else 0)
            _add(sums, of_order)
            _add(self.months.setdefault(f"{fact.at:%Y-%m}", Sums()), of_order)
        change = sums.after - sums.before
        self.more += change > 0
        self.less += change < 0
        _add(self.total, sums)
        _add(self.tiers.setdefault(tier, Sums()), sums)
        if change:
            one = (abs(change), -member_id, sums.before, sums.after)
            if len(self._top) < TOP:
                heappush(self._top, one)
            else:
                heappushpop(self._top, one)

    def document(self) -> dict[str, Any]:
        """As it is kept."""
        return {
            "orders": self.orders, "orders_changed": self.orders_changed, "more": self.more, "less": self.less,
            "total": _said(self.total), "wanted_of_budget": self.wanted_of_budget,
            "months": [{"month": month, **_said(sums)} for month, sums in sorted(self.months.items())],
            "tiers": [{"tier": tier, **_said(sums)} for tier, sums in sorted(self.tiers.items())],
            "top": [
                {"member_id": -negative, "before": before, "after": after}
                for _, negative, before, after in sorted(self._top, reverse=True)
            ],
        }  # fmt: skip


def compare(
    before: Sequence[Version], after: Sequence[Version], fact: Fact, answers: dict[int, Answer], rule_id: int
) -> tuple[list[Line], list[Line]]:
    """The lines of a fact under both sets of rules; the same list where the rule that differs is not about it."""
    lines = earning.award(before, fact, answers)
    touched = any(
        version.rule_id == rule_id and earning.concerns(version, fact) for version in (*before, *after)
    )  # fmt: skip
    return lines, earning.award(after, fact, answers) if touched else lines


def _left(fact: Fact, lines: Iterable[Line]) -> int:
    gross = sum(line.points for line in lines)
    return earning.left_after_refunds(gross, fact.amount, fact.net) if gross else 0


def _add(sums: Sums, more: Sums) -> None:
    sums.before += more.before
    sums.after += more.after
    sums.open_before += more.open_before
    sums.open_after += more.open_after
    sums.members += more.members


def _said(sums: Sums) -> dict[str, int]:
    return {
        "before": sums.before, "after": sums.after, "open_before": sums.open_before, "open_after": sums.open_after,
        "members": sums.members,
    }  # fmt: skip
