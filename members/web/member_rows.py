"""The rows of the member list as HTML.

A row is a pattern that is drawn from its template once per page, with the labels in the reader's language, and then
filled for each member: a template loop would look up and escape a thousand values one node at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from members.models import Member
from scrm.common import display, panels

SHOWN_TAGS = 3


def render_rows(members: Iterable[Member]) -> SafeString:
    """Table rows for members as `directory.page` gives them. Every value is escaped."""
    pattern = render_to_string("members/member_row.html")
    before, _, after = reverse("member_detail", args=[0]).rpartition("0")
    return mark_safe(  # noqa: S308  # joined from rows that format_html escaped
        "".join(format_html(pattern, href=f"{before}{member.pk}{after}", **_values(member)) for member in members)
    )


def _values(member: Any) -> dict[str, Any]:
    summary = getattr(member, "summary", None)
    shown = member.shown
    return {
        "number": member.pk,
        "called": member,
        "gender": member.gender or "u",
        "initial": member.name[:1] or "#",
        "name": member.name or display.MISSING,
        "contact": member.phone_masked or member.email_masked,
        "city": member.city or display.MISSING,
        "store": format_html('<small class="sub">{}</small>', member.store.name) if member.store else "",
        "stage": _badges([*(shown.get("stage") or ()), *(shown.get("rfm") or ())]),
        "tier": _badges(shown.get("tier") or ()),
        "tags": _badges(_fewer(shown.get("tags") or ())),
        "orders": display.integer(summary.order_count if summary else 0),
        "net": display.money(summary.net_amount if summary else 0),
        "last_order": display.ago(summary.last_order_at if summary else None),
        "joined": display.day(member.joined_at),
        "owner": (member.owner.name if member.owner else "") or display.MISSING,
    }


def _fewer(tags: Sequence[panels.Badge]) -> Sequence[panels.Badge]:
    """The first tags, and how many others there are."""
    hidden = tags[SHOWN_TAGS:]
    if not hidden:
        return tags
    rest = panels.Badge(f"+{len(hidden)}", title=", ".join(str(badge.label) for badge in hidden))
    return [*tags[:SHOWN_TAGS], rest]


def _badges(badges: Sequence[panels.Badge]) -> SafeString:
    return mark_safe(" ".join(_badge(str(badge.label), badge.tone, str(badge.title)) for badge in badges))  # noqa: S308


@lru_cache(maxsize=4_096)
def _badge(label: str, tone: str, title: str) -> SafeString:
    return format_html('<span class="badge tone-{}" title="{}">{}</span>', tone, title, label)
