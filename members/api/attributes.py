"""The API of custom fields."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from members.api.managed import ManagedView
from members.enums import AttributeType
from members.models import Attribute
from members.operations import attributes as operations
from members.queries import attributes
from members.rules.attributes import LONGEST_CHOICE, LONGEST_KEY, LONGEST_LABEL, MOST_CHOICES
from scrm.api.views import valid
from scrm.common import clock
from scrm.common.access import Permission


class AttributeSerializer(serializers.ModelSerializer[Attribute]):
    class Meta:
        model = Attribute
        fields = ("id", "key", "label", "type", "choices", "created_at")


class AttributeChangesSerializer(serializers.Serializer[Any]):
    label = serializers.CharField(max_length=LONGEST_LABEL)  # type: ignore[assignment]  # a serializer has one of its own
    choices = serializers.ListField(
        child=serializers.CharField(max_length=LONGEST_CHOICE), max_length=MOST_CHOICES, required=False
    )


class AttributeInSerializer(AttributeChangesSerializer):
    key = serializers.CharField(max_length=LONGEST_KEY)
    type = serializers.ChoiceField(choices=AttributeType.choices)


class AttributeListSerializer(serializers.Serializer[Any]):
    items = AttributeSerializer(many=True)


class _AttributeView(ManagedView):
    """Everybody who sees members reads them; changing them takes `settings`."""

    permission = Permission.MEMBERS_VIEW
    writes = (Permission.SETTINGS,)


class AttributeListView(_AttributeView):
    """The brand's own fields of a member's profile."""

    @extend_schema(operation_id="attributes_list", responses=AttributeListSerializer)
    def get(self, request: Request) -> Response:
        return Response({"items": AttributeSerializer(attributes.every(), many=True).data})

    @extend_schema(
        operation_id="attributes_create", request=AttributeInSerializer, responses={201: AttributeSerializer}
    )
    def post(self, request: Request) -> Response:
        made = operations.create(**valid(AttributeInSerializer(data=request.data)))
        return Response(AttributeSerializer(made).data, status=201)


class AttributeView(_AttributeView):
    """One custom field. Its key and type never change."""

    @extend_schema(operation_id="attributes_retrieve", responses=AttributeSerializer)
    def get(self, request: Request, attribute_id: int) -> Response:
        return Response(AttributeSerializer(attributes.get(attribute_id)).data)

    @extend_schema(operation_id="attributes_update", request=AttributeChangesSerializer, responses=AttributeSerializer)
    def put(self, request: Request, attribute_id: int) -> Response:
        given = valid(AttributeChangesSerializer(data=request.data))
        changed = operations.update(attribute_id=attribute_id, **given, now=clock.now())
        return Response(AttributeSerializer(changed).data)

    @extend_schema(
        operation_id="attributes_destroy",
        parameters=[OpenApiParameter("even_if_used", bool, description="Although conditions use it: they break.")],
        responses={204: None},
    )
    def delete(self, request: Request, attribute_id: int) -> Response:
        """Refused with 409 `in_use`, naming what uses it, unless `even_if_used=true`."""
        even_if_used = request.query_params.get("even_if_used") == "true"
        operations.delete(attribute_id=attribute_id, even_if_used=even_if_used, now=clock.now())
        return Response(status=204)
