"""Every failure under /api/ is a problem document (RFC 9457) with a stable `code`."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.core.serializers.json import DjangoJSONEncoder
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views import defaults
from rest_framework import exceptions
from rest_framework.response import Response

from scrm.common.errors import DomainError
from scrm.common.transactions import given_up

logger = logging.getLogger("django.request")
MEDIA_TYPE = "application/problem+json"
# The API, and the tracking routes that other vendors' SDKs expect at the root.
_PREFIXES = ("/api/", "/v1/")
_CODES = {
    400: "bad_request",
    401: "not_authenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid",
    429: "too_many_requests",
    500: "internal_error",
}


def document(
    status: int,
    detail: str,
    *,
    code: str | None = None,
    errors: list[dict[str, Any]] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """The members of a problem document."""
    problem: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code or _CODES.get(status, "error"),
    }
    if errors:
        problem["errors"] = errors
    return problem | more


def exception_handler(error: Exception, context: dict[str, Any]) -> Response:
    """What the API answers when a view raises. Only what nobody foresaw is a 500, and that is logged."""
    headers: dict[str, str] = {}
    if isinstance(error, DomainError):
        field = error.detail.get("field")
        errors = [{"field": str(field), "code": error.code, "message": str(error.message)}] if field else None
        problem = document(error.status, str(error.message), code=error.code, errors=errors)
    elif isinstance(error, exceptions.ValidationError):
        problem = document(
            422, _("Some values are not valid."), code="invalid", errors=list(_flat(error.get_full_details()))
        )
    elif isinstance(error, exceptions.APIException):
        code = error.get_codes()
        detail = error.detail if isinstance(error.detail, str) else str(error)
        problem = document(error.status_code, detail, code=_known(code, error.status_code))
        if authenticate := getattr(error, "auth_header", None):
            headers["WWW-Authenticate"] = authenticate
        if (wait := getattr(error, "wait", None)) is not None:
            headers["Retry-After"] = str(max(1, round(wait)))
    elif isinstance(error, Http404):
        problem = document(404, _("There is nothing here."))
    elif isinstance(error, PermissionDenied):
        problem = document(403, _("You may not do this."))
    elif isinstance(error, RequestDataTooBig):
        problem = document(413, _("The request is too large."))
    elif isinstance(error, SuspiciousOperation):
        problem = document(400, _("The request is malformed."))
    elif given_up(error):
        # Nothing was written, and no answer is stored under an Idempotency-Key: the sender can simply repeat it.
        problem = document(409, _("Others are writing the same rows. Send it again."), code="busy")
        headers["Retry-After"] = "1"
    else:
        request = context.get("request")
        logger.error("API failure: %s", getattr(request, "path", ""), exc_info=error)
        problem = document(500, _("Something went wrong. It has been logged."))
    return Response(problem, status=problem["status"], headers=headers, content_type=MEDIA_TYPE)


def _known(code: Any, status: int) -> str:
    # Codes of our own (bad_key) are kept; the framework's generic ones become the table's.
    return code if isinstance(code, str) and code in {"bad_key", "parse_error"} else _CODES.get(status, "error")


def _flat(details: Any, path: str = "") -> Any:
    if isinstance(details, dict) and "message" in details and "code" in details:
        yield {"field": path, "code": str(details["code"]), "message": str(details["message"])}
    elif isinstance(details, dict):
        for key, inner in details.items():
            name = "" if key == "non_field_errors" else str(key)
            yield from _flat(inner, f"{path}.{name}" if path and name else path or name)
    elif isinstance(details, list):
        for index, inner in enumerate(details):
            flat = isinstance(inner, dict) and "message" in inner
            yield from _flat(inner, path if flat else f"{path}[{index}]")


def _answer(status: int, detail: str) -> HttpResponse:
    body = json.dumps(document(status, detail), cls=DjangoJSONEncoder, ensure_ascii=False)
    return HttpResponse(body, status=status, content_type=MEDIA_TYPE)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """`handler400` of the whole site: a problem document under /api/ and /v1/, the page elsewhere."""
    if request.path.startswith(_PREFIXES):
        return _answer(400, _("The request is malformed."))
    return defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """`handler403` of the whole site."""
    if request.path.startswith(_PREFIXES):
        return _answer(403, _("You may not do this."))
    return defaults.permission_denied(request, exception)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """`handler404` of the whole site."""
    if request.path.startswith(_PREFIXES):
        return _answer(404, _("There is nothing here."))
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """`handler500` of the whole site."""
    if request.path.startswith(_PREFIXES):
        return _answer(500, _("Something went wrong. It has been logged."))
    return defaults.server_error(request)
