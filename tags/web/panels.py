"""What tags show on other apps' pages: the tag panel of a member, the palette's segments."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from scrm.common import condition_editors, palette, panels
from scrm.common.access import Actor, ConsoleRequest, Permission
from tags.queries import segments
from tags.queries import tagging as tag_queries
from tags.web import condition_builder, tagging


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


def _find_tags(actor: Actor, query: str) -> list[palette.Entry]:
    if not actor.may(Permission.TAGS_VIEW):
        return []
    return [
        palette.Entry(tag.name, reverse("tag_detail", args=[tag.pk]), "tag", f"{_('Tag')} · {tag.group.name}")
        for tag in tag_queries.in_use().filter(name__icontains=query.replace("\0", ""))[:5]
    ]


condition_editors.register(condition_builder.context)
panels.register("member", "tags", _member)
palette.register(_find)
palette.register(_find_tags)
