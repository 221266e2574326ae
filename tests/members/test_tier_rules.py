"""What becomes of a tier, told as stories: facts in, decisions out. All days are the shop's, in Shanghai.

The ladder is silver at 1,000 (kept by 800), gold at 5,000 (kept by 4,000), diamond at 20,000 (kept by 15,000).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from members.rules import memberships
from members.rules.tier_holdings import Hand, Paid, holding
from members.rules.tier_steps import Standing, next_check, replay, retention, step
from members.rules.tiers import MOMENT, Almanac, Fact, Facts, Rung, Scheme, membership_year, shifted

ZONE = ZoneInfo("Asia/Shanghai")
NAMES = {1: "basic", 2: "silver", 3: "gold", 4: "diamond", 9: "platinum"}
LADDER = (Rung(1, 1, 0, 0), Rung(2, 2, 1_000, 800), Rung(3, 3, 5_000, 4_000), Rung(4, 4, 20_000, 15_000))
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def noon(text: str) -> datetime:
    """Noon of a shop day, or the time given: "2026-03-01", "2026-03-01 00:00"."""
    day, _, clock = text.partition(" ")
    return datetime.fromisoformat(f"{day} {clock or '12:00'}").replace(tzinfo=ZONE)


def scheme(**values: Any) -> Scheme:
    return Scheme(**{"rungs": LADDER, "notice_days": 0, **values})


def shown(instant: datetime | None) -> str:
    """An instant as the last day that is before it when it is a midnight: what ends on 1 January lasts to the 31st."""
    if instant is None:
        return "for good"
    local = instant.astimezone(ZONE)
    return f"to {(local - timedelta(seconds=1)).date()}" if local.hour == local.minute == 0 else f"to {local:%F %H:%M}"


def told(standing: Standing | None) -> str:
    return "basic" if standing is None else f"{NAMES[standing.tier_id]} {shown(standing.expires_at)}"


@dataclass(frozen=True)
class Story:
    says: str
    rules: dict[str, Any]
    facts: dict[str, int]
    until: str
    moves: list[str]
    ends: str
    joined: str = "2020-01-01"
    gone: dict[str, str] = field(default_factory=dict)  # facts that expire


YEAR = {"window": "calendar", "period": "year"}
TWO_YEARS = {**YEAR, "validity": "next_period_end"}
THIS_YEAR = {**YEAR, "validity": "period_end"}
ROLLING = {"window": "rolling", "window_months": 12, "validity": "months", "validity_months": 12}
STORIES = [
    # Reaching
    Story("Below the first threshold nobody has more than the lowest tier", {}, {"2026-03-01": 999}, "2026-12-31",
          [], "basic"),
    Story("A threshold is reached by exactly its value", {}, {"2026-03-01": 1_000}, "2026-12-31",
          ["2026-03-01 upgraded silver by reached"], "silver for good"),
    Story("Growth adds up over a lifetime", {}, {"2020-05-01": 600, "2026-03-01": 400}, "2026-12-31",
          ["2026-03-01 upgraded silver by reached"], "silver for good"),
    Story("One large purchase jumps over levels", {}, {"2026-03-01": 21_000}, "2026-12-31",
          ["2026-03-01 upgraded diamond by reached"], "diamond for good"),
    Story("Levels are climbed one after the other", {},
          {"2026-03-01": 1_000, "2026-04-01": 4_000, "2026-05-01": 15_000}, "2026-12-31",
          ["2026-03-01 upgraded silver by reached", "2026-04-01 upgraded gold by reached",
           "2026-05-01 upgraded diamond by reached"], "diamond for good"),
    Story("In a calendar year what came last year does not count", TWO_YEARS,
          {"2025-12-31 23:59": 600, "2026-01-01 00:00": 600}, "2026-12-31", [], "basic"),
    Story("The first moment of the year counts for it", TWO_YEARS,
          {"2026-01-01 00:00": 1_000}, "2026-06-01", ["2026-01-01 upgraded silver by reached"],
          "silver to 2027-12-31"),
    Story("A quarter has three months of its own", {**YEAR, "period": "quarter", "validity": "period_end"},
          {"2026-03-31": 600, "2026-04-01": 600, "2026-06-30 23:59": 400}, "2026-06-30 23:59",
          ["2026-06-30 upgraded silver by reached"], "silver to 2026-06-30"),
    Story("A half year begins in July", {**YEAR, "period": "half", "validity": "next_period_end"},
          {"2026-06-30": 999, "2026-07-01": 1_000}, "2026-08-01", ["2026-07-01 upgraded silver by reached"],
          "silver to 2027-06-30"),
    Story("Twelve rolling months end with today", ROLLING, {"2025-03-01": 600, "2026-02-28": 400}, "2026-02-28",
          ["2026-02-28 upgraded silver by reached"], "silver to 2027-02-28"),
    Story("What is a day older than twelve months is out", ROLLING, {"2025-02-28": 600, "2026-02-28": 400},
          "2026-03-31", [], "basic"),
    Story("The year of membership begins on the day of joining",
          {"window": "anniversary", "validity": "period_end"}, {"2026-05-14": 600, "2026-05-15": 1_000}, "2026-06-01",
          ["2026-05-15 upgraded silver by reached"], "silver to 2027-05-14", joined="2024-05-15"),
    Story("Who joined on 29 February begins a year on the 28th in other years",
          {"window": "anniversary", "validity": "period_end"}, {"2026-02-27": 999, "2026-02-28": 1_000}, "2026-03-01",
          ["2026-02-28 upgraded silver by reached"], "silver to 2027-02-27", joined="2024-02-29"),
    Story("… and on the 29th in leap years",
          {"window": "anniversary", "validity": "period_end"}, {"2027-03-01": 1_000}, "2027-12-31",
          ["2027-03-01 upgraded silver by reached"], "silver to 2028-02-28", joined="2024-02-29"),
    # Starting later
    Story("With the next period a tier begins on its first day", {**TWO_YEARS, "start": "next_period"},
          {"2026-03-01": 5_000}, "2027-06-01", ["2027-01-01 upgraded gold by reached"], "gold to 2028-12-31"),
    Story("Until then nothing changes", {**TWO_YEARS, "start": "next_period"},
          {"2026-03-01": 5_000}, "2026-12-31 23:59", [], "basic"),
    Story("By months it begins on the first of the next month",
          {"period": "month", "start": "next_period", "validity": "months", "validity_months": 6},
          {"2026-01-31": 1_000}, "2026-02-10", ["2026-02-01 upgraded silver by reached"], "silver to 2026-08-01"),
    # Expiring
    Story("To the end of the period is short for who comes late in the year", THIS_YEAR, {"2026-12-30": 1_000},
          "2026-12-31", ["2026-12-30 upgraded silver by reached"], "silver to 2026-12-31"),
    Story("A tier that lasts for months runs through the same day of the month",
          {**ROLLING, "validity_months": 6}, {"2026-03-15": 1_000}, "2026-04-01",
          ["2026-03-15 upgraded silver by reached"], "silver to 2026-09-15"),
    Story("A month from 31 January ends on the last of February", {**ROLLING, "validity_months": 1},
          {"2026-01-31": 1_000}, "2026-02-01", ["2026-01-31 upgraded silver by reached"], "silver to 2026-02-28"),
    Story("… in a leap year on the 29th", {**ROLLING, "validity_months": 1}, {"2028-01-31": 1_000}, "2028-02-01",
          ["2028-01-31 upgraded silver by reached"], "silver to 2028-02-29"),
    Story("A year from 29 February ends on the 28th", ROLLING, {"2028-02-29": 1_000}, "2028-03-01",
          ["2028-02-29 upgraded silver by reached"], "silver to 2029-02-28"),
    Story("Days of extension come on top", {**THIS_YEAR, "extension_days": 31}, {"2026-06-01": 1_000}, "2026-07-01",
          ["2026-06-01 upgraded silver by reached"], "silver to 2027-01-31"),
    # Keeping
    Story("What keeps a tier is less than what reaches it", TWO_YEARS, {"2026-06-01": 5_000, "2027-03-01": 4_000},
          "2028-06-01",
          ["2026-06-01 upgraded gold by reached", "2028-01-01 retained gold by retention"], "gold to 2028-12-31"),
    Story("A unit less, and the level earned is what is left", TWO_YEARS,
          {"2026-06-01": 5_000, "2027-03-01": 3_999}, "2028-06-01",
          ["2026-06-01 upgraded gold by reached", "2028-01-01 downgraded silver by expired"], "silver to 2028-12-31"),
    Story("Nothing at all, and it is the lowest", TWO_YEARS, {"2026-06-01": 5_000}, "2028-06-01",
          ["2026-06-01 upgraded gold by reached", "2028-01-01 downgraded basic by expired"], "basic for good"),
    Story("A year without leaves a tier of rolling months", ROLLING, {"2026-03-15": 5_000}, "2027-06-01",
          ["2026-03-15 upgraded gold by reached", "2027-03-16 downgraded basic by expired"], "basic for good"),
    Story("Rolling months keep what was bought in the term", ROLLING, {"2026-03-15": 5_000, "2026-12-01": 4_100},
          "2027-06-01",
          ["2026-03-15 upgraded gold by reached", "2027-03-16 retained gold by retention"], "gold to 2028-03-15"),
    Story("One level down, however little came", {**TWO_YEARS, "downgrade": "one"}, {"2026-06-01": 20_000},
          "2028-06-01",
          ["2026-06-01 upgraded diamond by reached", "2028-01-01 downgraded gold by expired"], "gold to 2028-12-31"),
    Story("… and another one a year later", {**TWO_YEARS, "downgrade": "one"}, {"2026-06-01": 20_000}, "2030-06-01",
          ["2026-06-01 upgraded diamond by reached", "2028-01-01 downgraded gold by expired",
           "2029-01-01 downgraded silver by expired", "2030-01-01 downgraded basic by expired"], "basic for good"),
    Story("A ladder that takes nothing away", {**TWO_YEARS, "downgrade": "keep"}, {"2026-06-01": 5_000},
          "2028-06-01",
          ["2026-06-01 upgraded gold by reached", "2028-01-01 retained gold by policy"], "gold to 2028-12-31"),
    Story("The last second of the year still keeps the tier", TWO_YEARS,
          {"2026-06-01": 5_000, "2027-12-31 23:59": 4_000}, "2028-01-01",
          ["2026-06-01 upgraded gold by reached", "2028-01-01 retained gold by retention"], "gold to 2028-12-31"),
    # Extension and grace
    Story("In the days of grace the tier is still there", {**TWO_YEARS, "grace_days": 30}, {"2026-06-01": 5_000},
          "2028-01-30", ["2026-06-01 upgraded gold by reached"], "gold to 2027-12-31"),
    Story("When they are over it goes", {**TWO_YEARS, "grace_days": 30}, {"2026-06-01": 5_000}, "2028-02-01",
          ["2026-06-01 upgraded gold by reached", "2028-01-31 downgraded basic by expired"], "basic for good"),
    Story("Who catches up in the days of grace keeps it", {**TWO_YEARS, "grace_days": 30},
          {"2026-06-01": 5_000, "2027-06-01": 3_000, "2028-01-20": 1_000}, "2028-02-01",
          ["2026-06-01 upgraded gold by reached", "2028-01-20 retained gold by retention"], "gold to 2028-12-31"),
    Story("The day after is too late", {**TWO_YEARS, "grace_days": 30},
          {"2026-06-01": 5_000, "2027-06-01": 3_000, "2028-01-31": 1_000}, "2028-02-10",
          ["2026-06-01 upgraded gold by reached", "2028-01-31 downgraded silver by expired"], "silver to 2028-12-31"),
    Story("Days of extension give time as well", {**TWO_YEARS, "extension_days": 10},
          {"2026-06-01": 5_000, "2027-06-01": 3_000, "2028-01-05": 1_000}, "2028-02-01",
          ["2026-06-01 upgraded gold by reached", "2028-01-05 retained gold by retention"], "gold to 2029-01-10"),
    Story("Who has reached the tier anew by then keeps it", {**TWO_YEARS, "grace_days": 30},
          {"2026-06-01": 1_000, "2028-01-20": 1_000}, "2028-02-01",
          ["2026-06-01 upgraded silver by reached", "2028-01-20 retained silver by retention"],
          "silver to 2028-12-31"),
    # Expiring growth
    Story("Growth that expires with the year still counts on its last day", TWO_YEARS,
          {"2026-06-01": 5_000, "2027-06-01": 4_000}, "2028-02-01",
          ["2026-06-01 upgraded gold by reached", "2028-01-01 retained gold by retention"], "gold to 2028-12-31",
          gone={"2026-06-01": "2027-01-01 00:00", "2027-06-01": "2028-01-01 00:00"}),
    Story("Expired growth counts for nothing new", {}, {"2025-06-01": 900, "2026-06-01": 100}, "2026-12-31", [],
          "basic", gone={"2025-06-01": "2026-01-01 00:00"}),
    # Higher than before
    Story("A higher tier begins a term of its own", ROLLING, {"2026-03-15": 1_000, "2026-09-01": 4_000},
          "2026-10-01",
          ["2026-03-15 upgraded silver by reached", "2026-09-01 upgraded gold by reached"], "gold to 2027-09-01"),
    Story("Climbing again after a fall", TWO_YEARS, {"2026-06-01": 1_000, "2028-05-01": 1_000}, "2028-06-01",
          ["2026-06-01 upgraded silver by reached", "2028-01-01 downgraded basic by expired",
           "2028-05-01 upgraded silver by reached"], "silver to 2029-12-31"),
    Story("The clock jumps ten years: every term between is decided", {**THIS_YEAR, "downgrade": "one"},
          {"2026-06-01": 20_000}, "2036-06-01",
          ["2026-06-01 upgraded diamond by reached", "2027-01-01 retained diamond by retention",
           "2028-01-01 downgraded gold by expired", "2029-01-01 downgraded silver by expired",
           "2030-01-01 downgraded basic by expired"], "basic for good"),
]  # fmt: skip


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.says)
def test_stories(story: Story) -> None:
    facts = Facts(
        Fact(noon(at), amount, gone_at=noon(story.gone[at]) if at in story.gone else None)
        for at, amount in story.facts.items()
    )
    standing, moves = replay(
        [(LONG_AGO, scheme(**story.rules))], {"growth": facts}, joined_on=date.fromisoformat(story.joined), zone=ZONE,
        until=noon(story.until),
    )  # fmt: skip
    assert [
        f"{move.at.astimezone(ZONE).date()} {move.kind} {NAMES[move.after]} by {move.reason}" for move in moves
    ] == story.moves
    assert told(standing) == story.ends


# Step by step: what intake and sweeps do, with facts that change under way.


def play(rules: Scheme, *acts: tuple[str, dict[str, int]], refunds: bool = True) -> list[str]:
    """At each instant, with the facts as known by then (later amounts replace earlier ones), what is decided."""
    standing: Standing | None = None
    almanac = Almanac(rules, date(2020, 1, 1), ZONE)
    known: dict[str, int] = {}
    said = []
    for at, more in acts:
        known |= more
        facts = Facts(Fact(noon(day), amount) for day, amount in known.items())
        standing, moves = step(almanac, standing, facts.total, now=noon(at), refunded=refunds)
        said += [f"{at}: {move.kind} {NAMES[move.after]} by {move.reason}" for move in moves]
    return [*said, told(standing)]


def test_a_refund_leaves_the_tier_until_it_expires() -> None:
    assert play(scheme(**TWO_YEARS), ("2026-06-01", {"2026-06-01": 5_000}), ("2026-06-10", {"2026-06-01": 0})) == [
        "2026-06-01: upgraded gold by reached",
        "gold to 2027-12-31",
    ]


def test_a_refund_takes_the_tier_at_once_where_the_ladder_says_so() -> None:
    assert play(
        scheme(**TWO_YEARS, on_refund="at_once"),
        ("2026-06-01", {"2026-06-01": 5_000}),
        ("2026-06-10", {"2026-06-01": 1_500}),
    ) == ["2026-06-01: upgraded gold by reached", "2026-06-10: downgraded silver by refund", "silver to 2027-12-31"]


def test_a_refund_of_everything_leaves_the_lowest_tier() -> None:
    assert play(
        scheme(**TWO_YEARS, on_refund="at_once"),
        ("2026-06-01", {"2026-06-01": 5_000}),
        ("2026-06-10", {"2026-06-01": 0}),
    ) == ["2026-06-01: upgraded gold by reached", "2026-06-10: downgraded basic by refund", "basic for good"]


def test_what_was_bought_since_makes_up_for_a_refund() -> None:
    assert play(
        scheme(**TWO_YEARS, on_refund="at_once"),
        ("2026-06-01", {"2026-06-01": 5_000}),
        ("2026-07-01", {"2026-07-01": 5_500}),
        ("2026-07-10", {"2026-06-01": 0}),
    ) == ["2026-06-01: upgraded gold by reached", "gold to 2027-12-31"]


def test_a_refund_of_this_year_does_not_touch_a_tier_of_last_year() -> None:
    assert play(
        scheme(**TWO_YEARS, on_refund="at_once"),
        ("2026-06-01", {"2026-06-01": 5_000}),
        ("2027-02-01", {"2027-02-01": 300}),
        ("2027-02-05", {"2027-02-01": 0}),
    ) == ["2026-06-01: upgraded gold by reached", "gold to 2027-12-31"]


def test_a_refund_in_january_of_an_order_of_december_counts_against_december() -> None:
    assert play(
        scheme(**TWO_YEARS, on_refund="at_once"),
        ("2026-12-30", {"2026-12-30": 5_000}),
        ("2027-01-03", {"2026-12-30": 0}),
    ) == ["2026-12-30: upgraded gold by reached", "2027-01-03: downgraded basic by refund", "basic for good"]


def test_a_refund_before_the_end_decides_whether_a_tier_is_kept() -> None:
    assert play(
        scheme(**TWO_YEARS),
        ("2026-06-01", {"2026-06-01": 5_000}),
        ("2027-06-01", {"2027-06-01": 4_000}),
        ("2027-12-30", {"2027-06-01": 3_000}),
        ("2028-01-01 00:00", {}),
    ) == [
        "2026-06-01: upgraded gold by reached", "2028-01-01 00:00: downgraded silver by expired",
        "silver to 2028-12-31",
    ]  # fmt: skip


def test_a_clock_that_goes_back_changes_nothing() -> None:
    assert play(scheme(**THIS_YEAR), ("2026-06-01", {"2026-06-01": 5_000}), ("2024-01-01", {}), ("2026-06-02", {})) == [
        "2026-06-01: upgraded gold by reached",
        "gold to 2026-12-31",
    ]


def test_a_late_order_is_found_by_playing_everything_again() -> None:
    """On 3 January an order of 28 December comes in: replayed, the tier was kept."""
    facts = Facts([Fact(noon("2026-06-01"), 5_000), Fact(noon("2027-06-01"), 3_000), Fact(noon("2027-12-28"), 1_000)])
    standing, moves = replay(
        [(LONG_AGO, scheme(**TWO_YEARS))],
        {"growth": facts},
        joined_on=date(2020, 1, 1),
        zone=ZONE,
        until=noon("2028-01-03"),
    )
    assert told(standing) == "gold to 2028-12-31"
    assert [move.kind for move in moves] == ["upgraded", "retained"]


def test_a_new_version_of_the_ladder_downgrades_nobody_before_the_end() -> None:
    """From July on gold takes 9,000: who has it keeps it to the end of the term, and is measured anew then."""
    dearer = scheme(**TWO_YEARS, rungs=(LADDER[0], LADDER[1], Rung(3, 3, 9_000, 8_000), Rung(4, 4, 20_000, 15_000)))
    versions = [(LONG_AGO, scheme(**TWO_YEARS)), (noon("2026-07-01"), dearer)]
    facts = Facts([Fact(noon("2026-06-01"), 5_000), Fact(noon("2027-03-01"), 4_500)])

    def by(until: str) -> str:
        return told(replay(versions, {"growth": facts}, joined_on=date(2020, 1, 1), zone=ZONE, until=noon(until))[0])

    assert by("2026-08-01") == "gold to 2027-12-31"
    assert by("2027-12-31") == "gold to 2027-12-31"
    assert by("2028-01-02") == "silver to 2028-12-31"


def test_a_cheaper_ladder_lifts_at_once() -> None:
    cheaper = scheme(rungs=(LADDER[0], Rung(2, 2, 500, 400), LADDER[2]))
    versions = [(LONG_AGO, scheme()), (noon("2026-07-01"), cheaper)]
    facts = Facts([Fact(noon("2026-06-01"), 600)])
    standing, moves = replay(
        versions, {"growth": facts}, joined_on=date(2020, 1, 1), zone=ZONE, until=noon("2026-07-02")
    )
    assert told(standing) == "silver for good"
    assert moves[-1].at == noon("2026-07-01")


def test_who_holds_a_retired_tier_counts_as_of_the_level_it_would_reach() -> None:
    rules = scheme(**TWO_YEARS, retired=((9, 3),))
    almanac = Almanac(rules, date(2020, 1, 1), ZONE)
    end = noon("2028-01-01 00:00")
    held = Standing(9, noon("2026-06-01"), end, end, end, noon("2026-01-01 00:00"), end, 6_000, 1)
    kept, moves = step(almanac, held, Facts([Fact(noon("2027-05-01"), 4_000)]).total, now=end)
    assert (told(kept), moves[0].kind) == ("gold to 2028-12-31", "retained")
    lost, _ = step(almanac, held, Facts([]).total, now=end)
    assert told(lost) == "basic for good"


@pytest.mark.parametrize(
    ("rules", "now", "due"),
    [
        ({"notice_days": 30}, "2027-06-01", "2027-12-02 00:00"),
        ({"notice_days": 0}, "2027-06-01", "2028-01-01 00:00"),
        ({"notice_days": 30}, "2027-12-15", "2028-01-01 00:00"),
        ({"notice_days": 30, "extension_days": 10}, "2027-12-15", "2028-01-01 00:00"),
        ({"notice_days": 5, "extension_days": 10}, "2028-01-02", "2028-01-06 00:00"),
        ({"notice_days": 0, "grace_days": 30}, "2028-01-02", "2028-01-31 00:00"),
    ],
)
def test_the_next_instant_at_which_time_can_change_anything(rules: dict[str, int], now: str, due: str) -> None:
    almanac = Almanac(scheme(**TWO_YEARS, **rules), date(2020, 1, 1), ZONE)
    facts = Facts([Fact(noon("2026-06-01"), 5_000)])
    standing, _ = step(almanac, None, facts.total, now=noon("2026-06-01"))
    assert next_check(almanac, standing, facts.total, now=noon(now), noticed=False) == noon(due)


def test_a_period_that_begins_is_waited_for_by_those_who_have_reached_more() -> None:
    almanac = Almanac(scheme(**TWO_YEARS, start="next_period"), date(2020, 1, 1), ZONE)
    few, many = Facts([Fact(noon("2026-06-01"), 999)]), Facts([Fact(noon("2026-06-01"), 1_000)])
    assert next_check(almanac, None, few.total, now=noon("2026-06-02"), noticed=False) is None
    assert next_check(almanac, None, many.total, now=noon("2026-06-02"), noticed=False) == noon("2027-01-01 00:00")


def test_what_keeps_a_tier_is_added_up_to_the_end_of_grace() -> None:
    almanac = Almanac(scheme(**TWO_YEARS, grace_days=10), date(2020, 1, 1), ZONE)
    standing, _ = step(almanac, None, Facts([Fact(noon("2026-06-01"), 5_000)]).total, now=noon("2026-06-01"))
    assert standing is not None
    needed, span = retention(almanac, standing, noon("2027-05-01")) or (0, (LONG_AGO, LONG_AGO))
    assert (needed, span) == (4_000, (noon("2027-01-01 00:00"), noon("2027-05-01") + MOMENT))
    _, late = retention(almanac, standing, noon("2028-03-01")) or (0, (LONG_AGO, LONG_AGO))
    assert late == (noon("2027-01-01 00:00"), noon("2028-01-11 00:00"))


@pytest.mark.parametrize(
    ("joined", "day", "year"),
    [
        ("2024-05-15", "2024-05-15", ("2024-05-15", "2025-05-15")),
        ("2024-05-15", "2026-05-14", ("2025-05-15", "2026-05-15")),
        ("2024-05-15", "2020-01-01", ("2024-05-15", "2025-05-15")),
        ("2024-02-29", "2025-02-27", ("2024-02-29", "2025-02-28")),
        ("2024-02-29", "2025-02-28", ("2025-02-28", "2026-02-28")),
        ("2024-02-29", "2028-02-28", ("2027-02-28", "2028-02-29")),
        ("2024-02-29", "2028-02-29", ("2028-02-29", "2029-02-28")),
        ("2024-12-31", "2026-01-01", ("2025-12-31", "2026-12-31")),
    ],
)
def test_years_of_membership(joined: str, day: str, year: tuple[str, str]) -> None:
    found = membership_year(date.fromisoformat(joined), date.fromisoformat(day))
    assert tuple(map(str, found)) == year


@pytest.mark.parametrize(
    ("day", "months", "then"),
    [
        ("2026-01-31", 1, "2026-02-28"), ("2028-01-31", 1, "2028-02-29"), ("2026-03-31", -1, "2026-02-28"),
        ("2026-12-31", 2, "2027-02-28"), ("2028-02-29", 12, "2029-02-28"), ("2026-05-15", -17, "2024-12-15"),
    ],
)  # fmt: skip
def test_months_clamp_at_their_ends(day: str, months: int, then: str) -> None:
    assert str(shifted(date.fromisoformat(day), months)) == then


# Which of several tiers counts.

GOLD_TO_2027 = Standing(3, noon("2026-06-01"), expires_at=noon("2027-12-31"))


@pytest.mark.parametrize(
    ("says", "earned", "hand", "paid", "counts"),
    [
        ("nothing at all is the lowest tier", None, None, None, "basic earned"),
        ("a paid tier counts above the earned one", GOLD_TO_2027, None, (4, "2027-01-01"), "diamond paid"),
        ("the higher earned one counts above the paid one", GOLD_TO_2027, None, (2, "2029-01-01"), "gold earned"),
        ("of equals the one that lasts longer counts", GOLD_TO_2027, None, (3, "2029-01-01"), "gold paid"),
        ("a paid tier that has ended does not count", GOLD_TO_2027, None, (4, "2026-07-01"), "gold earned"),
        ("set by hand above counts", GOLD_TO_2027, (4, "2027-01-01", False), None, "diamond hand"),
        ("set by hand below counts too", GOLD_TO_2027, (2, "2027-01-01", True), (4, "2027-01-01"), "silver hand"),
        ("set by hand and over", GOLD_TO_2027, (2, "2026-07-01", True), None, "gold earned"),
    ],
)
def test_the_tier_that_counts(says: str, earned: Any, hand: Any, paid: Any, counts: str) -> None:
    begun = noon("2026-06-01")
    found = holding(
        scheme(),
        earned,
        None if hand is None else Hand(hand[0], begun, noon(hand[1]), hand[2]),
        None if paid is None else Paid(paid[0], begun, noon(paid[1])),
        now=noon("2026-08-01"),
    )
    assert f"{NAMES[found.tier_id]} {found.source}" == counts


# Terms of paid memberships.


@pytest.mark.parametrize(
    ("says", "at", "back"),
    [
        ("before it begins, everything", "2026-02-28", 9_900),
        ("on the day it begins, everything", "2026-03-01 23:00", 9_900),
        ("after one of 31 days, thirty", "2026-03-02 00:00", 9_581),  # 9,580.6
        ("halves are rounded up", "2026-03-31 10:00", 319),  # 319.35
        ("on the last day, nothing", "2026-04-01 09:00", 0),
        ("afterwards, nothing", "2026-05-01", 0),
    ],
)
def test_what_is_given_back_of_a_membership(says: str, at: str, back: int) -> None:
    starts = noon("2026-03-01 10:00")
    ends = memberships.ends(starts, months=1, days=0, zone=ZONE)
    assert memberships.refund(9_900, starts_at=starts, ends_at=ends, at=noon(at), zone=ZONE) == back


def test_half_a_unit_is_rounded_up() -> None:
    starts, ends = noon("2026-03-01"), noon("2026-03-05")
    assert memberships.refund(2, starts_at=starts, ends_at=ends, at=noon("2026-03-04"), zone=ZONE) == 1  # 0.5
    assert memberships.refund(1, starts_at=starts, ends_at=ends, at=noon("2026-03-04"), zone=ZONE) == 0  # 0.25


@pytest.mark.parametrize(
    ("starts", "months", "days", "ends"),
    [
        ("2026-01-31 10:00", 1, 0, "2026-02-28 10:00"), ("2028-01-31 10:00", 1, 0, "2028-02-29 10:00"),
        ("2028-02-29 10:00", 12, 0, "2029-02-28 10:00"), ("2026-12-31 10:00", 0, 7, "2027-01-07 10:00"),
    ],
)  # fmt: skip
def test_terms_end_on_the_calendar(starts: str, months: int, days: int, ends: str) -> None:
    assert memberships.ends(noon(starts), months=months, days=days, zone=ZONE) == noon(ends)
