"""What `intake` is measured against over HTTP: the same job as one would write it with DRF serializers and the ORM.

A WSGI application with one route, behind the same settings, middleware, keys and throttle as the product.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "scrm.settings.local")
django.setup()

from django.conf import settings  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import transaction  # noqa: E402
from django.db.models import Count, Max  # noqa: E402
from django.urls import path  # noqa: E402
from django.utils import timezone  # noqa: E402
from rest_framework import serializers  # noqa: E402
from rest_framework.request import Request  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

from members.models import Event, EventType, Identity, MemberSummary, Source  # noqa: E402
from scrm.common.access import Permission  # noqa: E402


class MemberSerializer(serializers.Serializer):
    app_user = serializers.CharField(max_length=160)


class EventSerializer(serializers.Serializer):
    source = serializers.CharField(max_length=40)
    message_id = serializers.CharField(max_length=128)
    type = serializers.CharField(max_length=60)
    occurred_at = serializers.DateTimeField()
    member = MemberSerializer()
    amount = serializers.DecimalField(max_digits=12, decimal_places=2, required=False, min_value=0)
    properties = serializers.DictField(required=False, default=dict)

    def validate_occurred_at(self, value: Any) -> Any:
        if value > timezone.now() + timedelta(days=7):
            raise serializers.ValidationError("in the future")
        return value


class EventView(APIView):
    permission = Permission.FACTS_WRITE

    def post(self, request: Request) -> Response:
        serializer = EventSerializer(data=request.data, many=True)
        serializer.is_valid(raise_exception=True)
        items = serializer.validated_data
        with transaction.atomic():
            sources = {one.key: one for one in Source.objects.filter(key__in={i["source"] for i in items})}
            types = {one.key: one for one in EventType.objects.filter(key__in={i["type"] for i in items})}
            members = dict(
                Identity.objects.filter(
                    kind="app_user", value__in={i["member"]["app_user"] for i in items}
                ).values_list("value", "member_id")
            )
            events = [
                Event(
                    member_id=members[item["member"]["app_user"]],
                    source=sources[item["source"]],
                    type=types[item["type"]],
                    message_id=item["message_id"],
                    occurred_at=item["occurred_at"],
                    amount=int(item["amount"] * 100) if "amount" in item else None,
                    properties=item["properties"],
                )
                for item in items
            ]
            known = {
                (one.member_id, one.source_id, one.message_id)
                for one in Event.objects.filter(message_id__in=[event.message_id for event in events])
            }
            Event.objects.bulk_create(events, ignore_conflicts=True)
            # Locked in one order, or clients that share members deadlock.
            list(
                MemberSummary.objects.filter(member_id__in=set(members.values()))
                .order_by("member_id")
                .select_for_update()
                .values_list("member_id")
            )
            totals = (
                Event.objects.filter(member_id__in=set(members.values()))
                .values("member_id")
                .annotate(count=Count("id"), last=Max("occurred_at"))
                .order_by("member_id")
            )
            MemberSummary.objects.bulk_update(
                [
                    MemberSummary(member_id=one["member_id"], event_count=one["count"], last_event_at=one["last"])
                    for one in totals
                ],
                ["event_count", "last_event_at"],
            )
        return Response(
            [
                {"status": "duplicate" if (event.member_id, event.source_id, event.message_id) in known else "accepted"}
                for event in events
            ]
        )


urlpatterns = [path("api/v1/events/batch", EventView.as_view())]
settings.ROOT_URLCONF = "benchmarks.intake_peer"
application = get_wsgi_application()
