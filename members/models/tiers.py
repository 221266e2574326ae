from __future__ import annotations

import pgtrigger
from django.db import models
from django.db.models.functions import Now

from members.enums import (
    MembershipState,
    TierBasis,
    TierDowngrade,
    TierMoveKind,
    TierOnRefund,
    TierPeriod,
    TierReason,
    TierSource,
    TierStart,
    TierValidity,
    TierWindow,
)
from scrm.common.audit import audited
from scrm.common.placement import Placement


class Tier(models.Model):
    """A membership tier: what it is called and how it looks. Where it stands in the ladder says `TierRung`.

    `level` is that of the version in effect; a retired tier keeps the level that those who still hold it count at.
    """

    placement = Placement.REFERENCE

    key = models.CharField(max_length=32, unique=True)
    name = models.CharField(max_length=40)
    level = models.IntegerField()
    colour = models.CharField(max_length=16, default="grey")  # a badge tone of the console
    icon = models.CharField(max_length=32, default="medal")
    description = models.CharField(max_length=400, blank=True, default="")
    retired_at = models.DateTimeField(null=True)

    class Meta:
        triggers = [audited()]
        constraints = [
            models.CheckConstraint(condition=models.Q(level__gte=1, level__lte=50), name="tier_level_in_range"),
        ]

    def __str__(self) -> str:
        return self.name


class TierScheme(models.Model):
    """One version of the ladder's rules. The highest version whose time has come is in effect; versions are kept.

    `applied_at`: when everyone had been looked at by it.
    """

    placement = Placement.REFERENCE

    version = models.IntegerField(unique=True)
    effective_from = models.DateTimeField()
    basis = models.CharField(max_length=8, choices=TierBasis)
    window = models.CharField(max_length=12, choices=TierWindow)
    period = models.CharField(max_length=8, choices=TierPeriod)
    window_months = models.IntegerField()  # of a rolling window
    start = models.CharField(max_length=12, choices=TierStart)
    validity = models.CharField(max_length=16, choices=TierValidity)
    validity_months = models.IntegerField()  # of a validity in months
    extension_days = models.IntegerField()
    grace_days = models.IntegerField()
    notice_days = models.IntegerField()  # 0: nobody is told
    downgrade = models.CharField(max_length=8, choices=TierDowngrade)
    on_refund = models.CharField(max_length=8, choices=TierOnRefund)
    gifts_on_change = models.BooleanField()  # to those whom this version lifts
    made_at = models.DateTimeField(db_default=Now())
    actor = models.CharField(max_length=40)
    applied_at = models.DateTimeField(null=True)

    class Meta:
        triggers = [audited(), pgtrigger.Protect(name="kept", operation=pgtrigger.Delete)]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(
                    basis__in=TierBasis.values, window__in=TierWindow.values, period__in=TierPeriod.values,
                    start__in=TierStart.values, validity__in=TierValidity.values,
                    downgrade__in=TierDowngrade.values, on_refund__in=TierOnRefund.values,
                ),
                name="tier_scheme_words_known",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    version__gte=1, window_months__gte=1, window_months__lte=120,
                    validity_months__gte=1, validity_months__lte=120, extension_days__gte=0, extension_days__lte=366,
                    grace_days__gte=0, grace_days__lte=366, notice_days__gte=0, notice_days__lte=366,
                ),
                name="tier_scheme_numbers_in_range",
            ),
        ]  # fmt: skip


class TierRung(models.Model):
    """A step of one version of the ladder. Thresholds are growth, minor units of money, or orders.

    `retention` is what keeps the tier when it expires. `gifts` are rewards of reaching it (`members.rules.rewards`).
    """

    placement = Placement.REFERENCE

    scheme = models.ForeignKey(TierScheme, models.PROTECT, related_name="rungs", db_index=False)
    tier = models.ForeignKey(Tier, models.PROTECT, related_name="+", db_index=False)
    level = models.IntegerField()
    threshold = models.BigIntegerField()
    retention = models.BigIntegerField()
    gifts = models.JSONField(default=list)

    class Meta:
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]
        constraints = [
            models.UniqueConstraint(fields=["scheme", "level"], name="tier_rung_once"),
            models.UniqueConstraint(fields=["scheme", "tier"], name="tier_rung_tier_once"),
            models.CheckConstraint(
                condition=models.Q(level=1, threshold=0) | models.Q(level__gte=2, level__lte=50, threshold__gte=1),
                name="tier_rung_lowest_is_free",
            ),
            models.CheckConstraint(
                condition=models.Q(retention__gte=0, retention__lte=models.F("threshold")),
                name="tier_rung_retention_within_threshold",
            ),
        ]


