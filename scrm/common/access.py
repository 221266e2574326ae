"""Who may do what, and whose data they see.

Every route declares one `Permission`; a role holds a fixed set of them; an API key holds a list of them as scopes.
Whose members an actor sees is the `DataScope`, applied by `members.queries.scopes`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest
from django.http.response import HttpResponseBase, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _
from django_htmx.middleware import HtmxDetails


class Role(models.TextChoices):
    ADMIN = "admin", _("Administrator")
    OPERATOR = "operator", _("Operator")
    STORE_STAFF = "store_staff", _("Store staff")
    AUDITOR = "auditor", _("Auditor")


class DataScope(models.TextChoices):
    ALL = "all", _("All members")
    REGION = "region", _("Members of their region")
    STORE = "store", _("Members of their store")
    OWN = "own", _("Their own members")


class Permission(models.TextChoices):
    """What a route asks for; also the scopes of an API key."""

    HOME = "home", _("Open the console")
    MEMBERS_VIEW = "members.view", _("See members")
    MEMBERS_EDIT = "members.edit", _("Change members")
    MEMBERS_REVEAL = "members.reveal", _("Reveal personal data")
    FACTS_WRITE = "facts.write", _("Send orders and events")
    IMPORT = "import", _("Import files")
    EXPORT = "export", _("Export lists")
    TAGS_VIEW = "tags.view", _("See tags")
    TAGS_EDIT = "tags.edit", _("Put tags on members and take them off")
    TAGS_MANAGE = "tags.manage", _("Manage tags, tag groups and tag rules")
    SEGMENTS_VIEW = "segments.view", _("See segments")
    SEGMENTS_EDIT = "segments.edit", _("Change segments")
    ANALYTICS_VIEW = "analytics.view", _("See analytics")
    ANALYTICS_RUN = "analytics.run", _("Run and configure analytics")
    CAMPAIGNS_VIEW = "campaigns.view", _("See campaigns")
    CAMPAIGNS_EDIT = "campaigns.edit", _("Prepare campaigns")
    CAMPAIGNS_SEND = "campaigns.send", _("Start and stop campaigns")
    LOYALTY_VIEW = "loyalty.view", _("See points, tiers, benefits and tasks")
    LOYALTY_MANAGE = "loyalty.manage", _("Configure points, tiers, benefits and tasks")
    POINTS_WRITE = "points.write", _("Book points")
    POINTS_ADJUST = "points.adjust", _("Adjust points by hand, and approve adjustments")
    BENEFITS_REDEEM = "benefits.redeem", _("Redeem benefits")
    AUDIT_VIEW = "audit.view", _("Read the audit log")
    SETTINGS = "settings", _("Manage users, keys and settings")


_VIEWS = {
    Permission.HOME,
    Permission.MEMBERS_VIEW,
    Permission.TAGS_VIEW,
    Permission.SEGMENTS_VIEW,
    Permission.ANALYTICS_VIEW,
    Permission.CAMPAIGNS_VIEW,
    Permission.LOYALTY_VIEW,
}
# What the programme costs is decided by administrators; systems book points with keys of their own.
_ADMINISTRATORS = {
    Permission.SETTINGS, Permission.AUDIT_VIEW, Permission.LOYALTY_MANAGE, Permission.POINTS_WRITE,
}  # fmt: skip
ROLE_PERMISSIONS: dict[str, frozenset[Permission]] = {
    Role.ADMIN: frozenset(Permission),
    Role.OPERATOR: frozenset(set(Permission) - _ADMINISTRATORS),
    Role.STORE_STAFF: frozenset(
        {
            Permission.HOME,
            Permission.MEMBERS_VIEW,
            Permission.MEMBERS_EDIT,
            Permission.TAGS_VIEW,
            Permission.TAGS_EDIT,
            Permission.LOYALTY_VIEW,
            Permission.BENEFITS_REDEEM,
        }
    ),
    Role.AUDITOR: frozenset(_VIEWS | {Permission.AUDIT_VIEW}),
}


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a console user, an API key, or the system itself."""

    kind: str  # "user", "key" or "system"
    id: int | None
    name: str
    permissions: frozenset[Permission]
    scope: DataScope = DataScope.ALL
    region_id: int | None = None
    store_id: int | None = None
    staff_id: int | None = None

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions

    @property
    def ref(self) -> str:
        """How the audit log names the actor: `user:7`, `key:3`, `system`."""
        return self.kind if self.id is None else f"{self.kind}:{self.id}"


SYSTEM = Actor(kind="system", id=None, name="system", permissions=frozenset(Permission))


class ConsoleRequest(HttpRequest):
    """What a page view gets: a request with its actor (set by the middleware) and htmx details."""

    actor: Actor
    htmx: HtmxDetails


def page(*, allow: Permission | None) -> Callable[[Callable[..., HttpResponseBase]], Callable[..., HttpResponseBase]]:
    """Declare what a page asks for. `None` is for the few pages that anybody may open (a tracking pixel, health).

    Guarantees: without a login, the login page; without the permission, 403. `request.actor` is set by the middleware.
    """

    def decorate(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        @functools.wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if allow is not None:
                actor: Actor | None = getattr(request, "actor", None)
                if actor is None:
                    query = urlencode({"next": request.get_full_path()})
                    return HttpResponseRedirect(f"{resolve_url(settings.LOGIN_URL)}?{query}")
                if not actor.may(allow):
                    raise PermissionDenied
            return view(request, *args, **kwargs)

        guarded.permission = allow  # type: ignore[attr-defined]  # read by tests/architecture
        return guarded

    return decorate
