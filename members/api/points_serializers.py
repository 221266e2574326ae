"""How points look in the API. Amounts are whole points; times carry a zone."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from members.enums import EntryKind, ExpiryKind, PointsAccountName, ReversalPolicy
from members.models import PointsAdjustment, PointsCurrency, PointsEntry
from members.operations import currencies
from members.operations.points import LONGEST_REASON, LONGEST_REFERENCE
from members.queries import points_words
from scrm.common import clock

_NAMED = ("phone", "email", "unionid", "openid", "external_userid", "app_user", "device", "number")


class WholeNumberField(serializers.IntegerField):
    """A JSON integer: no text, no fraction, no truth value. Its range is the ledger's to judge."""

    default_error_messages = {"not_a_whole_number": _("A whole number is needed.")}

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("not_a_whole_number")
        return data


class NamedIdentitySerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=_NAMED)
    value = serializers.CharField(max_length=160)


class MemberRefSerializer(serializers.Serializer[Any]):
    """Whom it is about: a member id, or identities as a list, or the common ones by name."""

    member_id = WholeNumberField(required=False, min_value=1, max_value=2**63 - 1)
    identities = serializers.ListField(child=NamedIdentitySerializer(), required=False, max_length=20)
    phone = serializers.CharField(max_length=160, required=False)
    email = serializers.CharField(max_length=160, required=False)
    unionid = serializers.CharField(max_length=160, required=False)
    openid = serializers.CharField(max_length=160, required=False)
    external_userid = serializers.CharField(max_length=160, required=False)
    app_user = serializers.CharField(max_length=160, required=False)
    device = serializers.CharField(max_length=160, required=False)
    number = serializers.CharField(max_length=160, required=False, help_text="A member number as `number@source`.")


def named(ref: dict[str, Any]) -> list[tuple[str, str]]:
    """The identities of a reference as (kind, value)."""
    listed = [(one["kind"], one["value"]) for one in ref.get("identities", [])]
    return listed + [(kind, ref[kind]) for kind in _NAMED if kind in ref]


class _Movement(serializers.Serializer[Any]):
    member = MemberRefSerializer()
    currency = serializers.CharField(
        max_length=32, default=currencies.POINTS, help_text="The key of a kind of points; `points` when not given."
    )


class _Referenced(_Movement):
    reference = serializers.CharField(
        max_length=LONGEST_REFERENCE,
        help_text="Your own name of this movement. It is booked once under it, for ever: sent again it answers 200.",
    )
    reason = serializers.CharField(max_length=LONGEST_REASON, default="", allow_blank=True, help_text="For people.")


class EarnIn(_Referenced):
    amount = WholeNumberField(help_text="1 to 1,000,000,000,000.")
    source = serializers.CharField(  # type: ignore[assignment]  # a field, not where this one reads
        max_length=80, default="", allow_blank=True, help_text="What earned them, for `reverse`: `order:<number>` …"
    )
    occurred_at = serializers.DateTimeField(
        required=False, help_text="From when waiting and expiry count; now when not given."
    )
    expires_at = serializers.DateTimeField(required=False, help_text="Instead of what the kind of points says.")


class SpendIn(_Referenced):
    amount = WholeNumberField(help_text="1 to what is available.")
    source = serializers.CharField(max_length=80, default="", allow_blank=True, help_text="What they were spent on.")  # type: ignore[assignment]  # a field, not where this one reads


class HoldIn(SpendIn):
    minutes = WholeNumberField(
        required=False, help_text="After which the hold is released by itself; the kind's own when not given."
    )


class PostIn(_Referenced):
    amount = WholeNumberField(help_text="1 to what is held; the rest is released.")
    reference = serializers.CharField(max_length=LONGEST_REFERENCE, help_text="The reference of the hold.")


class VoidIn(_Referenced):
    reference = serializers.CharField(max_length=LONGEST_REFERENCE, help_text="The reference of the hold.")


class RefundIn(_Referenced):
    amount = WholeNumberField(help_text="1 to what was spent and not given back yet.")
    spent = serializers.CharField(
        max_length=LONGEST_REFERENCE, help_text="The reference of the spending, or of the hold."
    )


