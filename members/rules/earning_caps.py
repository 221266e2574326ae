"""The limits of a rule for one member: per shop day, per month, ever. Earlier facts come first, in any arrival."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from members.rules.earning import Line

PERIODS = ("day", "month", "ever")


def apply(history: Iterable[tuple[date, Sequence[Line]]]) -> None:
    """Set what each line gets, in place: what is wanted, as far as its rule's limits leave room.

    `history` is everything that one member earned in the periods concerned, in the order in which the facts occurred;
    days are shop days. What a refund takes back does not make room again. Twice changes nothing.
    """
    used: dict[tuple[int, str, int], int] = {}
    for day, lines in history:
        keys = {"day": day.toordinal(), "month": day.year * 12 + day.month, "ever": 0}
        for line in lines:
            given, limits = line.wanted, []
            for period in PERIODS:
                if (cap := line.caps.get(period)) is not None:
                    room = max(cap - used.get((line.rule_id, period, keys[period]), 0), 0)
                    if given > room:
                        given, limits = room, [period]
            for period in PERIODS:
                key = (line.rule_id, period, keys[period])
                used[key] = used.get(key, 0) + given
            line.points = given
            line.limits = (*(one for one in line.limits if one == "order"), *limits)
