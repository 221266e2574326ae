"""The pages about tags, as tabs over each of them."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from scrm.common.access import Actor, Permission


def sections(actor: Actor, active: str) -> list[dict[str, Any]]:
    """The tabs that the actor may open; `active` is one of tags, rules, models, wecom."""
    tabs = [
        ("tags", _("Tags"), "tag_list", Permission.TAGS_VIEW),
        ("rules", _("Automatic rules"), "rule_list", Permission.TAGS_VIEW),
        ("models", _("Model tags"), "model_tags", Permission.ANALYTICS_VIEW),
        ("wecom", _("WeCom mapping"), "tag_mapping", Permission.TAGS_VIEW),
    ]
    return [
        {"label": label, "href": reverse(name), "active": key == active}
        for key, label, name, permission in tabs
        if actor.may(permission)
    ]
