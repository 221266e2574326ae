"""Rewards as they stand in definitions: a list of objects, each points, a benefit, or a grant.

[{"kind": "points", "currency": "points", "amount": 100},
 {"kind": "benefit", "key": "birthday-cake", "quantity": 1},
 {"kind": "grant", "item": "coupon", "key": "welcome-20", "quantity": 1}]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

MOST = 10
MOST_OF_ONE = 1_000
LARGEST_AMOUNT = 10**9
LONGEST_KEY = 64
ITEMS = ("coupon", "lottery_draw")


class BadReward(ValueError):
    """`code` says what is wrong with the reward at `place` (from 0) and `field`."""

    def __init__(self, code: str, place: int, field: str) -> None:
        super().__init__(f"{code} at {place}.{field}")
        self.code, self.place, self.field = code, place, field


@dataclass(frozen=True, slots=True)
class Points:
    """Points of a currency; they become available and expire by its policy."""

    currency: str
    amount: int


@dataclass(frozen=True, slots=True)
class Benefit:
    """So many claims of a benefit of the catalogue, beside its quotas."""

    key: str
    quantity: int = 1


@dataclass(frozen=True, slots=True)
class Grant:
    """Something that another part fulfils: `item` of the `key` given."""

    item: str
    key: str
    quantity: int = 1


Reward = Points | Benefit | Grant


def parse(listed: Any) -> tuple[Reward, ...]:
    """Read a definition. Raises `BadReward`; whether currencies and benefits exist is not checked here."""
    if not isinstance(listed, list):
        raise BadReward("not_a_list", 0, "")
    if len(listed) > MOST:
        raise BadReward("too_many", MOST, "")
    return tuple(_one(place, given) for place, given in enumerate(listed))


def dump(rewards: Sequence[Reward]) -> list[dict[str, Any]]:
    """The definition that `parse` reads."""
    kinds = {Points: "points", Benefit: "benefit", Grant: "grant"}
    return [{"kind": kinds[type(reward)], **asdict(reward)} for reward in rewards]


def _one(place: int, given: Any) -> Reward:
    if not isinstance(given, dict):
        raise BadReward("not_an_object", place, "")
    match given.get("kind"):
        case "points":
            _only(place, given, {"kind", "currency", "amount"})
            return Points(_key(place, given, "currency"), _number(place, given, "amount", LARGEST_AMOUNT))
        case "benefit":
            _only(place, given, {"kind", "key", "quantity"})
            return Benefit(_key(place, given, "key"), _number(place, given, "quantity", MOST_OF_ONE, default=1))
        case "grant":
            _only(place, given, {"kind", "item", "key", "quantity"})
            if given.get("item") not in ITEMS:
                raise BadReward("unknown_item", place, "item")
            return Grant(
                given["item"],
                _key(place, given, "key"),
                _number(place, given, "quantity", MOST_OF_ONE, default=1),
            )
    raise BadReward("unknown_kind", place, "kind")


def _only(place: int, given: dict[str, Any], known: set[str]) -> None:
    for name in given:
        if name not in known:
            raise BadReward("unknown_field", place, str(name))


def _key(place: int, given: dict[str, Any], name: str) -> str:
    value = given.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= LONGEST_KEY or not value.isprintable():
        raise BadReward("bad_key", place, name)
    return value


def _number(place: int, given: dict[str, Any], name: str, most: int, *, default: int | None = None) -> int:
    value = given.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise BadReward("out_of_range", place, name)
    return value
