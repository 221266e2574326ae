"""Every page of the console, by name: what the tour visits and the pictures show."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from playwright.sync_api import Page

from tests.journeys.conftest import Product, call

# The member whose pages are visited: one of those to whom the demo gives tasks, check-ins and claims.
MEMBER = 15


@dataclass
class Links:
    """What the pages link to. Each is opened once, be it for its links or for the tour."""

    page: Page
    product: Product
    found: dict[str, list[str]] = field(default_factory=dict)

    def on(self, path: str) -> list[str]:
        if path not in self.found:
            self.page.goto(self.product.url(path))
            self.keep(path)
        return self.found[path]

    def keep(self, path: str) -> None:
        """Read the links of the page that is open."""
        links = self.page.locator("main a[href]")
        self.found[path] = links.evaluate_all("links => links.map(link => link.getAttribute('href'))")

    def own(self) -> str:
        """The member's own page, by a link made for it."""
        if "own" not in self.found:
            self.page.goto(self.product.url("/"))
            made = call(self.page, f"members/{MEMBER}/link", {"days": 1})
            self.found["own"] = [f"/{str(made['url']).split('/', 3)[3]}"]
        return self.found["own"][0]


# name → path, or a function that finds it on a page that links to it.
Address = str | Callable[[Links], str]


def linked(listing: str, pattern: str, *, instead: str = "") -> Address:
    """The first link on a page whose path is like this; `instead`: what follows the number that was found."""

    def find(links: Links) -> str:
        return f"{next(href for href in links.on(listing) if re.fullmatch(pattern, href))}{instead}"

    return find


def compared(links: Links) -> str:
    """The overlap of the first three segments."""
    ids = dict.fromkeys(
        found[1] for href in links.on("/segments/") if (found := re.fullmatch(r"/segments/(\d+)/", href))
    )
    return "/segments/overlap/?" + "&".join(f"id={key}&in={key}" for key in list(ids)[:3])


def own(path: str = "", pattern: str = "") -> Address:
    """A page of the member's own; `pattern`: the first link on it that is like this."""

    def find(links: Links) -> str:
        address = f"{links.own()}{path}"
        return next(href for href in links.on(address) if re.fullmatch(pattern, href)) if pattern else address

    return find


PAGES: dict[str, Address] = {
    "dashboard": "/",
    "members": "/members/",
    "member": linked("/members/", r"/members/\d+/"),
    "tags": "/tags/",
    "tag": linked("/tags/", r"/tags/\d+/"),
    "tag-edit": linked("/tags/", r"/tags/\d+/", instead="edit/"),
    "tag-merge": linked("/tags/", r"/tags/\d+/", instead="merge/"),
    "tag-merge-preview": "/tags/1/merge/?into=2",
    "tag-new": "/tags/new/",
    "tag-group-new": "/tags/groups/new/",
    "tag-by-list": "/tags/by-list/",
    "tag-mapping": "/tags/wecom/",
    "tag-rules": "/tags/rules/",
    "tag-rule": linked("/tags/rules/", r"/tags/rules/\d+/"),
    "tag-rule-edit": linked("/tags/rules/", r"/tags/rules/\d+/", instead="edit/"),
    "tag-rule-new": "/tags/rules/new/",
    "tag-rule-new-condition": "/tags/rules/new/?form=condition",
    "tag-rule-new-keyword": "/tags/rules/new/?form=keyword",
    "tag-rule-new-interest": "/tags/rules/new/?form=interest",
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
    "rfm-model-new": "/rfm/models/new/",
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
    "points-ledger": "/points/",
    "member-points": f"/points/members/{MEMBER}/",
    "points-adjust": f"/points/members/{MEMBER}/adjust/",
    "adjustments": "/points/adjustments/",
    "currencies": "/points/currencies/",
    "currency-new": "/points/currencies/new/",
    "currency-edit": "/points/currencies/points/",
    "points-liability": "/points/liability/",
    "earning": "/earning/",
    "earning-rule": linked("/earning/", r"/earning/\d+/"),
    "earning-rule-edit": linked("/earning/", r"/earning/\d+/", instead="edit/"),
    "earning-rule-new": "/earning/new/",
    "earning-order": linked(f"/members/{MEMBER}/?tab=orders", r"/earning/orders/[0-9a-f-]+/"),
    "tiers": "/tiers/",
    "tier-edit": "/tiers/edit/",
    "member-tier": f"/members/{MEMBER}/tier/",
    "plans": "/memberships/",
    "plan-new": "/memberships/new/",
    "plan-edit": linked("/memberships/", r"/memberships/(?!new/)[^/]+/"),
    "benefits": "/benefits/",
    "benefit": linked("/benefits/", r"/benefits/\d+/"),
    "benefit-edit": linked("/benefits/", r"/benefits/\d+/", instead="edit/"),
    "benefit-new": "/benefits/new/",
    "benefit-redeem": "/benefits/redeem/",
    "partners": "/benefits/partners/",
    "partner-new": "/benefits/partners/new/",
    "partner": linked("/benefits/partners/", r"/benefits/partners/\d+/"),
    "settlement": linked("/benefits/partners/", r"/benefits/partners/\d+/", instead="settlement/"),
    "tasks": "/tasks/",
    "task-map": "/tasks/map/",
    "task": linked("/tasks/", r"/tasks/\d+/"),
    "task-edit": linked("/tasks/", r"/tasks/\d+/", instead="edit/"),
    "task-new": "/tasks/new/",
    "member-task": linked(f"/members/{MEMBER}/", r"/members/\d+/tasks/\d+/"),
    "checkins": "/tasks/checkins/",
    "checkin": linked("/tasks/checkins/", r"/tasks/checkins/\d+/"),
    "checkin-new": "/tasks/checkins/new/",
    "my-card": own(),
    "my-points": own("points/"),
    "my-benefits": own("benefits/"),
    "my-benefit-code": own("benefits/", r"/my/[^/]+/benefits/[0-9a-f-]+/"),
    "my-tasks": own("tasks/"),
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
