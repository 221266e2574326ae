"""What many orders earn on columns is what each earns by itself, to the point."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from members.rules import earning_caps, earning_columns
from members.rules.earning import Answer, Definition, Fact, Multiplier, Version, award, left_after_refunds
from members.rules.earning_columns import Codes, Members, Orders, Truth
from members.rules.earning_trials import Tally
from members.rules.earning_windows import Window

CODES = Codes({"shop": 1, "pos": 2}, {"S1": 7, "S2": 9}, {"app": 1, "web": 2})
FACTORS = st.sampled_from([1_000_000, 2_000_000, 1_500_000, 333_333, 100_000_000])
WINDOWS = st.one_of(
    st.builds(Window, days=st.frozensets(st.integers(1, 31), min_size=1, max_size=3)),
    st.builds(Window, weekdays=st.frozensets(st.integers(1, 7), min_size=1), hours=st.sampled_from([None, (8, 12)])),
    st.builds(Window, birthday=st.sampled_from(["month", "day"])),
    st.builds(Window, start=st.just(date(2028, 2, 10)), until=st.just(date(2028, 3, 10))),
)
MULTIPLIERS = st.one_of(
    st.builds(Multiplier, st.just("time"), st.just(""), FACTORS, st.just(""), WINDOWS),
    st.builds(Multiplier, st.just("tier"), st.sampled_from(["gold", "silver"]), FACTORS),
    st.builds(Multiplier, st.just("tag"), st.sampled_from(["3", "4"]), FACTORS),
    st.builds(Multiplier, st.just("store"), st.sampled_from(["S1", "S2"]), FACTORS),
    st.builds(Multiplier, st.just("channel"), st.sampled_from(["app", "web"]), FACTORS),
    st.builds(Multiplier, st.just("category"), st.just("茶"), FACTORS),
)
LIMITS = st.sampled_from([{}, {"order": 5}, {"day": 7}, {"day": 7, "month": 9}, {"month": 9, "ever": 20}, {"ever": 11}])


@st.composite
def definitions(draw: st.DrawFn) -> Definition:
    stacking = draw(st.sampled_from(["add", "add", "best", "stop"]))
    return Definition(
        trigger="order",
        position=draw(st.integers(1, 3)),
        sources=draw(st.sampled_from([frozenset[str](), frozenset({"shop"})])),
        stores=draw(st.sampled_from([frozenset[str](), frozenset({"S1"})])),
        channels=draw(st.sampled_from([frozenset[str](), frozenset({"app"})])),
        categories=draw(st.sampled_from([frozenset[str](), frozenset[str](), frozenset({"茶"})])),
        minimum=draw(st.sampled_from([0, 0, 500])),
        per=draw(st.sampled_from([None, 100, 700])),
        points=draw(st.sampled_from([1, 3, 10**6])),
        half_up=draw(st.booleans()),
        highest=draw(st.booleans()),
        multipliers=tuple(draw(st.lists(MULTIPLIERS, max_size=4))),
        stacking=stacking,
        group=draw(st.sampled_from(["a", "b"])) if stacking == "best" else "",
        caps=draw(LIMITS),
    )


@st.composite
def facts(draw: st.DrawFn) -> Fact:
    amount = draw(st.sampled_from([0, 99, 100, 1_234, 10**6, 10**13]))
    return Fact(
        source="order:", member_id=draw(st.integers(1, 3)),
        at=datetime(2028, 2, 27) + timedelta(hours=draw(st.integers(0, 24 * 20))),  # noqa: DTZ001  # shop time
        amount=amount, net=draw(st.sampled_from([amount, amount // 3, 0])),
        earns=draw(st.integers(0, 5)) > 0,
        origin=draw(st.sampled_from(["shop", "pos", "else"])), store=draw(st.sampled_from(["", "S1", "S2", "S3"])),
        channel=draw(st.sampled_from(["", "app", "web", "x"])),
        lines=draw(st.lists(st.sampled_from([("T", "茶", 500), ("C", "杯", 700), ("G", "茶", 0)]), max_size=3)),
    )  # fmt: skip


ANSWERS = st.builds(
    Answer,
    st.booleans(),
    st.frozensets(st.sampled_from([3, 4])),
    st.sampled_from(["", "gold", "silver"]),
    st.sampled_from([None, (2, 29), (3, 5)]),
)


@given(
    st.lists(definitions(), min_size=1, max_size=5),
    st.lists(facts(), min_size=1, max_size=12),
    st.tuples(ANSWERS, ANSWERS, ANSWERS),
)
def test_columns_give_what_each_order_gives(said: list[Definition], found: list[Fact], about: Any) -> None:
    versions = [Version(number + 10, number, 1, "", one) for number, one in enumerate(said, 1)]
    found.sort(key=lambda fact: (fact.member_id, fact.at))
    answers = dict(enumerate(about, 1))
    lines = [
        award(versions, fact, {one.id: answers[fact.member_id] for one in versions})
        for fact in found
    ]  # fmt: skip
    for member_id in answers:
        earning_caps.apply(
            (fact.at.date(), of_fact) for fact, of_fact in zip(found, lines, strict=True) if fact.member_id == member_id
        )
    expected = [
        left_after_refunds(sum(line.points for line in of_fact), fact.amount, fact.net) if of_fact else 0
        for fact, of_fact in zip(found, lines, strict=True)
    ]
    orders, members = columns(found, answers, versions)
    alone = {one.id: earning_columns.points_of(one, orders, members, CODES) for one in versions}
    given_, by_rule = earning_columns.apply(versions, alone, orders)
    assert given_.tolist() == expected
    for version in versions:
        assert by_rule[version.rule_id].tolist() == [
            sum(line.points for line in of_fact if line.rule_id == version.rule_id) for of_fact in lines
        ]


def columns(found: list[Fact], answers: dict[int, Answer], versions: list[Version]) -> tuple[Orders, Members]:
    def of(values: Any) -> Any:
        return np.fromiter(values, dtype=np.int64)

    about = list(answers.values())
    tiers = ["", "gold", "silver"]
    truth = Truth(
        of(one.holds for one in about) == 1, {tag: of(tag in one.tags for one in about) == 1 for tag in (3, 4)}
    )  # fmt: skip
    births = of(one.birth[0] * 32 + one.birth[1] if one.birth else 0 for one in about)
    orders = Orders(
        of(fact.member_id - 1 for fact in found),
        of(fact.at.toordinal() for fact in found),
        of(fact.at.hour for fact in found),
        of(fact.amount for fact in found),
        of(fact.net for fact in found),
        of(fact.earns for fact in found) == 1,
        of(CODES.sources.get(fact.origin, 0) for fact in found),
        of(CODES.stores.get(fact.store, 0) for fact in found),
        of(CODES.channels.get(fact.channel, 0) for fact in found),
        found,
    )
    tier = of(tiers.index(one.tier) for one in about)
    return orders, Members(of(answers), tier, tiers, births, {one.id: truth for one in versions})


def test_a_tally_adds_up_by_month_tier_and_member() -> None:
    plain = Version(1, 1, 1, "", Definition(trigger="order"))
    found = [
        Fact("order:1", 1, datetime(2028, 2, 28), 1_000, 1_000),  # noqa: DTZ001  # shop time
        Fact("order:2", 1, datetime(2028, 3, 1), 2_000, 500),  # noqa: DTZ001  # shop time
        Fact("order:3", 2, datetime(2028, 3, 1), 700, 700),  # noqa: DTZ001  # shop time
    ]
    orders, members = columns(found, {1: Answer(tier="gold"), 2: Answer(), 3: Answer(False)}, [plain])
    after, by_rule = earning_columns.apply(
        [plain], {1: earning_columns.points_of(plain, orders, members, CODES)}, orders
    )  # fmt: skip
    tally = Tally()
    tally.add(orders, members, np.zeros_like(after), after, by_rule[1], np.array([False, True, True]))
    said = tally.document()
    assert (said["orders"], said["orders_changed"], said["more"], said["less"]) == (3, 3, 2, 0)
    assert said["total"] == {"before": 0, "after": 22, "open_before": 0, "open_after": 12, "members": 3}
    assert [(one["month"], one["after"]) for one in said["months"]] == [("2028-02", 10), ("2028-03", 12)]
    assert [(one["tier"], one["after"], one["members"]) for one in said["tiers"]] == [("", 7, 2), ("gold", 15, 1)]
    assert [(one["member_id"], one["after"]) for one in said["top"]] == [(1, 15), (2, 7)]
    assert said["wanted_of_budget"] == 37
