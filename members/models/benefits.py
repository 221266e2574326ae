from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from members.enums import BenefitKind, BenefitState, ClaimSource, ClaimState, CodeState, QuotaPeriod
from scrm.common.audit import audited
from scrm.common.placement import Placement

# States that use up a quota: what was voided or taken back gives it back.
FREED = [ClaimState.VOIDED.value, ClaimState.RETURNED.value]
LARGEST_QUOTA = 1_000


class Partner(models.Model):
    """Another business that members use a benefit at, and that is paid per use."""

    placement = Placement.REFERENCE

    name = models.CharField(max_length=60, unique=True)
    contact = models.CharField(max_length=120, blank=True)
    terms = models.TextField(max_length=2_000, blank=True)  # how it is settled, in words
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        triggers = [audited()]

    def __str__(self) -> str:
        return self.name


class Benefit(models.Model):
    """Something that members are entitled to (权益): who, by its rules and its condition; how often, by the rules.

    `claimed_first`: the member claims it and then uses the claim; otherwise it is used as it stands. `parameters` are
    those of its kind (`rules.benefits.PARAMETERS`). `cost` is in minor units per use. A benefit without a rule is
    nobody's.
    """

    placement = Placement.REFERENCE

    key = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=40)
    kind = models.CharField(max_length=20, choices=BenefitKind)
    parameters = models.JSONField(default=dict)
    description = models.CharField(max_length=300, blank=True)  # for members
    usage_rules = models.TextField(max_length=2_000, blank=True)  # for members and staff
    icon = models.CharField(max_length=32, default="gift")
    state = models.CharField(max_length=8, choices=BenefitState, default=BenefitState.DRAFT)
    valid_from = models.DateTimeField(null=True)
    valid_until = models.DateTimeField(null=True)  # exclusive
    claimed_first = models.BooleanField(default=True)
    claim_days = models.IntegerField(null=True)  # how long a claim can be used; null: as long as the benefit is there
    return_days = models.IntegerField(default=7)  # how long a use can be taken back
    cost = models.BigIntegerField(default=0)
    partner = models.ForeignKey(Partner, models.PROTECT, null=True, related_name="benefits")
    condition = models.JSONField(null=True)  # narrows the rules down, in the language of conditions
    low_stock = models.IntegerField(default=0)  # of partner codes: fewer are told to administrators
    low_stock_at = models.DateTimeField(null=True)  # since when they have been told
    version = models.IntegerField(default=1)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        triggers = [audited("low_stock_at")]
        constraints = [
            models.CheckConstraint(condition=models.Q(kind__in=BenefitKind.values), name="benefit_kind_known"),
            models.CheckConstraint(condition=models.Q(state__in=BenefitState.values), name="benefit_state_known"),
            models.CheckConstraint(
                condition=models.Q(valid_from=None)
                | models.Q(valid_until=None)
                | models.Q(valid_until__gt=models.F("valid_from")),
                name="benefit_valid_in_order",
            ),
            models.CheckConstraint(
                condition=models.Q(cost__gte=0, cost__lte=10**12, return_days__gte=0, return_days__lte=366)
                & models.Q(low_stock__gte=0, low_stock__lte=100_000)
                & (models.Q(claim_days=None) | models.Q(claim_days__gte=1, claim_days__lte=3_660)),
                name="benefit_in_range",
            ),
            # A code is given to somebody: it cannot be used before.
            models.CheckConstraint(
                condition=~models.Q(kind="partner_code") | models.Q(claimed_first=True),
                name="benefit_codes_are_claimed",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class BenefitRule(models.Model):
    """Who gets a benefit and how often: members of a tier, or everybody (`tier` empty; a rule of the tier wins).

    `quota` uses per `period`; null: as often as they like.
    """

    placement = Placement.REFERENCE

    benefit = models.ForeignKey(Benefit, models.CASCADE, related_name="rules")
    tier = models.CharField(max_length=40, blank=True)  # the key of a tier
    quota = models.IntegerField(null=True)
    period = models.CharField(max_length=12, choices=QuotaPeriod, default=QuotaPeriod.MONTH)

    class Meta:
        triggers = [audited()]
        constraints = [
            models.UniqueConstraint(fields=["benefit", "tier"], name="benefit_rule_once"),
            models.CheckConstraint(condition=models.Q(period__in=QuotaPeriod.values), name="benefit_rule_period_known"),
            models.CheckConstraint(
                condition=models.Q(quota=None) | models.Q(quota__gte=1, quota__lte=LARGEST_QUOTA),
                name="benefit_rule_quota_in_range",
            ),
            models.CheckConstraint(
                condition=~models.Q(tier="") | ~models.Q(period="tier_cycle"), name="benefit_rule_cycle_needs_tier"
            ),
        ]


class BenefitStore(models.Model):
    """A store where a benefit can be used. A benefit without any can be used everywhere."""

    placement = Placement.REFERENCE

    benefit = models.ForeignKey(Benefit, models.CASCADE, related_name="stores")
    store = models.ForeignKey("members.Store", models.PROTECT, related_name="+")

    class Meta:
        triggers = [audited()]
        constraints = [models.UniqueConstraint(fields=["benefit", "store"], name="benefit_store_once")]


class MemberBenefit(models.Model):
    """One use of a benefit by a member, from the claim to the end.

    A claim takes the `ordinal` of its quota's period, at most `quota`; so the table itself keeps more than the quota
    from being claimed, whoever claims at the same time. Claims outside of quotas (given by staff, rewards) have the
    period "given" and no quota. Expiry holds from `expires_at` on, also before `state` says so. `cost` is that of the
    benefit when it was claimed.
    """

    placement = Placement.MEMBER

    id = models.UUIDField(primary_key=True, db_default=models.Func(function="uuidv7"))
    member = models.ForeignKey("members.Member", models.PROTECT, related_name="+", db_index=False)
    benefit = models.ForeignKey(Benefit, models.PROTECT, related_name="+", db_index=False)
    period = models.CharField(max_length=40)
    ordinal = models.IntegerField()
    quota = models.IntegerField(null=True)
    state = models.CharField(max_length=8, choices=ClaimState, db_default=ClaimState.CLAIMED)
    source = models.CharField(max_length=8, choices=ClaimSource)
    code = models.CharField(max_length=14, blank=True, db_default="")
    partner_code_id = models.BigIntegerField(null=True)  # of the BenefitCode that was given
    cost = models.BigIntegerField(db_default=0)
    reference = models.CharField(max_length=120)
    given_for = models.CharField(max_length=80, blank=True, db_default="")  # what a reward goes back with
    reason = models.CharField(max_length=200, blank=True, db_default="")
    actor = models.CharField(max_length=40)  # who claimed or gave it
    claimed_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    use_reference = models.CharField(max_length=120, null=True)
    used_by = models.CharField(max_length=40, blank=True, db_default="")
    redeemed_at = models.DateTimeField(null=True)
    store = models.ForeignKey("members.Store", models.PROTECT, null=True, related_name="+", db_index=False)
    staff = models.ForeignKey(
        "members.Staff", models.DO_NOTHING, null=True, related_name="+", db_index=False, db_constraint=False
    )
    closed_at = models.DateTimeField(null=True)  # expired, voided or taken back
    closed_reason = models.CharField(max_length=200, blank=True, db_default="")

    class Meta:
        # Claimed by the thousand; what happens to a claim afterwards is what the audit log is for.
        triggers = [audited("code", insert=False)]
        constraints = [
            models.UniqueConstraint(
                fields=["member", "benefit", "period", "ordinal"],
                condition=~models.Q(state__in=FREED),
                name="benefit_claim_within_quota",
            ),
            models.UniqueConstraint(fields=["member", "reference"], name="benefit_claim_once"),
            models.UniqueConstraint(fields=["member", "use_reference"], name="benefit_use_once"),
            models.CheckConstraint(
                condition=models.Q(ordinal__gte=1)
                & (models.Q(quota=None) | models.Q(ordinal__lte=models.F("quota")))
                & models.Q(cost__gte=0),
                name="benefit_claim_ordinal_within_quota",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=ClaimState.values, source__in=ClaimSource.values),
                name="benefit_claim_words_known",
            ),
            models.CheckConstraint(
                condition=(
                    models.Q(state__in=["redeemed", "returned"], redeemed_at__isnull=False, use_reference__isnull=False)
                    | models.Q(state__in=["claimed", "expired", "voided"], redeemed_at=None, use_reference=None)
                ),
                name="benefit_claim_used_has_time",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=["claimed", "redeemed"], closed_at=None)
                | models.Q(state__in=["expired", "voided", "returned"], closed_at__isnull=False),
                name="benefit_claim_closed_has_time",
            ),
        ]
        indexes = [
            models.Index(fields=["member", "-claimed_at"], name="benefit_claim_of_member"),
            models.Index(
                fields=["member", "given_for"], condition=~models.Q(given_for=""), name="benefit_claim_given_for"
            ),
            models.Index(fields=["benefit", "-claimed_at", "-id"], name="benefit_claim_of_benefit"),
            models.Index(
                fields=["benefit", "redeemed_at"],
                condition=models.Q(redeemed_at__isnull=False),
                name="benefit_claim_used",
            ),
            models.Index(fields=["benefit", "closed_at"], condition=models.Q(closed_at__isnull=False),
                         name="benefit_claim_closed"),
            models.Index(
                fields=["expires_at"],
                condition=models.Q(state="claimed", expires_at__isnull=False),
                name="benefit_claim_expiring",
            ),
            # Rewards that wait for a partner's code: few of many claims, the oldest first.
            models.Index(
                fields=["benefit", "claimed_at", "id"],
                condition=models.Q(period="owed", state="claimed"),
                name="benefit_claim_owed",
            ),
        ]  # fmt: skip


