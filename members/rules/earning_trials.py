"""Adding up a dry run: what two sets of rules give for the same orders."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from members.rules.earning_columns import Flags, Ints, Members, Orders

TOP = 20


@dataclass(slots=True)
class Sums:
    """Points before and after, and of them those that have not expired."""

    before: int = 0
    after: int = 0
    open_before: int = 0
    open_after: int = 0
    members: int = 0

    def add(self, before: int, after: int, open_before: int, open_after: int, members: int) -> None:
        self.before += before
        self.after += after
        self.open_before += open_before
        self.open_after += open_after
        self.members += members

    def document(self) -> dict[str, int]:
        return {
            "before": self.before, "after": self.after, "open_before": self.open_before, "open_after": self.open_after,
            "members": self.members,
        }  # fmt: skip


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

    def add(self, orders: Orders, members: Members, before: Ints, after: Ints, wanted: Ints, is_open: Flags) -> None:
        """Some members with all their orders: the points of each order before and after, what the tried rule gives for
        it, and whether such points are still open."""
        self.orders += len(before)
        self.orders_changed += int((before != after).sum())
        self.wanted_of_budget += int(wanted.sum())
        values = np.stack([before, after, np.where(is_open, before, 0), np.where(is_open, after, 0)])
        by_member = _by(orders.member, values, len(members.ids))
        change = by_member[1] - by_member[0]
        self.more += int((change > 0).sum())
        self.less += int((change < 0).sum())
        self.total.add(*_numbers(values.sum(axis=1)), len(members.ids))
        months, which = np.unique(orders.month, return_inverse=True)
        of_months = _by(which, values, len(months))
        for place, month in enumerate(months.astype("datetime64[M]").astype(str).tolist()):
            self.months.setdefault(month, Sums()).add(*_numbers(of_months[:, place]), 0)
        of_tiers = _by(members.tier, by_member, len(members.tiers))
        counts = np.bincount(members.tier, minlength=len(members.tiers)).tolist()
        for place, tier in enumerate(members.tiers):
            if counts[place]:
                self.tiers.setdefault(tier, Sums()).add(*_numbers(of_tiers[:, place]), counts[place])
        largest = np.lexsort((members.ids, -abs(change)))[:TOP]
        self._top += [
            (-abs(one), member_id, of_before, of_after)
            for one, member_id, of_before, of_after in zip(
                change[largest].tolist(), members.ids[largest].tolist(), by_member[0][largest].tolist(),
                by_member[1][largest].tolist(), strict=True,
            )
            if one
        ]  # fmt: skip
        self._top = sorted(self._top)[:TOP]

    def document(self) -> dict[str, Any]:
        """As it is kept."""
        return {
            "orders": self.orders, "orders_changed": self.orders_changed, "more": self.more, "less": self.less,
            "total": self.total.document(), "wanted_of_budget": self.wanted_of_budget,
            "months": [{"month": month, **sums.document()} for month, sums in sorted(self.months.items())],
            "tiers": [{"tier": tier, **sums.document()} for tier, sums in sorted(self.tiers.items())],
            "top": [
                {"member_id": member_id, "before": before, "after": after} for _, member_id, before, after in self._top
            ],
        }  # fmt: skip


def _by(which: Ints, values: Ints, count: int) -> Ints:
    """The sums of each row of values by a number below `count`; whole numbers throughout."""
    sums = np.zeros((len(values), count), dtype=np.int64)
    for row, of_row in zip(sums, values, strict=True):
        np.add.at(row, which, of_row)
    return sums


def _numbers(values: Ints) -> tuple[int, int, int, int]:
    before, after, open_before, open_after = values.tolist()
    return before, after, open_before, open_after
