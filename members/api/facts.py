"""POST …/batch: facts come in. Each item is answered by itself, in order, with 200."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, ClassVar

import msgspec
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.request import Request

from members.operations import intake
from members.rules import batches
from members.rules.intake import EventIn, MemberIn, OrderIn, Outcome, RefundIn, rejected
from members.rules.rejections import ItemRejected
from scrm.api.schema import shape
from scrm.api.views import ApiView
from scrm.common import clock
from scrm.common.access import Permission
from scrm.common.transactions import retrying


class BatchAnswer(msgspec.Struct, frozen=True):
    """How many items ended how, and each item's outcome in the order sent."""

    accepted: int
    updated: int
    duplicate: int
    ignored: int
    rejected: int
    results: list[Outcome]


def read_body(request: Request, *also: str) -> bytes:
    """The raw JSON of a request, under `also` other media types that are named.

    Raises `BatchTooLarge` (413) and `UnsupportedMediaType` (415).
    """
    media_type = (request.content_type or "").partition(";")[0].strip().lower()
    if media_type not in ("", "application/json", *also):
        raise UnsupportedMediaType(media_type)
    length = request.META.get("CONTENT_LENGTH") or "0"
    if length.isdigit() and int(length) > batches.MAX_BYTES:
        raise batches.BatchTooLarge("A batch is at most 10 MB.")
    return request._request.body


def answer(outcomes: list[Outcome]) -> HttpResponse:
    """The outcomes and their counts as JSON."""
    counts = Counter(outcome.status for outcome in outcomes)
    body = BatchAnswer(
        counts["accepted"], counts["updated"], counts["duplicate"], counts["ignored"], counts["rejected"], outcomes
    )
    return HttpResponse(msgspec.json.encode(body), content_type="application/json")


class BatchView(ApiView):
    """One kind of fact. `land` is its operation."""

    permission = Permission.FACTS_WRITE
    kind: ClassVar[type[Any]]

    def land(self, items: Sequence[Any], now: datetime) -> list[Outcome]:
        raise NotImplementedError

    def post(self, request: Request) -> HttpResponse:
        return answer(land_batch(batches.read_batch(self.kind, read_body(request)), self.land))


def land_batch(read: Sequence[Any], land: Callable[[Sequence[Any], datetime], list[Outcome]]) -> list[Outcome]:
    """Hand the readable items to the operation and put its answers between those of the unreadable ones."""
    items = [item for item in read if not isinstance(item, ItemRejected)]
    landed = iter(retrying(lambda: land(items, clock.now()))) if items else iter(())
    return [rejected(item) if isinstance(item, ItemRejected) else next(landed) for item in read]


def _described(kind: type[msgspec.Struct], summary: str, description: str) -> Any:
    return extend_schema(
        summary=summary,
        description=description,
        request={
            "application/json": {"type": "array", "maxItems": batches.MAX_ITEMS, "items": shape(kind)},
        },
        responses={(200, "application/json"): shape(BatchAnswer)},
    )


class EventBatchView(BatchView):
    kind = EventIn

    @_described(
        EventIn,
        "Send events",
        "Up to 1,000 events. (source, message_id) is an event's identity: sending it again changes nothing.",
    )
    def post(self, request: Request) -> HttpResponse:
        return super().post(request)

    def land(self, items: Sequence[EventIn], now: datetime) -> list[Outcome]:
        return intake.land_events(items=items, now=now)


class OrderBatchView(BatchView):
    kind = OrderIn

    @_described(
        OrderIn,
        "Send orders",
        "Up to 1,000 orders or new versions of them. A newer version updates, an older one is ignored.",
    )
    def post(self, request: Request) -> HttpResponse:
        return super().post(request)

    def land(self, items: Sequence[OrderIn], now: datetime) -> list[Outcome]:
        return intake.land_orders(items=items, now=now)


class RefundBatchView(BatchView):
    kind = RefundIn

    @_described(RefundIn, "Send refunds", "Up to 1,000 refunds, of an order (also one still to come) or of a member.")
    def post(self, request: Request) -> HttpResponse:
        return super().post(request)

    def land(self, items: Sequence[RefundIn], now: datetime) -> list[Outcome]:
        return intake.land_refunds(items=items, now=now)


class MemberBatchView(BatchView):
    kind = MemberIn

    @_described(
        MemberIn, "Send member profiles", "Up to 1,000 members: unknown ones are made, known ones brought up to date."
    )
    def post(self, request: Request) -> HttpResponse:
        return super().post(request)

    def land(self, items: Sequence[MemberIn], now: datetime) -> list[Outcome]:
        return intake.land_members(items=items, now=now)
