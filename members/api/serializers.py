"""How members look in the API. Amounts are minor units (1/100 of the currency); personal data is masked."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from members.enums import Gender


class SummarySerializer(serializers.Serializer):
    order_count = serializers.IntegerField()
    gross_amount = serializers.IntegerField()
    refund_amount = serializers.IntegerField()
    net_amount = serializers.IntegerField()
    first_order_at = serializers.DateTimeField(allow_null=True)
    last_order_at = serializers.DateTimeField(allow_null=True)


class BadgeSerializer(serializers.Serializer):
    label = serializers.CharField()  # type: ignore[assignment]  # a field, not the label of this one
    tone = serializers.CharField()


class MemberSerializer(serializers.Serializer):
    """A row of the member list."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    gender = serializers.ChoiceField(choices=Gender.choices, allow_blank=True)
    phone_masked = serializers.CharField()
    email_masked = serializers.CharField()
    city = serializers.CharField()
    store_id = serializers.IntegerField(allow_null=True)
    store = serializers.CharField(source="store.name", default=None, allow_null=True)
    owner_id = serializers.IntegerField(allow_null=True)
    owner = serializers.CharField(source="owner.name", default=None, allow_null=True)
    joined_at = serializers.DateTimeField()
    order_count = serializers.IntegerField(source="summary.order_count", default=0)
    net_amount = serializers.IntegerField(source="summary.net_amount", default=0)
    last_order_at = serializers.DateTimeField(source="summary.last_order_at", default=None, allow_null=True)
    labels = serializers.SerializerMethodField(help_text="What higher parts know: tags, stage, RFM class.")
    updated_at = serializers.DateTimeField()

    def get_labels(self, member: Any) -> dict[str, list[str]]:
        shown = getattr(member, "shown", {})
        return {name: [str(badge.label) for badge in badges or ()] for name, badges in shown.items()}


class IdentitySerializer(serializers.Serializer):
    kind = serializers.CharField()
    value = serializers.CharField(source="shown", help_text="Masked for phones and e-mail addresses.")


class ConsentSerializer(serializers.Serializer):
    channel = serializers.CharField()
    purpose = serializers.CharField()
    state = serializers.CharField(help_text="granted, withdrawn, or empty when never asked.")
    at = serializers.DateTimeField(allow_null=True)


class MemberDetailSerializer(MemberSerializer):
    """One member."""

    birth_on = serializers.DateField(allow_null=True)
    province = serializers.CharField()
    country = serializers.CharField()
    attributes = serializers.DictField()
    summary = SummarySerializer(source="known_summary")
    identities = IdentitySerializer(many=True, source="known_as")
    consents = ConsentSerializer(many=True, source="known_consents")


class MemberChangesSerializer(serializers.Serializer):
    """What a PATCH may change. `updated_at` is the value that the caller read: a newer one is a conflict."""

    updated_at = serializers.DateTimeField()
    name = serializers.CharField(required=False, allow_blank=True, max_length=60)
    gender = serializers.ChoiceField(required=False, choices=Gender.choices, allow_blank=True)
    birth_on = serializers.DateField(required=False, allow_null=True)
    province = serializers.CharField(required=False, allow_blank=True, max_length=40)
    city = serializers.CharField(required=False, allow_blank=True, max_length=40)
    store_id = serializers.IntegerField(required=False, allow_null=True)
    owner_id = serializers.IntegerField(required=False, allow_null=True)
    attributes = serializers.DictField(required=False)


class TimelineEntrySerializer(serializers.Serializer):
    kind = serializers.ChoiceField(choices=["event", "order", "refund", "points"])
    id = serializers.UUIDField()
    at = serializers.DateTimeField()
    source = serializers.CharField()  # type: ignore[assignment]  # a field, not where this one reads
    type = serializers.CharField(source="type_key", help_text="The event type's key; empty for orders and refunds.")
    amount = serializers.IntegerField(allow_null=True)
    number = serializers.CharField()
    state = serializers.CharField()
    properties = serializers.DictField()


class OrderLineSerializer(serializers.Serializer):
    line_number = serializers.IntegerField()
    sku = serializers.CharField(source="product.sku")
    name = serializers.CharField(source="product.name")
    quantity = serializers.IntegerField()
    unit_price = serializers.DecimalField(max_digits=14, decimal_places=4)
    amount = serializers.IntegerField()


class RefundSerializer(serializers.Serializer):
    number = serializers.CharField(source="external_number")
    amount = serializers.IntegerField()
    refunded_at = serializers.DateTimeField()
    reason = serializers.CharField()


class OrderSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    source = serializers.CharField(source="source.key")  # type: ignore[assignment]  # a field, not where this one reads
    number = serializers.CharField(source="external_number")
    state = serializers.CharField()
    counts = serializers.BooleanField(help_text="Paid and not refunded whole.")
    amount = serializers.IntegerField()
    discount = serializers.IntegerField()
    refunded_amount = serializers.IntegerField()
    net_amount = serializers.IntegerField()
    ordered_at = serializers.DateTimeField()
    paid_at = serializers.DateTimeField(allow_null=True)
    lines = OrderLineSerializer(many=True, source="lines.all")
    refunds = RefundSerializer(many=True, source="refunds.all")
