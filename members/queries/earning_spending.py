"""What members are told to spend for the growth that they lack, by the earning rules in force."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q

from members.models import EarningPeriod
from members.queries import tiers
from members.queries.earning_versions import version_of
from members.queries.tier_facts import GROWTH
from members.rules.earning_spending import least_amount


def for_growth(growth: int, now: datetime) -> int | None:
    """The least amount in minor units that earns so much growth with one order paid now; None where no rule says so
    plainly. By the rules for everybody: the member's own multipliers (tier, tag, birthday …) are left out, so that
    nobody needs more than is said.
    """
    periods = EarningPeriod.objects.filter(
        Q(ends_at=None) | Q(ends_at__gt=now), starts_at__lte=now, rule__trigger="order", rule__currency__key=GROWTH
    ).select_related("rule", "version")
    return least_amount(
        [
            version_of(
                one.version_id, one.rule_id, one.version.number, one.rule.name, one.version.definition,
                trigger=one.rule.trigger,
            )
            for one in periods
        ],
        growth,
    )  # fmt: skip


tiers.register_spending(for_growth)
