"""The audience beside a condition: reach per channel and some of its members; for the builder and the detail page."""

from __future__ import annotations

from typing import Any

from members.enums import Channel
from members.queries import directory
from scrm.common.access import ConsoleRequest, Permission
from tags.queries import segments

_PICTURES = {
    Channel.EMAIL: {"icon": "mail"},
    Channel.SMS: {"icon": "device-mobile"},
    Channel.WECOM: {"icon": "brand-wechat"},
    Channel.SANDBOX: {"icon": "device-mobile-message"},
}


def reach(found: segments.Preview) -> dict[str, Any]:
    """The template's `preview`, and `reach`: channels with how many of the audience each reaches."""
    return {
        "preview": found,
        "reach": [
            {"label": channel.label, "count": found.reachable[channel.value], **_PICTURES[channel]}
            for channel in segments.REACH_CHANNELS
        ],
    }


def sample(request: ConsoleRequest, found: segments.Preview) -> dict[str, Any]:
    """`sample`: up to five of the audience, none for who may not see members."""
    if not request.actor.may(Permission.MEMBERS_VIEW):
        return {"sample": []}
    rows = directory.visible(request.actor).filter(pk__in=found.sample_ids).select_related("summary")
    return {"sample": sorted(rows, key=lambda row: -row.pk)}
