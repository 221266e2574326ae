"""Who the demo brand's members are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from members.rules.demo import brand

DAY = 86_400
# Mobile prefixes in use; with eight digits behind them they give far more numbers than members.
_PREFIXES = np.array([134, 135, 136, 137, 138, 139, 150, 151, 158, 159, 182, 186, 187, 188, 189, 199])


@dataclass(frozen=True, slots=True)
class People:
    """Columns of one block of members; times are seconds since 1970, UTC."""

    first_id: int
    name: list[str]
    gender: NDArray[np.int8]  # 0 unknown, 1 female, 2 male
    birth_day: NDArray[np.int32]  # days since 1970; -1 when unknown
    city: NDArray[np.int16]  # index into CITIES
    joined: NDArray[np.int64]
    left: NDArray[np.int64]  # when their interest in the brand ends
    rate: NDArray[np.float64]  # orders they would place in two whole years
    phone: NDArray[np.int64]  # national number; 0 when unknown
    has_email: NDArray[np.bool_]
    favourite: NDArray[np.int8]  # index into CATEGORIES

    def __len__(self) -> int:
        return len(self.joined)


CITIES: list[tuple[str, str, str]] = [
    (province, city, region) for region, _, cities in brand.REGIONS for province, city, _, _ in cities
]
_CITY_SHARES = np.array([share for _, _, cities in brand.REGIONS for _, _, share, _ in cities])


def make(*, rng: np.random.Generator, first_id: int, count: int, until: int) -> People:
    """`count` members with ids from `first_id`, joined in the 1,000 days before `until`, more of them lately."""
    joined = until - (1000 * DAY * rng.beta(1.1, 1.3, count)).astype(np.int64)
    joined -= (joined + 8 * 3600) % DAY - (rng.normal(15.5, 3.2, count).clip(8, 23) * 3600).astype(np.int64)
    joined = np.minimum(joined, until - 60)
    gender = rng.choice(np.array([0, 1, 2], np.int8), count, p=[0.06, 0.68, 0.26])
    surnames = np.array(list(brand.SURNAMES))
    # Common surnames come first in the list and are met most.
    surname = surnames[(rng.beta(0.7, 2.2, count) * len(surnames)).astype(np.int64)]
    female, male = np.array(brand.FEMALE), np.array(brand.MALE)
    given = np.where(
        (gender == 1) | ((gender == 0) & (rng.random(count) < 0.5)),
        female[rng.integers(0, len(female), count)],
        male[rng.integers(0, len(male), count)],
    )
    birth = (rng.normal(1992, 8.5, count).clip(1955, 2007) * 365.25 - 1970 * 365.25).astype(np.int32)
    birth += rng.integers(0, 365, count, dtype=np.int32)
    ids = np.arange(first_id, first_id + count, dtype=np.int64)
    # An odd multiplier walks all residues, so numbers never repeat and do not look counted.
    tail = (ids * 48_271_049 + 7_654_321) % 100_000_000
    phone = _PREFIXES[(ids // 100_000_000 + ids * 7) % len(_PREFIXES)] * 100_000_000 + tail
    return People(
        first_id=first_id,
        name=[a + b for a, b in zip(surname.tolist(), given.tolist(), strict=True)],
        gender=gender,
        birth_day=np.where(rng.random(count) < 0.72, birth, -1).astype(np.int32),
        city=rng.choice(len(CITIES), count, p=_CITY_SHARES / _CITY_SHARES.sum()).astype(np.int16),
        joined=joined,
        left=joined + (rng.exponential(640 * DAY, count) + 10 * DAY).astype(np.int64),
        # Some never buy; the rest differ widely, a few buy very often.
        rate=np.where(rng.random(count) < 0.12, 0.0, rng.lognormal(2.29, 0.8, count)),
        phone=np.where(rng.random(count) < 0.93, phone, 0),
        has_email=rng.random(count) < 0.38,
        favourite=rng.choice(len(brand.CATEGORIES), count, p=[0.28, 0.14, 0.2, 0.16, 0.12, 0.1]).astype(np.int8),
    )
