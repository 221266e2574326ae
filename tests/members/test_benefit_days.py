"""What is pure about benefits: periods, birthdays, codes."""

from __future__ import annotations

from datetime import date

import pytest

from members.rules import benefit_codes
from members.rules.benefits import birthday_span, span


@pytest.mark.parametrize(
    ("period", "today", "key", "first", "after"),
    [
        ("day", date(2028, 2, 29), "2028-02-29", date(2028, 2, 29), date(2028, 3, 1)),
        ("week", date(2027, 1, 3), "2026-W53", date(2026, 12, 28), date(2027, 1, 4)),
        ("month", date(2026, 12, 31), "2026-12", date(2026, 12, 1), date(2027, 1, 1)),
        ("quarter", date(2026, 12, 31), "2026-Q4", date(2026, 10, 1), date(2027, 1, 1)),
        ("quarter", date(2026, 1, 1), "2026-Q1", date(2026, 1, 1), date(2026, 4, 1)),
        ("year", date(2026, 12, 31), "2026", date(2026, 1, 1), date(2027, 1, 1)),
    ],
)
def test_a_day_falls_into_a_period(period: str, today: date, key: str, first: date, after: date) -> None:
    found = span(period, today)
    assert (found.key, found.first, found.after) == (key, first, after)


@pytest.mark.parametrize(
    ("window", "born", "today", "key"),
    [
        ("month", date(1990, 2, 10), date(2027, 2, 28), "birthday:2027"),
        ("month", date(1990, 2, 10), date(2027, 3, 1), None),
        # Who was born on 29 February has the birthday on the 28th where there is none.
        ("day", date(1996, 2, 29), date(2027, 2, 28), "birthday:2027"),
        ("day", date(1996, 2, 29), date(2028, 2, 28), None),
        ("day", date(1996, 2, 29), date(2028, 2, 29), "birthday:2028"),
        # A week can begin in the year before its birthday, and end in the year after.
        ("week", date(1990, 1, 2), date(2026, 12, 28), "birthday:2027"),
        ("week", date(1990, 12, 31), date(2027, 1, 3), "birthday:2026"),
        ("week", date(1990, 1, 2), date(2027, 1, 4), None),
    ],
)
def test_a_birthday_has_one_window_a_year(window: str, born: date, today: date, key: str | None) -> None:
    found = birthday_span(window, born, today)
    assert (found.key if found else None) == key


def test_codes_have_more_than_sixty_random_bits_and_no_look_alikes() -> None:
    assert 31**benefit_codes.RANDOM > 2**60
    assert not set("01OIL") & set(benefit_codes.ALPHABET)
    made = {benefit_codes.make() for _ in range(1_000)}
    assert len(made) == 1_000
    assert all(benefit_codes.read(benefit_codes.spaced(code).lower()) == code for code in made)


def test_every_wrong_character_and_every_exchange_is_noticed() -> None:
    code = benefit_codes.make()
    for place in range(len(code)):
        for other in set(benefit_codes.ALPHABET) - {code[place]}:
            assert benefit_codes.read(code[:place] + other + code[place + 1 :]) is None
        for later in range(place + 1, len(code)):
            if code[place] != code[later]:
                swapped = list(code)
                swapped[place], swapped[later] = swapped[later], swapped[place]
                assert benefit_codes.read("".join(swapped)) is None
