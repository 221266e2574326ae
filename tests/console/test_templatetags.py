"""What the console's tags print, in both languages."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from django.template import Context, Template
from django.test import RequestFactory
from django.utils import translation

from scrm.console.templatetags import console

NOW = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("minor", "shown"),
    [(123450, "¥1,234.50"), (-5, "-¥0.05"), (0, "¥0.00"), (None, "—"), ("", "—"), ("x", "—")],
)
def test_money_is_exact_to_the_cent(minor: object, shown: str) -> None:
    assert console.money(minor) == shown


@pytest.mark.parametrize(
    ("language", "value", "shown"),
    [
        ("zh-hans", 9999, "9,999"),
        ("zh-hans", 1234567, "123.5万"),
        ("zh-hans", 456000000, "4.56亿"),
        ("en", 9999, "9,999"),
        ("en", 123456, "123.5K"),
        ("en", 1234567, "1.23M"),
        ("en", None, "—"),
    ],
)
def test_short_counts_use_the_readers_units(language: str, value: object, shown: str) -> None:
    with translation.override(language):
        assert console.compact(value) == shown


def test_short_money_uses_the_readers_units() -> None:
    with translation.override("zh-hans"):
        assert console.money_short(891140790) == "¥891.1万"
    with translation.override("en"):
        assert console.money_short(891140790) == "¥8.91M"


def test_ratios() -> None:
    assert console.percent(0.1234) == "12.3%"
    assert console.signed_percent(0.021) == "+2.1%"
    assert console.signed_percent(-0.013) == "-1.3%"
    assert console.percent(console.share_of(1, 4), 0) == "25%"
    assert console.share_of(1, 0) is None


@pytest.mark.parametrize(
    ("before", "shown"),
    [
        (timedelta(seconds=5), "just now"),
        (timedelta(minutes=5), "5 minutes ago"),
        (timedelta(hours=1), "1 hour ago"),
        (timedelta(days=61), "2 months ago"),
        (timedelta(days=800), "2 years ago"),
        (-timedelta(hours=3), "in 3 hours"),
    ],
)
def test_relative_times_carry_the_exact_one(before: timedelta, shown: str) -> None:
    with translation.override("en"), time_machine.travel(NOW, tick=False):
        html = str(console.ago(NOW - before))
    assert html.endswith(f">{shown}</time>")
    assert f'datetime="{(NOW - before).isoformat()}"' in html


def test_a_day_is_written_the_same_for_everybody() -> None:
    assert console.day(date(2026, 3, 2)) == '<time datetime="2026-03-02">2026-03-02</time>'


@pytest.mark.parametrize(
    ("value", "shown"),
    [("13812345678", "138****5678"), ("li@example.com", "l***@example.com"), ("李诗雅", "李**"), (None, "—")],
)
def test_mask_hides_the_middle(value: object, shown: str) -> None:
    assert console.mask(value) == shown


def test_a_changed_query_starts_at_the_first_page() -> None:
    request = RequestFactory().get("/members/", {"q": "li", "sort": "name", "cursor": "abc"})
    template = Template('{% query_replace sort="-spent" %} {% query_replace q=None cursor="x" %}')
    assert template.render(Context({"request": request}, autoescape=False)) == "?q=li&sort=-spent ?sort=name&cursor=x"


def test_an_icon_is_decoration() -> None:
    html = Template('{% icon "users" %}').render(Context())
    assert 'aria-hidden="true"' in html
    assert "icons.svg" in html
    assert html.endswith('#users"></use></svg>')


def test_a_sparkline_needs_two_values() -> None:
    assert console.sparkline([1]) == ""
    assert "<polyline" in str(console.sparkline([1, 3, 2]))


@pytest.mark.parametrize(
    ("until", "shown"),
    [
        (datetime(2026, 3, 1, 16, 0, tzinfo=UTC), ">2026-03-01<"),
        (datetime(2026, 3, 1, 10, 30, tzinfo=UTC), ">2026-03-01 18:30<"),
        (None, "—"),
    ],
)
def test_what_ends_at_midnight_lasts_through_the_day_before(until: datetime | None, shown: str) -> None:
    assert shown in str(console.through(until))


@pytest.mark.parametrize(("language", "shown"), [("zh-hans", "一、二"), ("en", "一, 二")])
def test_lists_are_parted_as_the_language_does(language: str, shown: str) -> None:
    with translation.override(language):
        assert Template('{{ items|listed|default:"—" }}').render(Context({"items": ["一", "二"]})) == shown
        assert Template('{{ items|listed|default:"—" }}').render(Context({"items": []})) == "—"
