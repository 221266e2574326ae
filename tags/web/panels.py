"""What tags show on other apps' pages: the tag panel of a member, the palette's segments."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from scrm.common import palette, panels
from scrm.common.access import Actor, ConsoleRequest, Permission
from tags.queries import segments
from tags.web import tagging


def _member(request: ConsoleRequest, member_id: int) -> tuple[str, dict[str, Any]] | None:
    if not request.actor.may(Permission.TAGS_VIEW):
        return None
    return "tags/member_panel.html", tagging.panel_context(request, member_id)


def _find(actor: Actor, query: str) -> list[palette.Entry]:
    if not actor.may(Permission.SEGMENTS_VIEW):
        return []
    return [
        palette.Entry(segment.name, reverse("segment_detail", args=[segment.pk]), "filter", _("Segment"))
        for segment in segments.listed(search=query.replace("\0", "")).order_by("name")[:5]
    ]


panels.register("member", "tags", _member)
palette.register(_find)
