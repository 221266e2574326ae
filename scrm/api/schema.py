"""The OpenAPI 3.1 description: keys, problem documents, idempotency, keyset pages and msgspec shapes."""

from __future__ import annotations

import inspect
from typing import Any

import msgspec
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, inline_serializer
from rest_framework import serializers
from rest_framework.serializers import Serializer

from scrm.api.pagination import KeysetListView

_PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "A failure (RFC 9457).",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "For people, in the caller's language."},
        "code": {"type": "string", "description": "Stable and machine-readable."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "code", "message"],
                "properties": {
                    "field": {"type": "string"},
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                },
            },
        },
    },
}
_structs: dict[str, type[msgspec.Struct]] = {}
# What any request may be answered; the rest by method.
_FAILURES = {"401": "No valid key or session.", "403": "Not allowed.", "429": "Too many requests."}
_FAILURES_OF_WRITES = {
    "400": "Malformed request.",
    "409": "In conflict, or in flight.",
    "413": "Too large.",
    "415": "Not JSON.",
    "422": "Not acceptable.",
}


def shape(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """A msgspec struct as a schema for `extend_schema`; its definition goes to the components."""
    _structs[struct.__name__] = struct
    return {"$ref": f"#/components/schemas/{struct.__name__}"}


def add_components(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """A postprocessing hook: the definitions behind `shape`, and the problem document."""
    components = result.setdefault("components", {}).setdefault("schemas", {})
    _, definitions = msgspec.json.schema_components(list(_structs.values()), ref_template="#/components/schemas/{name}")
    components.update(definitions)
    components["Problem"] = _PROBLEM
    result["components"]["schemas"] = dict(sorted(components.items()))
    return result


class ProblemAutoSchema(AutoSchema):
    """Adds to each operation what `ApiView` gives all of them."""

    def get_tags(self) -> list[str]:
        return [self.path.removeprefix("/api/v1/").split("/")[0]]

    def get_description(self) -> str:  # type: ignore[override]  # drf-spectacular dropped the arguments
        """What the handler or its own view says; never the words of a base class."""
        handler = getattr(self.view, self.method.lower(), None)
        own = handler.__doc__ or type(self.view).__dict__.get("__doc__")
        return inspect.cleandoc(own or "")

    def get_override_parameters(self) -> list[OpenApiParameter | Serializer | type[Serializer]]:
        parameters: list[OpenApiParameter | Serializer | type[Serializer]] = []
        if self.method == "POST":
            parameters.append(
                OpenApiParameter(
                    "Idempotency-Key",
                    str,
                    OpenApiParameter.HEADER,
                    description="1 to 255 visible ASCII characters: the same key and body do it once, for 24 hours.",
                )
            )
        if isinstance(self.view, KeysetListView) and self.method == "GET":
            parameters += [
                OpenApiParameter("cursor", str, description="`next_cursor` of the page before."),
                OpenApiParameter("size", int, description=f"Rows per page, at most {self.view.largest_page}."),
            ]
            if self.view.filterset_class is not None:
                parameters += [
                    OpenApiParameter(name, str, description=str(filter_.label or ""))
                    for name, filter_ in self.view.filterset_class.base_filters.items()
                ]
        return parameters

    def get_response_serializers(self) -> Any:
        if isinstance(self.view, KeysetListView) and self.method == "GET":
            serializer = self.view.serializer_class
            return inline_serializer(
                serializer.__name__.removesuffix("Serializer") + "Page",
                {
                    "items": serializer(many=True),
                    "next_cursor": serializers.CharField(allow_null=True),
                },
            )
        return super().get_response_serializers()

    def _is_list_view(self, serializer: Any = None) -> bool:
        return False if isinstance(self.view, KeysetListView) else super()._is_list_view(serializer)

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        failures = dict(_FAILURES)
        if self.method != "GET":
            failures |= _FAILURES_OF_WRITES
        else:
            failures["422"] = _FAILURES_OF_WRITES["422"]
        if "{" in self.path:
            failures["404"] = "Not there."
        problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
        for status, description in sorted(failures.items()):
            bodies.setdefault(status, {"description": description, "content": problem})
        return bodies


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # the library's is untyped
    target_class = "scrm.api.authentication.ApiKeyAuthentication"
    name = "ApiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Api-Key ` followed by the key.",
        }


class ConsoleSessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # as above
    target_class = "scrm.api.authentication.ConsoleSessionAuthentication"
    name = "ConsoleSession"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "apiKey", "in": "cookie", "name": "scrm_session"}
