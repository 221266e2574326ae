"""What tiers add to the member list: a filter, and the tier of each row."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.utils.translation import gettext_lazy as _

from members.models import MemberTier
from members.queries import tier_schemes
from scrm.common import clock, display, panels
from scrm.common.member_filters import Filter, Group, Members, Test, Values, register
from scrm.common.panels import Badge


def options() -> Sequence[tuple[str, str]]:
    return [(str(tier.pk), tier.name) for tier in tier_schemes.tiers().values()]


TIER = Filter("tier", _("Tier"), multiple=True, options=options)


def narrow(values: Values, as_of: datetime) -> Members | Test:
    """Members who have one of the tiers; of whom nothing is written have the lowest."""
    for raw in values["tier"]:
        if not (raw.isascii() and raw.isdigit()) or len(raw) > 18:
            raise TIER.refusal(raw)
    wanted = [int(raw) for raw in values["tier"]]
    if tier_schemes.base_id(as_of) in wanted:
        return Test(
            "NOT EXISTS (SELECT 1 FROM members_membertier t WHERE t.member_id = members_member.id"
            " AND t.tier_id <> ALL (%s))",
            [wanted],
        )
    return Members("SELECT member_id FROM members_membertier WHERE tier_id = ANY(%s)", [wanted])


def row_tiers(member_ids: Sequence[int]) -> dict[int, list[Badge]]:
    """The tier of each member, with its end on hover."""
    base = tier_schemes.base_id(clock.now())
    if base is None:
        return {}
    rows = {
        member_id: (tier_id, expires_at)
        for member_id, tier_id, expires_at in MemberTier.objects.filter(member_id__in=member_ids).values_list(
            "member_id", "tier_id", "expires_at"
        )
    }
    tiers = tier_schemes.tiers()
    found = {}
    for member_id in member_ids:
        tier_id, expires_at = rows.get(member_id, (base, None))
        tier = tiers[tier_id]
        title = "" if expires_at is None else _("until %(day)s") % {"day": display.local(expires_at)}
        found[member_id] = [Badge(tier.name, tier.colour, title)]
    return found


register(Group("tiers", _("Membership"), [TIER], narrow))
panels.register_rows("tier", row_tiers)
