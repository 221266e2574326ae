"""What every API view starts from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from scrm.common import clock, idempotency
from scrm.common.access import Actor, Permission
from scrm.common.transactions import acting_as


def valid(serializer: BaseSerializer[Any]) -> dict[str, Any]:
    """What a serializer was given, checked. Raises the framework's `ValidationError`."""
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


class ApiView(APIView):
    """An API view: declares `permission`, writes as its caller, and does a POST with an Idempotency-Key once.

    `self.actor` is the caller. A subclass validates, makes one domain call and answers.
    """

    permission: ClassVar[Permission | None]
    actor: Actor

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The base class's steps, with the handler run as the caller and, under an Idempotency-Key, once."""
        self.args, self.kwargs = args, kwargs
        self.request = self.initialize_request(request, *args, **kwargs)
        self.headers = self.default_response_headers
        response: Any  # any of Django's; the framework's types only know its own
        try:
            self.initial(self.request, *args, **kwargs)
            response = self._run(self.request, *args, **kwargs)
        except Exception as error:
            response = self.handle_exception(error)
        self.response = self.finalize_response(self.request, response, *args, **kwargs)
        return self.response

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if (actor := getattr(request._request, "actor", None)) is not None:
            self.actor = actor

    def _run(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        method = (request.method or "").lower()
        handler: Callable[..., HttpResponseBase] = self.http_method_not_allowed
        if method in self.http_method_names:
            handler = getattr(self, method, handler)
        actor = getattr(self, "actor", None)
        if actor is None:
            return handler(request, *args, **kwargs)
        with acting_as(actor):
            key = request.headers.get("Idempotency-Key")
            if method == "post" and key is not None and hasattr(self, "post"):
                return self._once(handler, key, request, *args, **kwargs)
            return handler(request, *args, **kwargs)

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
