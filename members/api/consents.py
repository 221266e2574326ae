"""POST /consents/batch: what members said elsewhere about being contacted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from members.api.facts import BatchAnswer, BatchView
from members.operations import consents
from members.rules import batches
from members.rules.consents import ConsentIn
from members.rules.intake import Outcome
from scrm.api.schema import shape


class ConsentBatchView(BatchView):
    kind = ConsentIn

    @extend_schema(
        summary="Send consents",
        description="Up to 1,000 answers of known members. The latest answer of a channel and purpose counts.",
        request={"application/json": {"type": "array", "maxItems": batches.MAX_ITEMS, "items": shape(ConsentIn)}},
        responses={(200, "application/json"): shape(BatchAnswer)},
    )
    def post(self, request: Request) -> HttpResponse:
        return super().post(request)

    def land(self, items: Sequence[ConsentIn], now: datetime) -> list[Outcome]:
        return consents.land(items=items, now=now)
