"""Amounts of different currencies are never added up."""

from __future__ import annotations

import pytest

from analytics.queries.summary import summary
from scrm.common.access import SYSTEM
from tests.factories import NOW, make_member, make_order, make_source

pytestmark = pytest.mark.django_db


def figures(source: str | None = None) -> tuple[int, str]:
    found = summary(actor=SYSTEM, now=NOW, source=source)
    return found.revenue, found.currency


def test_over_all_sources_only_the_shops_currency_counts() -> None:
    yuan, pounds = make_source("shop"), make_source("uk")
    pounds.currency = "GBP"
    pounds.save()
    make_order(make_member(), amount=10_000, source=yuan)
    make_order(make_member(), amount=7_000, source=pounds)
    assert figures() == (10_000, "CNY")
    assert figures("uk") == (7_000, "GBP")


def test_the_only_currency_there_is_is_the_shops() -> None:
    pounds = make_source("uk")
    pounds.currency = "GBP"
    pounds.save()
    make_order(make_member(), amount=7_000, source=pounds)
    assert figures() == (7_000, "GBP")
