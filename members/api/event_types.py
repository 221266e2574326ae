"""The API of event types."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from members.api.managed import ManagedView
from members.models import EventType
from members.operations import event_types as operations
from members.queries import event_types
from members.rules.event_types import LONGEST_KEY, LONGEST_NAME
from scrm.api.views import valid
from scrm.common import clock
from scrm.common.access import Permission


class EventTypeSerializer(serializers.ModelSerializer[EventType]):
    label = serializers.CharField(  # type: ignore[assignment]  # a serializer has one of its own
        source="__str__", help_text="What conditions and timelines call it: its name, else the usual one, else its key."
    )

    class Meta:
        model = EventType
        fields = ("id", "key", "name", "label")


class EventTypeCountedSerializer(EventTypeSerializer):
    events_30d = serializers.SerializerMethodField(help_text="Events in the last 30 days.")

    class Meta(EventTypeSerializer.Meta):
        fields = (*EventTypeSerializer.Meta.fields, "events_30d")  # type: ignore[assignment]  # one more

    def get_events_30d(self, kind: EventType) -> int:
        counts: event_types.Counts = self.context["counts"]
        return counts.of(kind.pk)


class EventTypeNameSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(
        max_length=LONGEST_NAME, allow_blank=True, help_text="Empty: the usual name, or its key."
    )


class EventTypeInSerializer(serializers.Serializer[Any]):
    key = serializers.CharField(max_length=LONGEST_KEY)
    name = serializers.CharField(max_length=LONGEST_NAME)


class EventTypeListSerializer(serializers.Serializer[Any]):
    exact = serializers.BooleanField(help_text="Whether events were counted, or estimated from a sample.")
    items = EventTypeCountedSerializer(many=True)


class _EventTypeView(ManagedView):
    """Everybody who sees members reads them; changing them takes `settings`."""

    permission = Permission.MEMBERS_VIEW
    writes = (Permission.SETTINGS,)


class EventTypeListView(_EventTypeView):
    """The types of events that conditions can name: declared ones, and those of which an event has arrived."""

    @extend_schema(
        operation_id="event_types_list",
        parameters=[OpenApiParameter("q", str, description="Part of a key or name. At most 500 types are answered.")],
        responses=EventTypeListSerializer,
    )
    def get(self, request: Request) -> Response:
        search = request.query_params.get("q", "").replace("\0", "").strip()[:LONGEST_NAME]
        counts = event_types.counts(as_of=clock.now())
        rows = event_types.listed(search=search)
        items = EventTypeCountedSerializer(rows, many=True, context={"counts": counts}).data
        return Response({"exact": counts.exact, "items": items})

    @extend_schema(
        operation_id="event_types_create", request=EventTypeInSerializer, responses={201: EventTypeSerializer}
    )
    def post(self, request: Request) -> Response:
        given = valid(EventTypeInSerializer(data=request.data))
        return Response(EventTypeSerializer(operations.declare(**given)).data, status=201)


class EventTypeView(_EventTypeView):
    """One type of events. Its key never changes, and it is never removed: events carry it."""

    @extend_schema(operation_id="event_types_retrieve", responses=EventTypeSerializer)
    def get(self, request: Request, type_id: int) -> Response:
        return Response(EventTypeSerializer(event_types.get(type_id)).data)

    @extend_schema(operation_id="event_types_update", request=EventTypeNameSerializer, responses=EventTypeSerializer)
    def put(self, request: Request, type_id: int) -> Response:
        given = valid(EventTypeNameSerializer(data=request.data))
        return Response(EventTypeSerializer(operations.rename(type_id=type_id, **given)).data)