class BenefitClaimCode(models.Model):
    """Finds a claim by the code that its member shows; keeps codes unique over all members."""

    placement = Placement.LOOKUP

    code = models.CharField(max_length=14, primary_key=True)
    member = models.ForeignKey("members.Member", models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    claim_id = models.UUIDField()


class BenefitCode(models.Model):
    """A code of a partner's, from its stock to the member who got it. Sealed; found by its digest.

    On the coordinator, because claimers pass over each other's codes (FOR UPDATE SKIP LOCKED).
    """

    placement = Placement.LOCAL

    benefit = models.ForeignKey(Benefit, models.PROTECT, related_name="+", db_index=False)
    digest = models.CharField(max_length=43)
    sealed = models.BinaryField()
    hint = models.CharField(max_length=8)  # the last characters, to talk about it
    state = models.CharField(max_length=10, choices=CodeState, default=CodeState.FREE)
    batch = models.CharField(max_length=60)  # the delivery it came in
    expires_at = models.DateTimeField(null=True)
    added_at = models.DateTimeField()
    given_at = models.DateTimeField(null=True)
    member_id = models.BigIntegerField(null=True)
    claim_id = models.UUIDField(null=True)

    class Meta:
        triggers = [audited(insert=False)]
        constraints = [
            models.UniqueConstraint(fields=["benefit", "digest"], name="benefit_code_once"),
            models.CheckConstraint(condition=models.Q(state__in=CodeState.values), name="benefit_code_state_known"),
            models.CheckConstraint(
                condition=~models.Q(state="given")
                | models.Q(member_id__isnull=False, claim_id__isnull=False, given_at__isnull=False),
                name="benefit_code_given_to_somebody",
            ),
            models.CheckConstraint(
                condition=~models.Q(state="free") | models.Q(member_id=None, claim_id=None, given_at=None),
                name="benefit_code_free_is_nobodys",
            ),
        ]
        indexes = [
            # In the order in which they are given out.
            models.Index(
                fields=["benefit", "expires_at", "id"], condition=models.Q(state="free"), name="benefit_code_free"
            ),
        ]
