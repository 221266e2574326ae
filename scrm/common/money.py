"""Money is a whole number of minor units (分): never a float, never rounded twice."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

CENT = Decimal("0.01")
# Fits a bigint with room for sums over hundreds of millions of rows.
LARGEST = 10**13


def to_minor(amount: Decimal | str | int) -> int:
    """Minor units of a decimal amount, rounded half up to the cent.

    Raises `ValueError` when the value is no finite number or is larger than `LARGEST` minor units.
    """
    try:
        value = Decimal(amount)
    except InvalidOperation as error:
        raise ValueError(f"not an amount: {amount!r}") from error
    if not value.is_finite() or abs(value) > LARGEST:
        raise ValueError(f"not an amount: {amount!r}")
    return int(value.quantize(CENT, ROUND_HALF_UP) * 100)


def to_decimal(minor: int) -> str:
    """The decimal string of an amount in minor units: 891140790 → "8911407.90"."""
    sign = "-" if minor < 0 else ""
    whole, cents = divmod(abs(minor), 100)
    return f"{sign}{whole}.{cents:02d}"
