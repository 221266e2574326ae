"""Every page of the console, by name: what the tour visits and the pictures show."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page

# name → path, or a function that finds the address on a page that links to it.
Address = str | Callable[[Page, Callable[[str], str]], str]


def linked(listing: str, pattern: str, *, instead: str = "") -> Address:
    """The first link on a page whose path is like this; `instead`: what follows the number that was found."""

    def find(page: Page, url: Callable[[str], str]) -> str:
        page.goto(url(listing))
        hrefs = page.locator("main a[href]").evaluate_all("links => links.map(link => link.getAttribute('href'))")
        found = next(href for href in hrefs if re.fullmatch(pattern, href))
        return f"{found}{instead}"

    return find


def compared(page: Page, url: Callable[[str], str]) -> str:
    """The overlap of the first three segments."""
    page.goto(url("/segments/"))
    hrefs = page.locator("main a[href]").evaluate_all("links => links.map(link => link.getAttribute('href'))")
    ids = dict.fromkeys(found[1] for href in hrefs if (found := re.fullmatch(r"/segments/(\d+)/", href)))
    return "/segments/overlap/?" + "&".join(f"id={key}&in={key}" for key in list(ids)[:3])


PAGES: dict[str, Address] = {
    "dashboard": "/",
    "members": "/members/",
    "member": linked("/members/", r"/members/\d+/"),
    "tags": "/tags/",
    "tag": linked("/tags/", r"/tags/\d+/"),
    "tag-edit": linked("/tags/", r"/tags/\d+/", instead="edit/"),
    "tag-merge": linked("/tags/", r"/tags/\d+/", instead="merge/"),
    "tag-new": "/tags/new/",
    "tag-group-new": "/tags/groups/new/",
    "tag-by-list": "/tags/by-list/",
    "tag-mapping": "/tags/wecom/",
    "tag-rules": "/tags/rules/",
    "tag-rule": linked("/tags/rules/", r"/tags/rules/\d+/"),
    "tag-rule-edit": linked("/tags/rules/", r"/tags/rules/\d+/", instead="edit/"),
    "tag-rule-new": "/tags/rules/new/",
    "model-tags": "/model-tags/",
    "attributes": "/attributes/",
    "attribute-new": "/attributes/new/",
    "event-types": "/event-types/",
    "event-type": linked("/event-types/", r"/event-types/\d+/"),
    "event-type-new": "/event-types/new/",
    "segments": "/segments/",
    "segment-templates": "/segments/templates/",
    "segment-overlap": compared,
    "segment-list-new": "/segments/lists/new/",
    "segment": linked("/segments/", r"/segments/\d+/"),
    "segment-builder": linked("/segments/", r"/segments/\d+/", instead="edit/"),
    "segment-new": "/segments/new/",
    "rfm": "/rfm/",
    "rfm-definition": linked("/rfm/", r"/rfm/\d+/definition/"),
    "rfm-migration": linked("/rfm/", r"/rfm/\d+/migration/"),
    "rfm-versions": linked("/rfm/", r"/rfm/\d+/versions/"),
    "rfm-models": "/rfm/models/",
    "rfm-alerts": "/rfm/alerts/",
    "lifecycle": "/lifecycle/",
    "lifecycle-limits": "/lifecycle/limits/",
    "lifecycle-moves": "/lifecycle/moves/",
    "campaigns": "/campaigns/",
    "campaign": linked("/campaigns/", r"/campaigns/\d+/"),
    "campaign-new": "/campaigns/new/",
    "templates": "/templates/",
    "sandbox": "/sandbox/",
    "channels": "/channels/",
    "imports": "/imports/",
    "import-new": "/imports/new/",
    "jobs": "/jobs/",
    "notifications": "/notifications/",
    "audit": "/audit/",
    "users": "/users/",
    "user-new": "/users/new/",
    "stores": "/stores/",
    "api-keys": "/api-keys/",
    "profile": "/profile/",
    "api-docs": "/api/docs/",
}
