"""The pages about tags, as tabs over each of them."""

from __future__ import annotations

from typing import Any

from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _


def sections(active: str) -> list[dict[str, Any]]:
    """The tabs; `active` is one of tags, rules, models, wecom."""
    tabs = [
        ("tags", _("Tags"), "tag_list"),
        ("rules", _("Automatic rules"), "rule_list"),
        ("models", _("Model tags"), "model_tags"),
        ("wecom", _("WeCom mapping"), "tag_mapping"),
    ]
    found = []
    for key, label, name in tabs:
        try:
            address = reverse(name)
        except NoReverseMatch:
            # A page of a higher app that this installation does not have.
            continue
        found.append({"label": label, "href": address, "active": key == active})
    return found
