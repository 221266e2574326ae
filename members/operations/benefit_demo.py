"""The demo brand's benefits: in use, with a partner, its codes, and claims of some members."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from django.db import connection

from members.models import MemberBenefit
from members.operations import benefit_catalogue, benefit_due, benefit_stock, benefit_uses, benefits
from members.operations.benefit_catalogue import Content, RuleIn
from members.operations.benefit_stock import CodeIn
from members.queries import benefit_tiers
from members.rules.demo.benefits import BENEFITS, CODES, FOR_UPPER_TIERS, PARTNER
from scrm.common import clock
from scrm.common.errors import Conflict

_CLAIMERS = 60


def load(*, seed: int, now: datetime) -> None:
    """Make the benefits, give two months' birthday gifts, and let members claim and use since the last month began."""
    this_month = clock.shop_date(now).replace(day=1)
    start = clock.day_start((this_month - timedelta(days=1)).replace(day=1))
    partner = benefit_catalogue.save_partner(
        partner_id=None, name=PARTNER["name"], contact=PARTNER["contact"], terms=PARTNER["terms"]
    )  # fmt: skip
    ladder = list(benefit_tiers.names())
    upper = ladder[len(ladder) // 2 :]
    made = {}
    for key, kind, values, quota, period in BENEFITS:
        content = Content(
            **values,
            partner_id=partner.pk if kind == "partner_code" else None,
            rules=[RuleIn(tier, quota, period) for tier in (upper if key in FOR_UPPER_TIERS and upper else [""])],
        )
        made[key] = benefit_catalogue.create(key=key, kind=kind, content=content)
        benefit_catalogue.activate(benefit_id=made[key].pk, now=start)
    chance = random.Random(seed)  # noqa: S311  # a demo, the same each time
    codes = [CodeIn(f"COFFEE-{chance.randrange(36**8):08X}-{number:03d}") for number in range(CODES)]
    benefit_stock.add(benefit_id=made["partner-coffee"].pk, codes=codes, batch="demo", now=start)
    gift = made["birthday-tea"]
    benefit_due.give_birthday_gifts(benefit_id=gift.pk, now=start)
    given = list(MemberBenefit.objects.filter(benefit=gift).order_by("pk")[:_CLAIMERS])
    benefit_due.give_birthday_gifts(benefit_id=gift.pk, now=now)
    members = _members(_CLAIMERS)
    for place, member_id in enumerate(members):
        at = start + (now - start) * (place + 0.5) / len(members)
        for key in ("tea-tasting", "partner-coffee"):
            try:
                claim = benefits.claim(member_id=member_id, benefit_key=key, reference=f"demo:{key}", now=at).claim
            except Conflict:
                continue  # not everybody is entitled
            if key == "tea-tasting" and place % 2:
                _redeem(claim, min(at + timedelta(days=2), now))
        if place % 3 == 0:
            benefits.use(member_id=member_id, benefit_key="free-shipping", reference="demo", now=at)
    for place, claim in enumerate(given):
        # They are to be fetched in the month of the birthday.
        _redeem(claim, start + (clock.day_start(this_month) - start) * (place + 0.5) / len(given))


def _redeem(claim: MemberBenefit, at: datetime) -> None:
    benefit_uses.redeem(member_id=claim.member_id, claim_id=claim.pk, reference=f"demo:{claim.pk}", now=at)


def _members(count: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM members_member WHERE status = 'active' ORDER BY id LIMIT %s", [count])
        return [row[0] for row in cursor.fetchall()]