class MemberTier(models.Model):
    """The tier of a member, and what it follows from: what was earned, paid for, set by hand.

    Members without a row have the lowest tier. `tier`, `source`, `since` and `expires_at` are of the one that counts;
    the other columns are read by `members.operations.tier_rows` alone. `next_check_at` is never late.
    """

    placement = Placement.MEMBER

    member = models.OneToOneField("members.Member", models.PROTECT, primary_key=True, related_name="+")
    tier = models.ForeignKey(Tier, models.PROTECT, related_name="+", db_index=False)
    source = models.CharField(max_length=8, choices=TierSource)
    since = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    cycle = models.IntegerField(default=0)  # counts the terms of the earned tier
    earned_tier = models.ForeignKey(Tier, models.PROTECT, null=True, related_name="+", db_index=False)
    earned_since = models.DateTimeField(null=True)
    ends_at = models.DateTimeField(null=True)
    earned_expires_at = models.DateTimeField(null=True)
    decide_at = models.DateTimeField(null=True)
    basis_from = models.DateTimeField(null=True)
    basis_to = models.DateTimeField(null=True)
    needed = models.BigIntegerField(default=0)
    noticed_cycle = models.IntegerField(default=0)
    hand_tier = models.ForeignKey(Tier, models.PROTECT, null=True, related_name="+", db_index=False)
    hand_since = models.DateTimeField(null=True)
    hand_until = models.DateTimeField(null=True)
    hand_rules = models.BooleanField(default=False)
    paid_tier = models.ForeignKey(Tier, models.PROTECT, null=True, related_name="+", db_index=False)
    paid_since = models.DateTimeField(null=True)
    paid_until = models.DateTimeField(null=True)
    move_count = models.IntegerField(default=0)
    next_check_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(source__in=TierSource.values), name="member_tier_source_known"),
            models.CheckConstraint(
                condition=models.Q(expires_at=None) | models.Q(expires_at__gt=models.F("since")),
                name="member_tier_expires_later",
            ),
            models.CheckConstraint(
                condition=models.Q(cycle__gte=0, noticed_cycle__gte=0, move_count__gte=0, needed__gte=0),
                name="member_tier_not_negative",
            ),
            models.CheckConstraint(
                condition=models.Q(hand_tier=None, hand_until=None)
                | models.Q(hand_tier__isnull=False, hand_until__isnull=False, hand_since__isnull=False),
                name="member_tier_hand_whole",
            ),
            models.CheckConstraint(
                condition=models.Q(paid_tier=None, paid_until=None)
                | models.Q(paid_tier__isnull=False, paid_until__isnull=False, paid_since__isnull=False),
                name="member_tier_paid_whole",
            ),
        ]
        indexes = [
            models.Index(fields=["tier", "member"], name="member_tier_by_tier"),
            models.Index(
                fields=["next_check_at"], condition=models.Q(next_check_at__isnull=False), name="member_tier_due"
            ),
        ]


class TierMove(models.Model):
    """A change of a member's tier, or that it was kept, with why. Append-only; numbered per member.

    `facts` say in which window which value met which number, or who set it and why.
    """

    placement = Placement.MEMBER

    pk = models.CompositePrimaryKey("member_id", "number")
    member = models.ForeignKey(
        "members.Member", models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    number = models.IntegerField()
    kind = models.CharField(max_length=10, choices=TierMoveKind)
    reason = models.CharField(max_length=10, choices=TierReason)
    before = models.ForeignKey(
        Tier, models.DO_NOTHING, null=True, related_name="+", db_index=False, db_constraint=False
    )
    after = models.ForeignKey(Tier, models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False)
    at = models.DateTimeField()
    decided_at = models.DateTimeField()
    scheme_version = models.IntegerField()
    cycle = models.IntegerField()
    facts = models.JSONField(default=dict)
    actor = models.CharField(max_length=40)

    class Meta:
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]
        constraints = [
            models.CheckConstraint(condition=models.Q(kind__in=TierMoveKind.values), name="tier_move_kind_known"),
            models.CheckConstraint(condition=models.Q(reason__in=TierReason.values), name="tier_move_reason_known"),
            models.CheckConstraint(condition=models.Q(number__gte=1), name="tier_move_numbered"),
        ]


class TierDay(models.Model):
    """How many members had a tier at the end of a day of the shop."""

    placement = Placement.LOCAL

    pk = models.CompositePrimaryKey("day", "tier_id")
    day = models.DateField()
    tier = models.ForeignKey(Tier, models.PROTECT, related_name="+", db_index=False)
    members = models.BigIntegerField()


