"""What every API view starts from."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from scrm.common import clock, idempotency
from scrm.common.access import Actor, Permission
from scrm.common.transactions import acting_as


class ApiView(APIView):
    """An API view: declares `permission`, writes as its caller, and does a POST with an Idempotency-Key once.

    `self.actor` is the caller. A subclass validates, makes one domain call and answers.
    """

    permission: ClassVar[Permission | None]
    actor: Actor

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        with ExitStack() as self._during:
            return super().dispatch(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        actor = getattr(request._request, "actor", None)
        if actor is None:
            return
        self.actor = actor
        self._during.enter_context(acting_as(actor))
        key = request.headers.get("Idempotency-Key")
        handler = getattr(self, "post", None)
        if request.method == "POST" and key is not None and handler is not None:
            self.post = functools.partial(self._once, handler, key)

    def _once(
        self, handler: Callable[..., HttpResponseBase], key: str, request: Request, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Run the handler under the key, effect and answer in one transaction."""

        def work() -> tuple[int, bytes]:
            response = handler(request, *args, **kwargs)
            if isinstance(response, Response):
                response = self.finalize_response(request, response, *args, **kwargs)
                response.render()
            assert isinstance(response, HttpResponse)  # noqa: S101  # streams do not answer a POST
            return response.status_code, response.content

        answer = idempotency.once(
            actor=self.actor.ref,
            key=key,
            method_path=f"{request.method} {request.path}",
            body=request._request.body,
            work=work,
            now=clock.now(),
        )
        response = HttpResponse(answer.body, status=answer.status, content_type="application/json")
        if answer.replayed:
            response["Idempotent-Replayed"] = "true"
        return response
