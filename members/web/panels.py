"""What members add to other pages: panels of their own page, and what the palette finds."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from members.queries import criteria, directory, points, points_lots
from members.web import benefit_panel, checkins
from scrm.common import clock, palette, panels
from scrm.common.access import Actor, ConsoleRequest, Permission
from scrm.common.palette import Entry

MOST = 6
EXPIRING_DAYS = 60


def find_members(actor: Actor, query: str) -> list[Entry]:
    """Members whose name begins with the text, or whose phone, e-mail, id or number it is."""
    if not actor.may(Permission.MEMBERS_VIEW) or len(query) > 100 or "\0" in query:
        return []
    rows = directory.visible(actor).filter(criteria.matching_text(query)).only("name", "phone_masked", "city")
    return [
        Entry(
            label=str(row),
            url=reverse("member_detail", args=[row.pk]),
            icon="user",
            hint=" · ".join(part for part in (_("Member"), row.phone_masked, row.city) if part),
        )
        for row in rows.order_by("name", "pk")[:MOST]
    ]


def _points_of_member(request: ConsoleRequest, member_id: int) -> tuple[str, dict[str, Any]] | None:
    """Balances, and what expires soon."""
    if not request.actor.may(Permission.LOYALTY_VIEW):
        return None
    now = clock.now()
    balances = points.balances(member_id=member_id, as_of=now)
    kinds = [kind for kind in points.every() if kind.pk in balances]
    soon = next((kind for kind in kinds if kind.spendable), None)
    expiring = (
        points_lots.expiring(member_id=member_id, currency_id=soon.pk, as_of=now, days=EXPIRING_DAYS) if soon else []
    )
    return "members/points_panel.html", {
        "member_id": member_id,
        "rows": [{"currency": kind, "balance": balances[kind.pk]} for kind in kinds],
        "expiring": expiring[:3],
        "expiring_name": soon.name if soon else "",
        "may_adjust": request.actor.may(Permission.POINTS_ADJUST),
    }


def find_points_pages(actor: Actor, query: str) -> list[Entry]:
    """The pages about points, by their names."""
    if not actor.may(Permission.LOYALTY_VIEW):
        return []
    pages = [
        (_("Points ledger"), "points_ledger", "coins"),
        (_("Points adjustments"), "adjustment_list", "adjustments-check"),
        (_("Kinds of points"), "currency_list", "coins"),
        (_("Points liability"), "points_liability", "scale"),
    ]
    wanted = query.strip().casefold()
    return [Entry(label, reverse(name), icon, _("Page")) for label, name, icon in pages if wanted in label.casefold()]


panels.register("member", "points", _points_of_member)
palette.register(find_members)
palette.register(find_points_pages)
panels.register("member", "benefits", benefit_panel.show)
panels.register("member", "tasks", checkins.panel)
