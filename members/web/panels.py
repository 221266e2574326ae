"""What members add to other pages: the palette finds them; their own page has panels."""

from __future__ import annotations

from django.urls import reverse
from django.utils.translation import gettext as _

from members.queries import criteria, directory
from members.web import checkins
from scrm.common import palette, panels
from scrm.common.access import Actor, Permission
from scrm.common.palette import Entry

MOST = 6


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


palette.register(find_members)
panels.register("member", "tasks", checkins.panel)
