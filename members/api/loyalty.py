"""What views share that configure the membership programme."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from rest_framework.request import Request

from scrm.api.views import ApiView
from scrm.common.access import Permission
from scrm.common.errors import Forbidden


class ManagedView(ApiView):
    """Everybody who sees the programme reads it; changing it takes `loyalty.manage`."""

    permission = Permission.LOYALTY_VIEW

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method not in ("GET", "HEAD", "OPTIONS") and not self.actor.may(Permission.LOYALTY_MANAGE):
            raise Forbidden(_("You may not do this."), code="forbidden")
