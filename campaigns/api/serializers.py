"""What the API of campaigns takes and gives."""

from __future__ import annotations

from rest_framework import serializers

from campaigns.enums import ChannelKind, MissingValue, QuietAction
from campaigns.models import Campaign, MessageTemplate

_LARGEST_ID = 2**63 - 1


class CampaignSerializer(serializers.ModelSerializer):
    class Meta:
        model = Campaign
        fields = [
            "id", "name", "state", "channel", "segment_id", "account_id", "template_id", "scheduled_at",
            "started_at", "finished_at", "audience_size", "control_percent", "version", "created_at",
        ]  # fmt: skip


class CampaignIn(serializers.Serializer):
    """A new draft. Times are ISO 8601 with an offset; quiet hours are local times."""

    name = serializers.CharField(max_length=80)
    segment_id = serializers.IntegerField(min_value=1, max_value=_LARGEST_ID)
    account_id = serializers.IntegerField(min_value=1, max_value=_LARGEST_ID)
    template_id = serializers.IntegerField(min_value=1, max_value=_LARGEST_ID, required=False, allow_null=True)
    subject = serializers.CharField(max_length=200, required=False, allow_blank=True)
    body = serializers.CharField(max_length=20_000, required=False, allow_blank=True, trim_whitespace=False)
    scheduled_at = serializers.DateTimeField(required=False, allow_null=True)
    control_percent = serializers.IntegerField(min_value=0, max_value=50, required=False)
    respects_cap = serializers.BooleanField(required=False)
    cap_touches = serializers.IntegerField(min_value=1, max_value=100, required=False)
    cap_days = serializers.IntegerField(min_value=1, max_value=90, required=False)
    missing_value = serializers.ChoiceField(choices=MissingValue.choices, required=False)
    quiet_action = serializers.ChoiceField(choices=QuietAction.choices, required=False)
    quiet_from = serializers.TimeField(required=False, allow_null=True)
    quiet_until = serializers.TimeField(required=False, allow_null=True)


class StopIn(serializers.Serializer):
    reason = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")


class OutcomeSerializer(serializers.Serializer):
    state = serializers.CharField()
    reason = serializers.CharField(allow_blank=True)
    count = serializers.IntegerField()


class OrdersSerializer(serializers.Serializer):
    count = serializers.IntegerField()
    buyers = serializers.IntegerField()
    net_amount = serializers.CharField(help_text="Major units, after refunds.")


class ReportSerializer(serializers.Serializer):
    """`outcomes` add up to `audience`."""

    state = serializers.CharField()
    audience = serializers.IntegerField()
    handed = serializers.IntegerField()
    opened = serializers.IntegerField()
    clicked = serializers.IntegerField()
    outcomes = OutcomeSerializer(many=True)
    orders = OrdersSerializer()


class TemplateSerializer(serializers.ModelSerializer):
    class Meta:
        model = MessageTemplate
        fields = ["id", "name", "channel", "subject", "body", "version", "created_at", "updated_at"]


class TemplateIn(serializers.Serializer):
    name = serializers.CharField(max_length=60)
    channel = serializers.ChoiceField(choices=ChannelKind.choices)
    subject = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")
    body = serializers.CharField(max_length=20_000, trim_whitespace=False)
