"""What campaigns show on pages of lower apps: a member's messages, a segment's campaigns, palette entries."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from campaigns.queries import campaigns, messages
from scrm.common import dependents, palette, panels
from scrm.common.access import Actor, ConsoleRequest, Permission
from scrm.common.dependents import Dependent, Thing


def _messages_of_member(request: ConsoleRequest, member_id: int) -> tuple[str, dict[str, Any]] | None:
    if not request.actor.may(Permission.CAMPAIGNS_VIEW):
        return None
    rows = [
        {"message": row, "reason": messages.reason_label(row.reason) if row.reason else ""}
        for row in messages.of_member(member_id)
    ]
    return "campaigns/member_panel.html", {"rows": rows, "member_id": member_id}


def _campaigns_of_segment(segment_id: int) -> list[Dependent]:
    return [
        Dependent("campaign", campaign.name, reverse("campaign_detail", args=[campaign.pk]))
        for campaign in campaigns.using_segment(segment_id)
    ]


def _find(actor: Actor, query: str) -> list[palette.Entry]:
    if not actor.may(Permission.CAMPAIGNS_VIEW):
        return []
    return [
        palette.Entry(campaign.name, reverse("campaign_detail", args=[campaign.pk]), "send", _("Campaign"))
        for campaign in campaigns.list_all().filter(name__icontains=query).order_by("-pk")[:5]
    ]


panels.register("member", "messages", _messages_of_member)
dependents.register(Thing.SEGMENT, _campaigns_of_segment)
palette.register(_find)
