"""What the API of benefits takes and gives. Amounts are minor units."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from members.enums import BenefitKind, QuotaPeriod
from members.models import Benefit, BenefitRule, MemberBenefit, Partner
from members.models.benefits import LARGEST_QUOTA
from members.operations.benefit_catalogue import ICONS
from members.operations.benefit_stock import MOST_AT_ONCE

_LARGEST_ID = 2**63 - 1


class BenefitRuleSerializer(serializers.ModelSerializer[BenefitRule]):
    """`tier` is the key of a tier, or empty for everybody. `quota` null: as often as they like."""

    class Meta:
        model = BenefitRule
        fields = ("tier", "quota", "period")


class BenefitSerializer(serializers.ModelSerializer[Benefit]):
    rules = BenefitRuleSerializer(many=True)
    partner_id = serializers.IntegerField(allow_null=True)
    store_ids = serializers.SerializerMethodField()

    class Meta:
        model = Benefit
        fields = (
            "id", "key", "name", "kind", "state", "parameters", "description", "usage_rules", "icon", "valid_from",
            "valid_until", "claimed_first", "claim_days", "return_days", "cost", "partner_id", "condition", "low_stock",
            "store_ids", "rules", "version",
        )  # fmt: skip

    def get_store_ids(self, benefit: Benefit) -> list[int]:
        return sorted(row.store_id for row in benefit.stores.all())


class BenefitRuleIn(serializers.Serializer[Any]):
    tier = serializers.CharField(max_length=40, required=False, allow_blank=True, default="")
    quota = serializers.IntegerField(
        min_value=1, max_value=LARGEST_QUOTA, required=False, allow_null=True, default=None
    )
    period = serializers.ChoiceField(choices=QuotaPeriod.choices, required=False, default=QuotaPeriod.MONTH.value)


class BenefitContentIn(serializers.Serializer[Any]):
    """The whole content of a benefit; what is left out has its default."""

    name = serializers.CharField(max_length=40)
    parameters = serializers.DictField(required=False, default=dict)
    description = serializers.CharField(max_length=300, required=False, allow_blank=True, default="")
    usage_rules = serializers.CharField(max_length=2_000, required=False, allow_blank=True, default="")
    icon = serializers.ChoiceField(choices=ICONS, required=False, default="gift")
    valid_from = serializers.DateTimeField(required=False, allow_null=True, default=None)
    valid_until = serializers.DateTimeField(required=False, allow_null=True, default=None)
    claimed_first = serializers.BooleanField(required=False, default=True)
    claim_days = serializers.IntegerField(
        min_value=1, max_value=3_660, required=False, allow_null=True, default=None
    )  # fmt: skip
    return_days = serializers.IntegerField(min_value=0, max_value=366, required=False, default=7)
    cost = serializers.IntegerField(min_value=0, max_value=10**12, required=False, default=0)
    partner_id = serializers.IntegerField(
        min_value=1, max_value=_LARGEST_ID, required=False, allow_null=True, default=None
    )  # fmt: skip
    condition = serializers.JSONField(required=False, allow_null=True, default=None)
    low_stock = serializers.IntegerField(min_value=0, max_value=100_000, required=False, default=0)
    store_ids = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=_LARGEST_ID),
        max_length=1_000, required=False, default=list,
    )  # fmt: skip
    rules = BenefitRuleIn(many=True, required=False, default=list)


class BenefitIn(BenefitContentIn):
    key = serializers.CharField(max_length=40)
    kind = serializers.ChoiceField(choices=BenefitKind.choices)


class BenefitChangeIn(BenefitContentIn):
    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1, required=False, allow_null=True, default=None)


class EntitlementSerializer(serializers.Serializer[Any]):
    """A benefit for one member now. `refusal` is empty when it can be had; `left` null: as often as they like."""

    key = serializers.CharField(source="benefit.key")
    name = serializers.CharField(source="benefit.name")
    kind = serializers.CharField(source="benefit.kind")
    description = serializers.CharField(source="benefit.description")
    claimed_first = serializers.BooleanField(source="benefit.claimed_first")
    holds = serializers.BooleanField()
    refusal = serializers.CharField()
    why = serializers.CharField()
    quota = serializers.IntegerField(allow_null=True)
    used = serializers.IntegerField()
    left = serializers.IntegerField(allow_null=True)
    renews_at = serializers.DateTimeField(allow_null=True)


class ClaimSerializer(serializers.ModelSerializer[MemberBenefit]):
    """A claim as it stands now. `code` is what the member shows: ours, or the partner's."""

    benefit = serializers.CharField(source="benefit.key")
    name = serializers.CharField(source="benefit.name")
    state = serializers.SerializerMethodField(help_text="claimed, redeemed, expired, voided or returned.")
    code = serializers.SerializerMethodField()
    store = serializers.CharField(source="store.code", default=None, allow_null=True)

    class Meta:
        model = MemberBenefit
        fields = (
            "id", "member_id", "benefit", "name", "state", "source", "code", "cost", "reference", "reason",
            "claimed_at", "expires_at", "use_reference", "redeemed_at", "store", "closed_at", "closed_reason",
        )  # fmt: skip

    def get_state(self, claim: MemberBenefit) -> str:
        return str(self.context["shown"][claim.pk].state)

    def get_code(self, claim: MemberBenefit) -> str:
        return str(self.context["shown"][claim.pk].code)


