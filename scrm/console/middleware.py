"""Puts the actor on the request, and behind every write of the request."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.views import defaults

from members.queries import scopes
from scrm.common.errors import DomainError
from scrm.common.transactions import acting_as


class ActorMiddleware:
    """`request.actor` is the console user's `Actor`, or None before login. API keys are resolved by the API itself."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith("/api/v1/"):
            return self.get_response(request)
        user = request.user
        actor = scopes.actor_of(user) if user.is_authenticated else None
        request.actor = actor  # type: ignore[attr-defined]
        if actor is None:
            return self.get_response(request)
        with acting_as(actor):
            return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """A typed failure that a page did not catch is the reader's mistake, never ours: 404, 403 or 400."""
        if not isinstance(exception, DomainError):
            return None
        if exception.status == 404:
            return defaults.page_not_found(request, exception)
        if exception.status == 403:
            return defaults.permission_denied(request, exception)
        return defaults.bad_request(request, exception)
