"""What the API's lists of tags and of segments share."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from scrm.api import problems
from scrm.api.pagination import KeysetListView
from scrm.common.access import Permission
from scrm.common.conditions import BadCondition
from scrm.common.errors import Forbidden


class WritableList(KeysetListView):
    """A list to which POST adds; adding asks for a permission of its own."""

    write_permission: Permission

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method == "POST" and not self.actor.may(self.write_permission):
            raise Forbidden(_("You may not do this."), code="forbidden")

    def handle_exception(self, exc: Exception) -> Response:
        return condition_problem(exc) or super().handle_exception(exc)


def condition_problem(error: Exception) -> Response | None:
    """Every fault of a condition, each at its JSON pointer."""
    if not isinstance(error, BadCondition):
        return None
    errors = [
        {"field": fault["path"], "code": fault["code"], "message": fault["message"]} for fault in error.detail["errors"]
    ]
    body = problems.document(error.status, str(error.message), code=error.code, errors=errors)
    return Response(body, status=error.status, content_type=problems.MEDIA_TYPE)