class TierTrial(models.Model):
    """A ladder tried on everybody: who would move from where to where. Changes no member.

    `content` is the ladder as it was edited, upon `version` (0: there was none); facts count until `as_of`.
    """

    placement = Placement.LOCAL

    version = models.IntegerField()
    content = models.JSONField()
    as_of = models.DateTimeField()
    job = models.ForeignKey("common.Job", models.SET_NULL, null=True, related_name="+")
    result = models.JSONField(null=True)  # when it has finished
    finished_at = models.DateTimeField(null=True)
    created_by = models.CharField(max_length=40, blank=True)

    class Meta:
        triggers = [audited()]
        constraints = [
            models.CheckConstraint(condition=models.Q(version__gte=0), name="tier_trial_version"),
            models.CheckConstraint(
                condition=models.Q(result__isnull=True, finished_at=None)
                | models.Q(result__isnull=False, finished_at__isnull=False),
                name="tier_trial_finished_has_result",
            ),
        ]


class MembershipPlan(models.Model):
    """A paid membership (付费会员): what it costs, how long it lasts, and the tier or the badge that it brings."""

    placement = Placement.REFERENCE

    key = models.CharField(max_length=32, unique=True)
    name = models.CharField(max_length=40)
    tier = models.ForeignKey(Tier, models.PROTECT, null=True, related_name="+", db_index=False)
    colour = models.CharField(max_length=16, default="violet")
    description = models.CharField(max_length=400, blank=True, default="")
    price = models.BigIntegerField()  # minor units
    term_months = models.IntegerField()
    term_days = models.IntegerField()
    trial_days = models.IntegerField(default=0)  # 0: no trial
    notice_days = models.IntegerField(default=7)  # before the end, for renewal
    active = models.BooleanField(default=True)  # can be bought
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        triggers = [audited()]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(
                    price__gte=0, price__lte=10**9, term_months__gte=0, term_months__lte=120,
                    term_days__gte=0, term_days__lte=3660, trial_days__gte=0, trial_days__lte=366,
                    notice_days__gte=0, notice_days__lte=366,
                ),
                name="membership_plan_in_range",
            ),
            models.CheckConstraint(
                condition=models.Q(term_months__gte=1) | models.Q(term_days__gte=1), name="membership_plan_has_term"
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """One bought term of a plan. `price` is what was paid, `refunded` what was given back, in minor units.

    `due_at`: when a notice or the end is due; never late.
    """

    placement = Placement.MEMBER

    id = models.UUIDField(primary_key=True, db_default=models.Func(function="uuidv7"))
    member = models.ForeignKey("members.Member", models.PROTECT, related_name="+", db_index=False)
    plan = models.ForeignKey(MembershipPlan, models.PROTECT, related_name="+", db_index=False)
    reference = models.CharField(max_length=120)
    price = models.BigIntegerField()
    trial = models.BooleanField(default=False)
    auto_renew = models.BooleanField(default=False)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    state = models.CharField(max_length=8, choices=MembershipState, default=MembershipState.ACTIVE)
    bought_at = models.DateTimeField()
    refunded = models.BigIntegerField(default=0)
    refund_reference = models.CharField(max_length=120, blank=True, default="")
    closed_at = models.DateTimeField(null=True)  # ended or refunded
    noticed_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True)

    class Meta:
        triggers = [audited()]
        constraints = [
            models.UniqueConstraint(fields=["member", "reference"], name="membership_once"),
            models.UniqueConstraint(
                fields=["member", "plan"], condition=models.Q(trial=True), name="membership_one_trial"
            ),
            models.CheckConstraint(condition=models.Q(state__in=MembershipState.values), name="membership_state_known"),
            models.CheckConstraint(condition=models.Q(ends_at__gt=models.F("starts_at")), name="membership_has_term"),
            models.CheckConstraint(
                condition=models.Q(price__gte=0, refunded__gte=0, refunded__lte=models.F("price")),
                name="membership_refund_within_price",
            ),
            models.CheckConstraint(
                condition=models.Q(state="active", closed_at=None, refunded=0)
                | (~models.Q(state="active") & models.Q(closed_at__isnull=False, due_at=None)),
                name="membership_closed_has_time",
            ),
        ]
        indexes = [
            models.Index(fields=["member", "-ends_at"], name="membership_of_member"),
            models.Index(fields=["due_at"], condition=models.Q(due_at__isnull=False), name="membership_due"),
        ]
