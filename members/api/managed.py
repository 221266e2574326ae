"""What views share that many may read and few may change: the programme, custom fields, event types."""

from __future__ import annotations

from typing import Any, ClassVar

from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from scrm.api import problems
from scrm.api.views import ApiView
from scrm.common.access import Permission
from scrm.common.conditions import BadCondition
from scrm.common.errors import Forbidden


class ManagedView(ApiView):
    """Everybody who has `permission` reads; changing takes one of `writes`.

    As it stands: who sees the membership programme reads it, who configures it writes.
    """

    permission = Permission.LOYALTY_VIEW
    writes: ClassVar[tuple[Permission, ...]] = (Permission.LOYALTY_MANAGE,)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        reads = request.method in ("GET", "HEAD", "OPTIONS")
        if not reads and not any(self.actor.may(permission) for permission in self.writes):
            raise Forbidden(_("You may not do this."), code="forbidden")


class ConditionedView(ManagedView):
    """The same for what holds a `condition`: its faults are told at their pointers below it."""

    def handle_exception(self, exc: Exception) -> Response:
        if not isinstance(exc, BadCondition):
            return super().handle_exception(exc)
        errors = [
            {"field": f"condition{fault['path']}", "code": fault["code"], "message": fault["message"]}
            for fault in exc.detail["errors"]
        ]
        body = problems.document(exc.status, str(exc.message), code=exc.code, errors=errors)
        return Response(body, status=exc.status, content_type=problems.MEDIA_TYPE)
