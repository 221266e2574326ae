"""The sidebar: which pages there are, in the order of the loop that the product closes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from scrm.common.access import Actor, Permission


@dataclass(frozen=True, slots=True)
class Item:
    label: str | Promise
    url_name: str
    icon: str
    permission: Permission


GROUPS: list[tuple[str | Promise, list[Item]]] = [
    (
        _("Overview"),
        [
            Item(_("Dashboard"), "dashboard", icon="layout-dashboard", permission=Permission.HOME),
            Item(_("Task centre"), "job_list", icon="list-check", permission=Permission.HOME),
        ],
    ),
    (
        _("Members"),
        [
            Item(_("Members"), "member_list", icon="users", permission=Permission.MEMBERS_VIEW),
            Item(_("Imports"), "import_list", icon="file-import", permission=Permission.IMPORT),
            Item(_("Tags"), "tag_list", icon="tags", permission=Permission.TAGS_VIEW),
            Item(_("Segments"), "segment_list", icon="filter", permission=Permission.SEGMENTS_VIEW),
        ],
    ),
    (
        _("Membership"),
        [
            Item(_("Points"), "points_ledger", icon="coins", permission=Permission.LOYALTY_VIEW),
            Item(_("Earning rules"), "earning_list", icon="coin-yuan", permission=Permission.LOYALTY_VIEW),
            Item(_("Tiers"), "tier_list", icon="medal", permission=Permission.LOYALTY_VIEW),
            Item(_("Paid memberships"), "plan_list", icon="crown", permission=Permission.LOYALTY_VIEW),
            Item(_("Benefits"), "benefit_list", icon="gift", permission=Permission.LOYALTY_VIEW),
            Item(_("Tasks and check-in"), "task_list", icon="target", permission=Permission.LOYALTY_VIEW),
        ],
    ),
    (
        _("Insight"),
        [
            Item(_("RFM"), "rfm", icon="grid-dots", permission=Permission.ANALYTICS_VIEW),
            Item(_("Lifecycle"), "lifecycle", icon="recycle", permission=Permission.ANALYTICS_VIEW),
            Item(_("Model tags"), "model_tags", icon="brain", permission=Permission.ANALYTICS_VIEW),
        ],
    ),
    (
        _("Reach"),
        [
            Item(_("Campaigns"), "campaign_list", icon="send", permission=Permission.CAMPAIGNS_VIEW),
            Item(_("Templates"), "template_list", icon="template", permission=Permission.CAMPAIGNS_VIEW),
            Item(
                _("Sandbox"),
                "sandbox_inbox",
                icon="device-mobile-message",
                permission=Permission.CAMPAIGNS_VIEW,
            ),
            Item(_("Channels"), "account_list", icon="plug", permission=Permission.SETTINGS),
        ],
    ),
    (
        _("System"),
        [
            Item(_("Audit log"), "audit_list", icon="history", permission=Permission.AUDIT_VIEW),
            Item(_("Users and roles"), "user_list", icon="user-cog", permission=Permission.SETTINGS),
            Item(_("Stores"), "store_list", icon="building-store", permission=Permission.SETTINGS),
            Item(_("Custom fields"), "attribute_list", icon="forms", permission=Permission.SETTINGS),
            Item(_("Event types"), "event_type_list", icon="activity", permission=Permission.SETTINGS),
            Item(_("API keys"), "api_key_list", icon="key", permission=Permission.SETTINGS),
        ],
    ),
]


def for_request(request: HttpRequest, actor: Actor) -> list[dict[str, Any]]:
    """The groups and items that the actor may open; the current one is marked."""
    groups = []
    for label, items in GROUPS:
        shown = [
            {"label": item.label, "url": url, "icon": item.icon, "active": _is_current(request.path, url)}
            for item in items
            if actor.may(item.permission)
            for url in [reverse(item.url_name)]
        ]
        if shown:
            groups.append({"label": label, "items": shown})
    return groups


def _is_current(path: str, url: str) -> bool:
    return path == url if url == "/" else path.startswith(url)
