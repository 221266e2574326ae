"""Booking points: each call is one movement, booked once under its reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers as drf
from rest_framework.request import Request
from rest_framework.response import Response

from members.api import points_serializers as serializers
from members.operations import points
from members.operations.points import Movement
from members.queries import identities
from scrm.api.views import ApiView, valid
from scrm.common import clock
from scrm.common.access import Actor, Permission
from scrm.common.errors import Conflict, Invalid, NotFound
from scrm.common.transactions import retrying


def member_of(ref: dict[str, Any], *, actor: Actor) -> int:
    """The one member that is meant.

    Raises `Invalid` (`member_missing`), `NotFound` (`unknown_member`), `Conflict` (`several_members`).
    """
    named = serializers.named(ref)
    given = [ref["member_id"]] if "member_id" in ref else []
    if not named and not given:
        raise Invalid(_("Say which member: by id or by an identity."), code="member_missing", field="member")
    found = identities.visible_members(actor=actor, member_ids=given, named=named)
    if not found.member_ids:
        raise NotFound(_("There is no such member."), code="unknown_member", field="member")
    if len(found.member_ids) > 1:
        raise Conflict(_("These are several members."), code="several_members", field="member")
    return found.member_ids[0]


def booked(member_id: int, currency: str, moved: Movement) -> dict[str, Any]:
    """The answer to a booking."""
    return {
        "member_id": member_id,
        "currency": currency,
        "entry": moved.number,
        "duplicate": moved.duplicate,
        "booked": moved.booked,
        "balance": {
            "pending": moved.pending, "available": moved.available, "held": moved.held, "arrears": moved.arrears,
        },
    }  # fmt: skip


class BookingView(ApiView):
    """One kind of movement: `taken` reads the request, `book` is its operation."""

    permission = Permission.POINTS_WRITE
    taken: ClassVar[type[drf.Serializer[Any]]]

    def book(self, values: Mapping[str, Any]) -> Movement:
        raise NotImplementedError

    def post(self, request: Request) -> Response:
        values = valid(self.taken(data=request.data))
        member_id = member_of(values.pop("member"), actor=self.actor)
        values |= {"member_id": member_id, "now": clock.now()}
        moved = retrying(lambda: self.book(values))
        answer = booked(member_id, values["currency"], moved)
        return Response(serializers.BookedSerializer(answer).data, status=200 if moved.duplicate else 201)


def _described(taken: type[drf.Serializer[Any]], summary: str, description: str) -> Any:
    return extend_schema(
        summary=summary,
        description=f"{description} Booked: 201. The same reference and amount again: 200 with `duplicate`.",
        request=taken,
        responses={200: serializers.BookedSerializer, 201: serializers.BookedSerializer},
    )


class EarnView(BookingView):
    taken = serializers.EarnIn

    @_described(
        serializers.EarnIn,
        "Credit points",
        "They become available and expire as their kind says. Codes: `amount_out_of_range`, `in_future`, "
        "`expires_early`, `bad_reference`, `reference_reused`, `unknown_currency`, `unknown_member`.",
    )
    def post(self, request: Request) -> Response:
        return super().post(request)

    def book(self, values: Mapping[str, Any]) -> Movement:
        return points.earn(**values)


class SpendView(BookingView):
    taken = serializers.SpendIn

    @_described(
        serializers.SpendIn,
        "Spend points",
        "What expires first is used first. Codes: `not_enough_points`, `in_arrears`, `not_spendable`, and as earning.",
    )
    def post(self, request: Request) -> Response:
        return super().post(request)

    def book(self, values: Mapping[str, Any]) -> Movement:
        return points.spend(**values)


class HoldView(BookingView):
    taken = serializers.HoldIn

    @_described(
        serializers.HoldIn,
        "Set points aside",
        "For a purchase that is under way; released by itself after `minutes`. Codes as spending, and `out_of_range`.",
    )
    def post(self, request: Request) -> Response:
        return super().post(request)

    def book(self, values: Mapping[str, Any]) -> Movement:
        return points.hold(**values)


class PostView(BookingView):
    taken = serializers.PostIn

    @_described(
        serializers.PostIn,
        "Spend what a hold set aside",
        "Up to its amount; the rest is released. Codes: `unknown_hold`, `hold_resolved`, `above_hold`.",
    )
    def post(self, request: Request) -> Response:
        return super().post(request)

    def book(self, values: Mapping[str, Any]) -> Movement:
        return points.post(**values)


class VoidView(BookingView):
    taken = serializers.VoidIn

    @_described(serializers.VoidIn, "Release a hold", "Codes: `unknown_hold`, `hold_resolved`.")
    def post(self, request: Request) -> Response:
        return super().post(request)

    def book(self, values: Mapping[str, Any]) -> Movement:
        return points.void(**values)


class RefundView(BookingView):
    taken = serializers.RefundIn

    @_described(
        serializers.RefundIn,
        "Give back spent points",
        "Into the lots they came from. Codes: `unknown_spending`, `above_original`, `reference_reused`.",
    )
    def post(self, request: Request) -> Response:
        return super().post(request)

    def book(self, values: Mapping[str, Any]) -> Movement:
        return points.refund(**values)


class ReverseView(BookingView):
    taken = serializers.ReverseIn

    @_described(
        serializers.ReverseIn,
        "Take back what a source earned",
        "Pending points first, then what is left of its own, then by the kind's policy others, then into arrears. "
        "`booked` says how much. Codes: `above_original`, `in_future`, `reference_reused`.",
    )
    def post(self, request: Request) -> Response:
        return super().post(request)

    def book(self, values: Mapping[str, Any]) -> Movement:
        return points.reverse(**values)