class ReverseIn(_Referenced):
    amount = WholeNumberField(help_text="1 to what the source has earned and is not taken back yet.")
    source = serializers.CharField(max_length=80, help_text="What had earned them.")  # type: ignore[assignment]  # a field, not where this one reads
    occurred_at = serializers.DateTimeField(required=False, help_text="When it was undone; now when not given.")

    def validate_occurred_at(self, value: datetime) -> datetime:
        if value > clock.now():
            raise serializers.ValidationError(_("This is still to come."), code="in_future")
        return value


class AdjustIn(_Referenced):
    amount = WholeNumberField(help_text="Above 0 credits, below 0 takes away.")
    reason = serializers.CharField(max_length=LONGEST_REASON, help_text="Why; needed.")


class BalanceSerializer(serializers.Serializer[Any]):
    """`available` is below 0 while the member is in `arrears`: nothing can be spent until they are repaid."""

    pending = serializers.IntegerField()
    available = serializers.IntegerField()
    held = serializers.IntegerField()
    arrears = serializers.IntegerField()


class BookedSerializer(serializers.Serializer[Any]):
    """What was booked, and the balances after it."""

    member_id = serializers.IntegerField()
    currency = serializers.CharField()
    entry = serializers.IntegerField(allow_null=True, help_text="Its number; null when there was nothing to take back.")
    duplicate = serializers.BooleanField(help_text="The same was booked before under this reference.")
    booked = serializers.IntegerField(help_text="For `reverse`, how much was taken back by the policy.")
    balance = BalanceSerializer()


class CurrencyBalanceSerializer(BalanceSerializer):
    currency = serializers.CharField()
    name = serializers.CharField()
    spendable = serializers.BooleanField(help_text="Whether this kind of points can be spent at all.")


class BalancesSerializer(serializers.Serializer[Any]):
    member_id = serializers.IntegerField()
    at = serializers.DateTimeField()
    items = CurrencyBalanceSerializer(many=True)


class LotSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField(help_text="Of the entry that credited it.")
    earned = serializers.IntegerField()
    remaining = serializers.IntegerField()
    held = serializers.IntegerField()
    active = serializers.BooleanField(help_text="False while it is pending.")
    earned_at = serializers.DateTimeField()
    activates_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    last_day = serializers.DateField(allow_null=True, help_text="The last shop day on which it can be used.")
    source = serializers.CharField()  # type: ignore[assignment]  # a field, not where this one reads


class ExpiringSerializer(serializers.Serializer[Any]):
    day = serializers.DateField(help_text="The last shop day of use.")
    amount = serializers.IntegerField()


class HoldSerializer(serializers.Serializer[Any]):
    reference = serializers.CharField()
    amount = serializers.IntegerField()
    expires_at = serializers.DateTimeField()


class LotsSerializer(serializers.Serializer[Any]):
    """What is left, in the order in which it is used; what of it expires within 90 days; what is set aside."""

    member_id = serializers.IntegerField()
    currency = serializers.CharField()
    items = LotSerializer(many=True)
    expiring = ExpiringSerializer(many=True)
    holds = HoldSerializer(many=True)


class TakenSerializer(serializers.Serializer[Any]):
    """What the entry did to a lot: above 0 it took, below 0 it gave back; `set_aside`: for a hold."""

    lot = serializers.IntegerField()
    amount = serializers.IntegerField()
    set_aside = serializers.BooleanField()
    earned_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)


class EntrySerializer(serializers.ModelSerializer[PointsEntry]):
    """One step of the ledger: `amount` left the account `debit` and entered `credit`."""

    member_id = serializers.IntegerField()
    currency = serializers.CharField(source="currency.key")
    kind = serializers.ChoiceField(choices=EntryKind.choices)
    debit = serializers.ChoiceField(choices=PointsAccountName.choices)
    credit = serializers.ChoiceField(choices=PointsAccountName.choices)
    effect = serializers.SerializerMethodField(help_text="What it gave the member, below 0 what it took.")
    explanation = serializers.SerializerMethodField(help_text="How the amount came about, in the caller's language.")
    lots = serializers.SerializerMethodField()

    class Meta:
        model = PointsEntry
        fields = (
            "member_id", "currency", "number", "transaction", "kind", "debit", "credit", "amount", "effect",
            "available_after", "reference", "source", "reason", "explanation", "detail", "lots", "actor",
            "occurred_at", "booked_at",
        )  # fmt: skip

    def get_effect(self, entry: PointsEntry) -> int:
        return points_words.effect(entry)

    def get_explanation(self, entry: PointsEntry) -> list[str]:
        return points_words.explain(entry)

    def get_lots(self, entry: PointsEntry) -> list[dict[str, Any]]:
        return TakenSerializer(getattr(entry, "lots", []), many=True).data  # type: ignore[return-value]  # DRF's own type


