"""The API of the condition language: its fields and its schema."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from scrm.api.views import ApiView
from scrm.common import conditions
from scrm.common.access import Permission


class ConditionFieldsView(ApiView):
    permission = Permission.SEGMENTS_VIEW

    @extend_schema(
        summary="The fields of the condition language, with operators and choices",
        responses={200: OpenApiTypes.OBJECT},
    )
    def get(self, request: Request) -> Response:
        return Response({"version": conditions.VERSION, "fields": conditions.describe_fields()})


class ConditionSchemaView(ApiView):
    permission = Permission.SEGMENTS_VIEW

    @extend_schema(summary="The condition language as JSON Schema", responses={200: OpenApiTypes.OBJECT})
    def get(self, request: Request) -> Response:
        return Response(conditions.json_schema())
