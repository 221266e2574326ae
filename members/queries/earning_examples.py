"""What a rule would give for one example, and what a dry run found, as pages show them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from members.models import EarningTrial
from members.queries import earning_words
from members.queries.member_tiers import known_tiers
from members.rules import earning as rules
from members.rules.earning import Answer, Definition, Fact, Version


@dataclass(frozen=True, slots=True)
class Example:
    """`text` says for whom or for what, `line` how the points come about."""

    text: str
    points: int
    line: str


def examples(definition: Definition, *, amount: int, at: datetime) -> list[Example]:
    """For an order of an amount in minor units at an instant in shop time: anybody's, then with each factor."""
    found = []
    cases: list[tuple[str, Fact, Answer]] = [(_("Any member"), _fact(definition, amount, at), Answer())]
    for one in definition.multipliers:
        fact, answer = _fact(definition, amount, at), Answer()
        match one.kind:
            case "tier":
                answer = Answer(tier=one.value)
            case "tag":
                answer = Answer(tags=frozenset({int(one.value)}))
            case "store":
                fact = replace(fact, store=one.value)
            case "channel":
                fact = replace(fact, channel=one.value)
            case "product":
                fact = replace(fact, lines=[(one.value, "", amount)])
            case "category":
                fact = replace(fact, lines=[("", one.value, amount)])
            case _:
                if not (one.window and one.window.birthday):
                    continue
                answer = Answer(birth=(at.month, at.day))
        cases.append((earning_words.factor_when(one), fact, answer))
    version = Version(0, 0, 1, _("this rule"), definition)
    for text, fact, answer in cases:
        lines = rules.award([version], fact, {0: answer})
        said = earning_words.calculation(lines[0].document()) if lines else _("nothing")
        found.append(Example(text, lines[0].points if lines else 0, said))
    return found


def _fact(definition: Definition, amount: int, at: datetime) -> Fact:
    """An order that the rule is about."""
    lines: tuple[tuple[str, str, int], ...] = ()
    if definition.narrowed:
        sku, category = min(definition.products, default=""), min(definition.categories, default="")
        lines = ((sku, category, amount),)
    return Fact(
        source="event:0" if definition.trigger == "event" else "order:0", member_id=0, at=at, amount=amount, net=amount,
        origin=min(definition.sources, default=""), store=min(definition.stores, default=""),
        channel=min(definition.channels, default=""), lines=lines, passed=frozenset({0}),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Found:
    """A dry run's sums: points, and what they cost in minor units."""

    before: int
    after: int
    cost: int  # of the difference
    liability: int  # of the difference that has not expired yet
    members: int  # concerned
    more: int
    less: int
    orders: int
    orders_changed: int
    over_budget: int
    months: list[dict[str, Any]]
    tiers: list[dict[str, Any]]
    chart: dict[str, Any]

    @property
    def change(self) -> int:
        return self.after - self.before


def found(trial: EarningTrial) -> Found:
    """What a finished dry run found."""
    said: dict[str, Any] = trial.result or {}
    total, cost = said["total"], said["cost_per_1000"]
    names = known_tiers()
    ladder = list(names)
    tiers = [
        {**one, "name": names.get(one["tier"], one["tier"]) or _("Without a tier")}
        for one in sorted(said["tiers"], key=lambda one: ladder.index(one["tier"]) if one["tier"] in names else -1)
    ]
    budget = said["budget"]
    return Found(
        before=total["before"],
        after=total["after"],
        cost=(total["after"] - total["before"]) * cost // 1_000,
        liability=(total["open_after"] - total["open_before"]) * cost // 1_000,
        members=said["more"] + said["less"],
        more=said["more"],
        less=said["less"],
        orders=said["orders"],
        orders_changed=said["orders_changed"],
        over_budget=max(said["wanted_of_budget"] - budget, 0) if budget is not None else 0,
        months=[{**one, "change": one["after"] - one["before"]} for one in said["months"]],
        tiers=[{**one, "change": one["after"] - one["before"]} for one in tiers],
        chart={
            "labels": [one["month"] for one in said["months"]],
            "series": [
                {"name": _("Rules in force"), "data": [one["before"] for one in said["months"]]},
                {"name": _("With this version"), "data": [one["after"] for one in said["months"]]},
            ],
            "format": "count",
        },
    )