class CurrencySerializer(serializers.ModelSerializer[PointsCurrency]):
    class Meta:
        model = PointsCurrency
        fields = (
            "key", "name", "spendable", "pending_days", "expiry", "expiry_count", "expiry_month", "expiry_day",
            "reversal", "grace_days", "hold_minutes", "warn_days", "cost_per_1000", "adjust_limit", "created_at",
        )  # fmt: skip


class CurrencyChangesSerializer(serializers.Serializer[Any]):
    """Policies hold for what is earned, held and reversed from now on."""

    name = serializers.CharField(max_length=40)
    pending_days = WholeNumberField(default=0, help_text="Days after earning until they can be used.")
    expiry = serializers.ChoiceField(choices=ExpiryKind.choices, default="never")
    expiry_count = WholeNumberField(default=0, help_text="The N of `expiry`.")
    expiry_month = WholeNumberField(default=12, help_text="Of a fixed day.")
    expiry_day = WholeNumberField(default=31, help_text="Of a fixed day.")
    reversal = serializers.ChoiceField(choices=ReversalPolicy.choices, default="arrears")
    grace_days = WholeNumberField(default=7, help_text="What is given back to an expired lot lasts so long.")
    hold_minutes = WholeNumberField(default=30)
    warn_days = serializers.ListField(child=WholeNumberField(), max_length=5, default=list)
    cost_per_1000 = WholeNumberField(default=1_000, help_text="Minor units.")
    adjust_limit = WholeNumberField(default=1_000, help_text="Adjustments above it need a second person.")


class CurrencyIn(CurrencyChangesSerializer):
    key = serializers.CharField(max_length=32)
    spendable = serializers.BooleanField(default=True)


class CurrencyListSerializer(serializers.Serializer[Any]):
    items = CurrencySerializer(many=True)


class AdjustmentSerializer(serializers.ModelSerializer[PointsAdjustment]):
    currency = serializers.CharField(source="currency.key")
    duplicate = serializers.SerializerMethodField(help_text="It was there before under this reference.")
    attachment = serializers.SerializerMethodField(help_text="Its name; null when there is none.")

    class Meta:
        model = PointsAdjustment
        fields = (
            "id", "member_id", "currency", "amount", "reason", "reference", "state", "four_eyes", "asked_by",
            "asked_at", "decided_by", "decided_at", "answer", "entry", "attachment", "duplicate",
        )  # fmt: skip

    def get_duplicate(self, adjustment: PointsAdjustment) -> bool:
        return bool(self.context.get("duplicate", False))

    def get_attachment(self, adjustment: PointsAdjustment) -> str | None:
        return adjustment.file_name or None


class RejectIn(serializers.Serializer[Any]):
    answer = serializers.CharField(max_length=LONGEST_REASON, help_text="Why; needed.")


class LiabilityDaySerializer(serializers.Serializer[Any]):
    day = serializers.DateField()
    available = serializers.IntegerField()
    pending = serializers.IntegerField()
    held = serializers.IntegerField()
    arrears = serializers.IntegerField()
    members = serializers.IntegerField(help_text="Who have any.")
    cost = serializers.IntegerField(help_text="Minor units: if all outstanding points were used.")


class CohortSerializer(serializers.Serializer[Any]):
    month = serializers.DateField(help_text="The first day of the month in which they were earned.")
    earned = serializers.IntegerField()
    used = serializers.IntegerField()
    expired = serializers.IntegerField()
    reversed = serializers.IntegerField()
    outstanding = serializers.IntegerField()


class ExpiringMonthSerializer(serializers.Serializer[Any]):
    month = serializers.DateField(help_text="Its first day.")
    amount = serializers.IntegerField()


class LiabilitySerializer(serializers.Serializer[Any]):
    """As last counted: days oldest first, cohorts newest first, the next twelve months."""

    currency = serializers.CharField()
    days = LiabilityDaySerializer(many=True)
    cohorts = CohortSerializer(many=True)
    expiring = ExpiringMonthSerializer(many=True)
