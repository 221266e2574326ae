"""POST /v1/…: the Segment HTTP tracking calls as they are, for the SDKs that speak them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NoReturn

import msgspec
from django.http import HttpResponse
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from members.api.facts import read_body
from members.operations import tracking
from members.rules import batches
from members.rules.batches import BatchTooLarge, NotABatch
from members.rules.intake import Outcome, rejected
from members.rules.rejections import ItemRejected
from members.rules.tracking import Message, read_message, sent_name
from scrm.api.authentication import WriteKeyAuthentication
from scrm.api.views import ApiView
from scrm.common import clock
from scrm.common.access import Permission
from scrm.common.errors import DomainError
from scrm.common.transactions import retrying


class MessageRejected(DomainError):
    """The one message of a request cannot be taken; `code` says why."""

    status = 400


class TrackingView(ApiView):
    """One call, named by its route: identify, track, page, screen, group or alias."""

    permission = Permission.FACTS_WRITE
    authentication_classes = [WriteKeyAuthentication]
    call = ""

    @extend_schema(exclude=True)
    def post(self, request: Request) -> HttpResponse:
        """200 `{"success": true}`, or 400 with the field that is wrong."""
        [outcome] = _land([_decoded(request)], self.call, clock.now())
        if outcome.status == "rejected":
            raise MessageRejected(outcome.message, code=outcome.code, field=outcome.field or "body")
        return _answer([])


class TrackingBatchView(ApiView):
    """`{"batch": […]}`: up to 1,000 calls that name their `type`."""

    permission = Permission.FACTS_WRITE
    authentication_classes = [WriteKeyAuthentication]

    @extend_schema(exclude=True)
    def post(self, request: Request) -> HttpResponse:
        """200 for every batch that can be read; messages that cannot be taken are listed under `errors`."""
        body = _decoded(request)
        messages = body.get("batch") if isinstance(body, dict) else None
        if not isinstance(messages, list):
            raise NotABatch(_("The body has to be an object with a list named batch."), code="not_a_list")
        if len(messages) > batches.MAX_ITEMS:
            raise BatchTooLarge("A batch is at most 1,000 items.")
        outcomes = _land(messages, None, clock.now())
        return _answer(
            [
                {"index": index, "code": one.code, "field": one.field, "message": one.message}
                for index, one in enumerate(outcomes)
                if one.status == "rejected"
            ]
        )


def _land(raw: Sequence[Any], call: str | None, now: datetime) -> list[Outcome]:
    outcomes: list[Outcome | None] = []
    messages: list[Message] = []
    for one in raw:
        try:
            messages.append(read_message(one, call=call, now=now))
            outcomes.append(None)
        except ItemRejected as error:
            outcomes.append(rejected(error))
    landed = iter(retrying(lambda: tracking.land_messages(messages=messages, now=now)) if messages else ())
    return [_in_sent_names(next(landed)) if outcome is None else outcome for outcome in outcomes]


def _in_sent_names(outcome: Outcome) -> Outcome:
    return msgspec.structs.replace(outcome, field=sent_name(outcome.field)) if outcome.field else outcome


def _decoded(request: Request) -> Any:
    """The JSON of a request. Browsers send it as text/plain, which needs no preflight request."""
    body = read_body(request, "text/plain")
    if len(body) > batches.MAX_BYTES:
        raise BatchTooLarge("A batch is at most 10 MB.")
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    except RecursionError as error:
        raise NotABatch("The body is not JSON.") from error
    try:  # half a surrogate pair is valid JSON, and only one message's fault
        return json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise NotABatch("The body is not JSON.") from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _answer(errors: list[dict[str, Any]]) -> HttpResponse:
    body = {"success": True} | ({"errors": errors} if errors else {})
    return HttpResponse(msgspec.json.encode(body), content_type="application/json")
