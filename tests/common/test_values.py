"""Money never loses a cent; sealed data opens only with its key; shop days follow the shop's zone."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrm.common import clock, encryption, money


@given(st.integers(min_value=-money.LARGEST, max_value=money.LARGEST))
def test_minor_units_survive_the_way_to_text_and_back(minor: int) -> None:
    assert money.to_minor(money.to_decimal(minor)) == minor


@pytest.mark.parametrize(
    ("text", "minor"),
    [("8911407.90", 891_140_790), ("0.005", 1), ("-0.005", -1), ("1e2", 10_000), ("2.675", 268), (0, 0)],
)
def test_amounts_round_half_up_to_the_cent(text: str, minor: int) -> None:
    assert money.to_minor(text) == minor


@pytest.mark.parametrize("text", ["", "abc", "NaN", "Infinity", "1e30", "١٢x"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an amount"):
        money.to_minor(text)


@given(st.text())
def test_a_sealed_value_opens_to_itself(value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        return
    assert encryption.unseal(encryption.seal(value)) == value


def test_sealing_twice_looks_different_but_is_found_under_one_index() -> None:
    assert encryption.seal("+8613800000000") != encryption.seal("+8613800000000")
    index = encryption.blind_index("phone", "+8613800000000")
    assert index == encryption.blind_index("phone", "+8613800000000")
    assert index != encryption.blind_index("email", "+8613800000000")
    assert len(index) == 43
    assert "138" not in index


def test_an_altered_seal_does_not_open() -> None:
    sealed = bytearray(encryption.seal("secret"))
    sealed[-1] ^= 1
    with pytest.raises(encryption.SealBroken):
        encryption.unseal(bytes(sealed))


def test_a_shop_day_begins_at_midnight_in_shanghai() -> None:
    assert clock.shop_date(datetime(2026, 11, 20, 16, 0, tzinfo=UTC)) == date(2026, 11, 21)
    assert clock.shop_date(datetime(2026, 11, 20, 15, 59, 59, tzinfo=UTC)) == date(2026, 11, 20)
    assert clock.day_start(date(2026, 11, 21)) == datetime(2026, 11, 20, 16, 0, tzinfo=UTC)
    assert clock.day_end(date(2026, 11, 21)) == datetime(2026, 11, 21, 16, 0, tzinfo=UTC)
