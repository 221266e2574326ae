"""What has to be spent to earn so many points: the plain rules read backwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from members.rules.earning import Answer, Definition, Fact, Version, award

_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)  # without multipliers points do not hang on when


def is_plain(definition: Definition) -> bool:
    """Whether a rule gives points per amount for every order of every member, beside whatever others give."""
    return (
        definition.trigger == "order"
        and definition.per is not None
        and definition.condition is None
        and definition.minimum == 0
        and definition.stacking == "add"
        and not definition.narrowed
        and not (definition.sources or definition.stores or definition.channels)
        and "budget" not in definition.caps
    )


def least_amount(versions: Sequence[Version], points: int) -> int | None:
    """The smallest amount, in minor units, for which one order earns at least so many points by these plain rules.

    Multipliers are left out: the member may have them and will then need less. None without a rule, for 0 points, or
    where the rules' limits do not let one order earn so many.
    """
    plain = [
        replace(one, definition=replace(one.definition, multipliers=())) for one in versions if is_plain(one.definition)
    ]
    if not plain or points <= 0:
        return None
    # One rule alone reaches it here: each rounds for itself, so together they may do so earlier.
    high = min(-(-points * (one.definition.per or 1) // one.definition.points) for one in plain)
    if _given(plain, high) < points:
        return None
    low = 0  # earns less, high earns enough
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _given(plain, middle) >= points else (middle, high)
    return high


def _given(plain: Sequence[Version], amount: int) -> int:
    fact = Fact(source="", member_id=0, at=_ANY_TIME, amount=amount, net=amount)
    lines = award(plain, fact, {one.id: Answer() for one in plain})
    return sum(min([line.points, *line.caps.values()]) for line in lines)
