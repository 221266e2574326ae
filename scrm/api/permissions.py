"""Every API view declares one `permission`; a view without one is closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from scrm.common.access import Actor, DataScope, Permission

if TYPE_CHECKING:  # the framework's views import the classes named in the settings
    from rest_framework.views import APIView

_UNDECLARED = object()


class RoutePermission(BasePermission):
    """The caller holds the permission that the view declares. `None` opens a view to anybody."""

    message = _("You may not do this.")

    def has_permission(self, request: Request, view: APIView) -> bool:
        permission = getattr(view, "permission", _UNDECLARED)
        if permission is None:
            return True
        actor: Actor | None = getattr(request._request, "actor", None)
        if actor is None or not isinstance(permission, Permission) or not actor.may(permission):
            return False
        # Facts name any member; who sees only some of them may not write about the others.
        return permission is not Permission.FACTS_WRITE or actor.scope == DataScope.ALL
