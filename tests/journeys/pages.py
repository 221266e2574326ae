"""Every page of the console, by name: what the tour visits and the pictures show."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page

# name → path, or a function that finds the address on a page that links to it.
Address = str | Callable[[Page, Callable[[str], str]], str]


def first_link(listing: str, selector: str) -> Address:
    def find(page: Page, url: Callable[[str], str]) -> str:
        page.goto(url(listing))
        href = page.locator(selector).first.get_attribute("href")
        assert href is not None
        return href

    return find


PAGES: dict[str, Address] = {
    "dashboard": "/",
    "members": "/members/",
    "member": first_link("/members/", "main tbody a[href^='/members/']"),
    "tags": "/tags/",
    "tag": first_link(
        "/tags/",
        "main a[href^='/tags/']:not([href*='new']):not([href*='by-list'])"
        ":not([href*='rules']):not([href*='wecom']):not([href*='groups'])",
    ),
    "tag-new": "/tags/new/",
    "tag-by-list": "/tags/by-list/",
    "tag-mapping": "/tags/wecom/",
    "tag-rules": "/tags/rules/",
    "tag-rule": first_link("/tags/rules/", "main a[href^='/tags/rules/']:not([href*='new']):not([href*='presets'])"),
    "tag-rule-new": "/tags/rules/new/",
    "model-tags": "/model-tags/",
    "attributes": "/attributes/",
    "attribute-new": "/attributes/new/",
    "event-types": "/event-types/",
    "event-type-new": "/event-types/new/",
    "segments": "/segments/",
    "segment-templates": "/segments/templates/",
    "segment-overlap": "/segments/overlap/",
    "segment-list-new": "/segments/lists/new/",
    "segment": first_link("/segments/", "main a[href^='/segments/']:not([href$='/new/'])"),
    "segment-builder": "/segments/new/",
    "rfm": "/rfm/",
    "rfm-models": "/rfm/models/",
    "rfm-alerts": "/rfm/alerts/",
    "lifecycle": "/lifecycle/",
    "lifecycle-moves": "/lifecycle/moves/",
    "campaigns": "/campaigns/",
    "campaign": first_link("/campaigns/", "main a[href^='/campaigns/']:not([href$='/new/']):not([href*='accounts'])"),
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
