"""Typed failures. A page shows `message`; the API answers a problem document with `code`."""

from __future__ import annotations

from typing import Any

from django.utils.functional import Promise


class DomainError(Exception):
    """Something the caller asked for cannot be done, for a reason the caller can act on.

    `code` is stable and machine-readable; `message` is for people; `detail` names the field, the leaf or the row.
    """

    code = "invalid"
    status = 400

    def __init__(self, message: str | Promise, *, code: str | None = None, **detail: Any) -> None:
        super().__init__(str(message))
        self.message = message
        self.detail = detail
        if code is not None:
            self.code = code


class NotFound(DomainError):
    code = "not_found"
    status = 404


class Conflict(DomainError):
    """The thing changed, or is in a state that does not allow this."""

    code = "conflict"
    status = 409


class Forbidden(DomainError):
    code = "forbidden"
    status = 403


class Invalid(DomainError):
    """A value is not acceptable; `field` names it."""

    code = "invalid"
    status = 422
