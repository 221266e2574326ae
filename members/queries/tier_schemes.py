"""The ladder: which version is in effect, what it says, and what its tiers are called."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from members.models import Tier, TierRung, TierScheme
from members.rules import rewards
from members.rules.rewards import Reward
from members.rules.tiers import Rung, Scheme

# In the order of `_scheme`.
_SELECT = """
    SELECT s.version, s.basis, s."window", s.period, s.window_months, s.start, s.validity, s.validity_months,
           s.extension_days, s.grace_days, s.notice_days, s.downgrade, s.on_refund,
           (SELECT array_agg(ARRAY[r.tier_id, r.level, r.threshold, r.retention] ORDER BY r.level)
            FROM members_tierrung r WHERE r.scheme_id = s.id),
           (SELECT array_agg(ARRAY[t.id, t.level]) FROM members_tier t
            WHERE NOT EXISTS (SELECT 1 FROM members_tierrung r WHERE r.scheme_id = s.id AND r.tier_id = t.id)),
           s.effective_from
    FROM members_tierscheme s
"""


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the ladder as pages show it."""

    tier: Tier
    level: int
    threshold: int
    retention: int
    gifts: tuple[Reward, ...]


def current(now: datetime) -> Scheme | None:
    """The version in effect; None while the brand has no tiers. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(f"{_SELECT} WHERE s.effective_from <= %s ORDER BY s.version DESC LIMIT 1", [now])
        row = cursor.fetchone()
    return None if row is None else _scheme(row)


def history(until: datetime) -> list[tuple[datetime, Scheme]]:
    """The versions that have been in effect, each with when that began, in order."""
    with connection.cursor() as cursor:
        cursor.execute(f"{_SELECT} WHERE s.effective_from <= %s ORDER BY s.version", [until])
        rows = cursor.fetchall()
    found: list[tuple[datetime, Scheme]] = []
    for row in rows:
        # A version that was to begin later than a newer one did never began.
        while found and found[-1][0] >= row[-1]:
            found.pop()
        found.append((row[-1], _scheme(row)))
    return found


def _scheme(row: Sequence[Any]) -> Scheme:
    (version, basis, window, period, window_months, start, validity, validity_months, extension, grace, notice,
     downgrade, on_refund, rungs, retired, _from) = row  # fmt: skip
    return Scheme(
        rungs=tuple(Rung(*rung) for rung in rungs),
        version=version, basis=basis, window=window, period=period, window_months=window_months, start=start,
        validity=validity, validity_months=validity_months, extension_days=extension, grace_days=grace,
        notice_days=notice, downgrade=downgrade, on_refund=on_refund,
        retired=tuple((tier_id, level) for tier_id, level in retired or ()),
    )  # fmt: skip


def levels_json(scheme: Scheme) -> str:
    """The level of each tier by its id, as SQL looks it up."""
    return json.dumps(
        {**dict(scheme.retired), **{rung.tier_id: rung.level for rung in scheme.rungs}},
    )


def row_in_effect(now: datetime) -> TierScheme | None:
    return TierScheme.objects.filter(effective_from__lte=now).order_by("-version").first()


def newest() -> TierScheme | None:
    """The version that was made last, in effect or not: what editing goes on from."""
    return TierScheme.objects.order_by("-version").first()


def by_version(version: int) -> TierScheme | None:
    return TierScheme.objects.filter(version=version).first()


def versions() -> list[TierScheme]:
    """All of them, the newest first."""
    return list(TierScheme.objects.order_by("-version")[:100])


def steps(scheme: TierScheme) -> list[Step]:
    """The ladder of a version, from the lowest."""
    rows = TierRung.objects.filter(scheme=scheme).select_related("tier").order_by("level")
    return [Step(row.tier, row.level, row.threshold, row.retention, rewards.parse(row.gifts)) for row in rows]


def gifts(version: int) -> dict[int, tuple[Reward, ...]]:
    """What reaching each tier gives, by its id."""
    rows = TierRung.objects.filter(scheme__version=version).values_list("tier_id", "gifts")
    return {tier_id: rewards.parse(listed) for tier_id, listed in rows if listed}


def tiers() -> dict[int, Tier]:
    """Every tier there is or was, by id."""
    return {tier.pk: tier for tier in Tier.objects.order_by("level", "pk")}


def base_id(now: datetime) -> int | None:
    """The tier of everybody of whom nothing is written."""
    return (
        TierRung.objects.filter(
            level=1,
            scheme=TierScheme.objects.filter(effective_from__lte=now).order_by("-version").values("pk")[:1],
        )
        .values_list("tier_id", flat=True)
        .first()
    )