class ClaimIn(serializers.Serializer[Any]):
    reference = serializers.CharField(max_length=120, help_text="Permanent: the same one claims once.")


class UseIn(ClaimIn):
    store = serializers.CharField(max_length=32, required=False, allow_blank=True, default="", help_text="Its code.")


class IssueIn(ClaimIn):
    reason = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")


class CodeGiven(serializers.Serializer[Any]):
    code = serializers.CharField(max_length=60)


class RedeemIn(UseIn):
    code = serializers.CharField(max_length=60)


class ReasonIn(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")


class ClaimOut(serializers.Serializer[Any]):
    claim = ClaimSerializer()
    duplicate = serializers.BooleanField(help_text="It had been done under this reference before.")


class PartnerSerializer(serializers.ModelSerializer[Partner]):
    class Meta:
        model = Partner
        fields = ("id", "name", "contact", "terms", "is_active")


class PartnerIn(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=60)
    contact = serializers.CharField(max_length=120, required=False, allow_blank=True, default="")
    terms = serializers.CharField(max_length=2_000, required=False, allow_blank=True, default="")
    is_active = serializers.BooleanField(required=False, default=True)


class OwedSerializer(serializers.Serializer[Any]):
    key = serializers.CharField()
    name = serializers.CharField()
    settle_on = serializers.CharField(help_text="claim: codes given out; redeem: uses.")
    counted = serializers.IntegerField()
    counted_cost = serializers.IntegerField()
    returned = serializers.IntegerField(help_text="Taken back in the period, whenever it had been counted.")
    returned_cost = serializers.IntegerField()
    net = serializers.IntegerField()
    owed = serializers.IntegerField()


class SettlementSerializer(serializers.Serializer[Any]):
    items = OwedSerializer(many=True)
    owed = serializers.IntegerField()


class PartnerCodeIn(serializers.Serializer[Any]):
    code = serializers.CharField(max_length=1_000, allow_blank=True, trim_whitespace=False)
    expires_on = serializers.CharField(max_length=40, required=False, allow_blank=True, default="")


class PartnerCodesIn(serializers.Serializer[Any]):
    batch = serializers.CharField(max_length=60, help_text="The name of the delivery.")
    codes = serializers.ListField(child=PartnerCodeIn(), max_length=MOST_AT_ONCE)


class PartnerCodeOut(serializers.Serializer[Any]):
    status = serializers.CharField(help_text="accepted or rejected.")
    code = serializers.CharField(help_text="Why it was rejected.")
    field = serializers.CharField()


class PartnerCodesOut(serializers.Serializer[Any]):
    items = PartnerCodeOut(many=True)


class StockSerializer(serializers.Serializer[Any]):
    free = serializers.IntegerField()
    given = serializers.IntegerField()
    withdrawn = serializers.IntegerField()
    lapsed = serializers.IntegerField(help_text="Expired before anybody had them.")
