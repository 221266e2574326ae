"""What a change of the ladder would bring: who moves from where to where, and what the gifts of it cost."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from members.models import PointsCurrency, TierTrial
from members.queries import tier_facts, tier_schemes
from members.rules.rewards import Points, Reward
from members.rules.tiers import Almanac, Scheme
from scrm.common import clock
from scrm.common.errors import NotFound

# Above twice so many members a preview asks about so many of them.
SAMPLE = 100_000
# Members a statement.
RANGE = 100_000
# Members by the level they hold and the level they have reached, both by the ladder to come.
Pairs = Counter[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Migration:
    """Members by the level they have and the level they would have, both by the ladder to come.

    `moves` at once: nobody goes down, because no tier is taken before it expires. `settled`: when all of today's tiers
    have expired and facts stay as they are. `cost` in minor units, of points; `grants` are gifts of other kinds.
    """

    members: int
    moves: list[tuple[int, int, int]]
    settled: list[tuple[int, int, int]]
    gifts: int
    cost: int
    grants: int
    exact: bool
    milliseconds: int

    @property
    def moved(self) -> int:
        return sum(count for before, after, count in self.moves if before != after)


def highest_id() -> int:
    """The last member's."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT COALESCE(max(id), 0) FROM members_member")
        highest: int = cursor.fetchone()[0]
        return highest


def migration(*, scheme: Scheme, gifts: Sequence[Sequence[Reward]], now: datetime) -> Migration:
    """Compare members' tiers with what `scheme` says: everybody's, or those of a sample of about 100,000.

    `gifts` are the rewards of each level. One statement per range of members.
    """
    started = time.monotonic()
    highest, step = highest_id(), 1
    ranges = [(low, low + RANGE) for low in range(0, highest + 1, RANGE)]
    if highest > 2 * SAMPLE:
        # Narrow ranges spread evenly: members who joined at all times, and reading by the index.
        step = highest // SAMPLE
        ranges = [(low, low + 1_000) for low in range(0, highest + 1, 1_000 * step)]
    pairs: Pairs = Counter()
    for low, high in ranges:
        for pair, members in counted(scheme, low=low, high=high, now=now).items():
            pairs[pair] += members * step
    milliseconds = round((time.monotonic() - started) * 1_000)
    return summed(pairs, scheme=scheme, gifts=gifts, exact=step == 1, milliseconds=milliseconds)


def summed(
    pairs: Pairs, *, scheme: Scheme, gifts: Sequence[Sequence[Reward]], exact: bool, milliseconds: int = 0
) -> Migration:
    """What these members mean: who moves at once, who later, and what it costs."""
    at_once: Pairs = Counter()
    for (before, reached), members in pairs.items():
        at_once[before, max(before, reached) if scheme.start == "at_once" else before] += members
    costs, listed = _costs(), list(gifts)
    given = cost = grants = 0
    for (before, after), count in at_once.items():
        if after > before and listed[after - 1]:
            given += count
            for reward in listed[after - 1]:
                if isinstance(reward, Points):
                    # Rounded once, over everybody.
                    cost += count * reward.amount * costs.get(reward.currency, 0)
                else:
                    grants += count * reward.quantity
    return Migration(
        members=sum(pairs.values()),
        moves=[(*pair, count) for pair, count in sorted(at_once.items())],
        settled=[(*pair, count) for pair, count in sorted(pairs.items())],
        gifts=given,
        cost=-(-cost // 1_000),
        grants=grants,
        exact=exact,
        milliseconds=milliseconds,
    )


def trial(trial_id: int) -> TierTrial:
    """A ladder that was tried on everybody. Raises `NotFound`."""
    found = TierTrial.objects.select_related("job").filter(pk=trial_id).first() if trial_id < 2**63 else None
    if found is None:
        raise NotFound(_("There is no such trial."), code="unknown_trial")
    return found


def latest_trial(content: dict[str, Any], *, version: int) -> TierTrial | None:
    """The last time that exactly this ladder was tried on everybody, upon this version."""
    same = TierTrial.objects.select_related("job").filter(version=version, content=content)
    return same.order_by("-pk").first()


def found_by(trial: TierTrial) -> Migration | None:
    """What a trial that has finished found."""
    if trial.result is None:
        return None
    lists = {name: [tuple(move) for move in trial.result[name]] for name in ("moves", "settled")}
    return Migration(**{**trial.result, **lists})


def _costs() -> dict[str, int]:
    """What 1,000 points of each kind cost."""
    return dict(PointsCurrency.objects.values_list("key", "cost_per_1000"))


def counted(scheme: Scheme, *, low: int, high: int, now: datetime) -> Pairs:
    """The members of a range of ids."""
    base = tier_schemes.base_id(now)
    zone = clock.shop_zone()
    start = "%(start)s::timestamptz"
    if scheme.window == "anniversary":
        # The year of membership that each member is in, as `rules.tiers.membership_year` says it.
        joined = "(m.joined_at AT TIME ZONE %(zone)s)::date"
        years = f"GREATEST(EXTRACT(year FROM %(today)s::date)::int - EXTRACT(year FROM {joined})::int, 0)"
        past = f"(({joined} + make_interval(years => {years}))::date > %(today)s::date)::int"
        start = (
            f"({joined} + make_interval(years => GREATEST({years} - {past}, 0)))::date::timestamp AT TIME ZONE %(zone)s"
        )
    value = tier_facts.sum_sql(scheme.basis, member="m.id", start="w.start_at", end="%(end)s::timestamptz")
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT COALESCE((%(levels)s::jsonb ->> COALESCE(t.tier_id, %(base)s)::text)::int, 1) AS held,
                   GREATEST(width_bucket({value}, %(thresholds)s::bigint[]), 1) AS reached, count(*)
            FROM members_member m CROSS JOIN LATERAL (SELECT {start} AS start_at) w
            LEFT JOIN members_membertier t ON t.member_id = m.id
            WHERE m.id >= %(low)s AND m.id < %(high)s AND m.status = 'active' GROUP BY 1, 2
            """,  # fixed texts
            {
                "low": low, "high": high, "base": base, "zone": str(zone), "today": clock.shop_date(now),
                "start": Almanac(scheme, clock.shop_date(now), zone).window_now(now)[0],
                "end": Almanac(scheme, clock.shop_date(now), zone).window_now(now)[1],
                "thresholds": [rung.threshold for rung in scheme.rungs],
                "levels": tier_schemes.levels_json(scheme),
            },
        )  # fmt: skip
        return Counter({(held, reached): members for held, reached, members in cursor.fetchall()})
