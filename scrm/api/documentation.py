"""The API's description: as OpenAPI JSON, and as a page rendered from it without scripts."""

from __future__ import annotations

import functools
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from scrm.api.views import ApiView
from scrm.common.access import page

_METHODS = ("get", "post", "put", "patch", "delete")


@functools.lru_cache(maxsize=8)
def _schema(language: str | None) -> dict[str, Any]:
    """The description in one language; routes do not change while a process lives."""
    generator = SchemaGenerator(api_version="1")  # type: ignore[no-untyped-call]  # the library's is untyped
    schema: dict[str, Any] = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return schema


class OpenApiView(ApiView):
    """GET /api/v1/openapi.json"""

    permission = None

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        return Response(_schema(get_language()), content_type="application/vnd.oai.openapi+json")


@page(allow=None)
def api_docs(request: HttpRequest) -> HttpResponse:
    """The reference, for reading."""
    schema = _schema(get_language())
    return render(request, "api/docs.html", {"groups": _groups(schema), "shapes": _shapes(schema)})


def _groups(schema: dict[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, methods in schema["paths"].items():
        for method in _METHODS:
            if method not in methods:
                continue
            operation = methods[method]
            answers = [
                {"status": status, "description": answer.get("description", ""), "shape": _content(answer)}
                for status, answer in sorted(operation.get("responses", {}).items())
            ]
            groups.setdefault(operation.get("tags", [""])[0], []).append(
                {
                    "id": operation["operationId"],
                    "method": method.upper(),
                    "path": path,
                    "summary": operation.get("summary", ""),
                    "description": operation.get("description", ""),
                    "parameters": [
                        {**one, "type": _type(one.get("schema", {}))} for one in operation.get("parameters", [])
                    ],
                    "request": _content(operation.get("requestBody", {})),
                    "answers": answers,
                }
            )
    return sorted(groups.items())


def _content(body: dict[str, Any]) -> dict[str, str] | None:
    for media_type, content in body.get("content", {}).items():
        schema = content.get("schema", {})
        return {"media_type": media_type, "type": _type(schema), "name": _name(schema)}
    return None


def _shapes(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "description": one.get("description", ""),
            "fields": [
                {
                    "name": field,
                    "type": _type(inner),
                    "shape": _name(inner),
                    "required": field in one.get("required", []),
                    "limits": _limits(inner),
                    "description": inner.get("description", ""),
                }
                for field, inner in one.get("properties", {}).items()
            ],
            "values": [str(value) for value in one.get("enum", [])],
        }
        for name, one in schema.get("components", {}).get("schemas", {}).items()
    ]


def _name(schema: dict[str, Any]) -> str:
    """The component that a schema leads to, if any."""
    if not schema:
        return ""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    for part in [schema.get("items", {}), *schema.get("anyOf", []), *schema.get("allOf", []), *schema.get("oneOf", [])]:
        if found := _name(part):
            return found
    return ""


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return _name(schema)
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return " | ".join(dict.fromkeys(_type(part) for part in schema[key]))
    if "enum" in schema:
        return " | ".join(f'"{value}"' if isinstance(value, str) else str(value) for value in schema["enum"])
    kind = schema.get("type", "any")
    if kind == "array":
        return f"[{_type(schema.get('items', {}))}]"
    if isinstance(kind, list):
        return " | ".join(kind)
    return f"{kind} ({schema['format']})" if "format" in schema else str(kind)


def _limits(schema: dict[str, Any]) -> str:
    parts = [schema, *schema.get("anyOf", [])]
    found = [
        f"{mark} {part[key]}"
        for part in parts
        for key, mark in (
            ("minLength", "≥"), ("maxLength", "≤"), ("minimum", "≥"), ("maximum", "≤"),
            ("maxItems", "≤"), ("maxProperties", "≤"), ("pattern", "~"),
        )
        if key in part
    ]  # fmt: skip
    return " ".join(found)
