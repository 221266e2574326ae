from __future__ import annotations

import pgtrigger
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models.functions import Now

from members.enums import EntryKind, ExpiryKind, HoldState, PointsAccountName, ReversalPolicy
from scrm.common.audit import audited
from scrm.common.placement import Placement

LARGEST_AMOUNT = 10**12
_LEDGER = ["booked_at", "member", "currency", "number"]


def _append_only() -> pgtrigger.Trigger:
    return pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)


class PointsCurrency(models.Model):
    """A kind of points: 积分, 成长值, or another. Its policies hold for what is earned from now on.

    `spendable` points can be held, spent and redeemed; the others (growth) are only earned and reversed.
    """

    placement = Placement.REFERENCE

    key = models.CharField(max_length=32, unique=True)
    name = models.CharField(max_length=40)
    spendable = models.BooleanField(default=True)
    pending_days = models.IntegerField(default=0)  # how long after earning points become available
    expiry = models.CharField(max_length=12, choices=ExpiryKind, default=ExpiryKind.NEVER)
    expiry_count = models.IntegerField(default=0)  # the N of `expiry`
    expiry_month = models.IntegerField(default=12)  # of a fixed day
    expiry_day = models.IntegerField(default=31)
    reversal = models.CharField(max_length=16, choices=ReversalPolicy, default=ReversalPolicy.ARREARS)
    grace_days = models.IntegerField(default=7)  # what is given back to an expired lot; 0: it lapses
    hold_minutes = models.IntegerField(default=30)  # after which a hold is released by itself
    warn_days = models.JSONField(default=list)  # how many days before expiry members are warned, e.g. [30, 7]
    cost_per_1000 = models.BigIntegerField(default=1_000)  # what 1,000 points cost, in minor units
    adjust_limit = models.BigIntegerField(default=1_000)  # adjustments above it need a second person
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        triggers = [audited()]
        constraints = [
            models.CheckConstraint(condition=models.Q(expiry__in=ExpiryKind.values), name="currency_expiry_known"),
            models.CheckConstraint(
                condition=models.Q(reversal__in=ReversalPolicy.values), name="currency_reversal_known"
            ),
            models.CheckConstraint(
                condition=models.Q(
                    pending_days__gte=0, pending_days__lte=3660, expiry_count__gte=0, expiry_count__lte=3660,
                    grace_days__gte=0, grace_days__lte=3660, hold_minutes__gte=1, hold_minutes__lte=525_600,
                    cost_per_1000__gte=0, adjust_limit__gte=0,
                    expiry_month__gte=1, expiry_month__lte=12, expiry_day__gte=1, expiry_day__lte=31,
                ),
                name="currency_policies_in_range",
            ),
            models.CheckConstraint(
                condition=~models.Q(expiry__in=["days", "months", "inactivity"]) | models.Q(expiry_count__gte=1),
                name="currency_expiry_counts",
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.name


class PointsAccount(models.Model):
    """What a member has of one currency, as booked: rebuildable from the entries, written by the ledger's functions.

    `available` is below zero exactly while the member is in arrears. `due_at` is an instant, never late, at which time
    alone changes the balances: lots become available or expire, holds time out.
    """

    placement = Placement.MEMBER

    pk = models.CompositePrimaryKey("member_id", "currency_id")
    # That there is such a member and such a currency is asked by the triggers `points_accounts_opened`, for all
    # accounts of a statement together, and `points_account_kept`.
    member = models.ForeignKey("members.Member", models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    currency = models.ForeignKey(PointsCurrency, models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    pending = models.BigIntegerField(db_default=0)
    available = models.BigIntegerField(db_default=0)
    held = models.BigIntegerField(db_default=0)
    last_number = models.BigIntegerField(db_default=0)  # of the newest entry
    due_at = models.DateTimeField(null=True)
    idle_at = models.DateTimeField(null=True)  # when everything expires unless something is earned or spent before
    closed_at = models.DateTimeField(null=True)  # moved to another member: nothing is booked here any more
    # The member is not active, or has received another's ledger: every booking asks about everything. Kept by triggers,
    # so that a booking need not look; may stand without need, is never missing.
    in_steps = models.BooleanField(db_default=False)

    class Meta:
        constraints = [
            # Nothing but `available` is below zero, and no sum of an account comes near the range of its type. It is a
            # function of the database (`migrations/0011_points.py`), because the words of a check are read anew at each
            # statement.
            models.CheckConstraint(
                condition=models.Func(
                    *("pending", "available", "held", "last_number"),
                    function="points_account_fits",
                    output_field=models.BooleanField(),
                ),
                name="points_account_fits",
            ),
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=models.Q(due_at__isnull=False), name="points_account_due"),
        ]


class PointsEntry(models.Model):
    """One step of a movement: `amount` points leave the account `debit` and enter the account `credit`.

    Double entry by construction: each row has both sides, so every movement sums to zero. Append-only. Entries of an
    account are numbered without gaps; `transaction` is the number of the movement's first entry, which alone carries
    the business `reference`: the same kind and reference is booked once. The trigger `points_entry_in_order` also sees
    to it that amount, kind and accounts are known ones, that one of the two accounts is the member's, and that the
    transaction began here or before (`points_entry_fits`).
    """

    placement = Placement.MEMBER

    pk = models.CompositePrimaryKey("member_id", "currency_id", "number")
    member = models.ForeignKey(
        "members.Member", models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    currency = models.ForeignKey(
        PointsCurrency, models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    number = models.BigIntegerField()
    transaction = models.BigIntegerField()
    kind = models.CharField(max_length=8, choices=EntryKind)
    debit = models.CharField(max_length=9, choices=PointsAccountName)
    credit = models.CharField(max_length=9, choices=PointsAccountName)
    amount = models.BigIntegerField()
    available_after = models.BigIntegerField()
    reference = models.CharField(max_length=120)
    source = models.CharField(max_length=80, blank=True, db_default="")  # what it is about: "order:<id>", "task:3" …
    reason = models.CharField(max_length=200, blank=True, db_default="")
    detail = models.JSONField(db_default=models.Value({}, models.JSONField()))  # how the amount came about
    actor = models.CharField(max_length=40)
    occurred_at = models.DateTimeField()  # when it is to count from
    booked_at = models.DateTimeField()
    lot = models.BigIntegerField(null=True)  # that all of it is taken of: instead of an allocation

    class Meta:
        triggers = [_append_only()]
        constraints = [
            # The reference comes first, so that it is found without knowing the member.
            models.UniqueConstraint(
                fields=["reference", "member", "currency", "kind"],
                condition=models.Q(transaction=models.F("number")),
                name="points_entry_once",
            ),
        ]
        indexes = [
            # What was taken back of a source, and what of it has expired.
            models.Index(
                fields=["member", "currency", "source"],
                condition=models.Q(kind__in=["reverse", "expire"]),
                name="points_entry_taken_back",
            ),
            # The ledger of everybody, by time: entries stand in the order in which they were booked, so that each
            # movement pays nothing for it. What is rare there, and what people booked, have their own.
            BrinIndex(fields=["booked_at"], pages_per_range=32, autosummarize=True, name="points_entry_recent"),
            models.Index(
                fields=["kind", *_LEDGER],
                condition=models.Q(kind__in=["adjust", "move", "refund", "reverse"]),
                name="points_entry_rare",
            ),
            models.Index(
                fields=["actor", *_LEDGER],
                condition=models.Q(actor__startswith="user:"),
                name="points_entry_by_people",
            ),
        ]


class PointsLot(models.Model):
    """What one entry credited, and how much of it is left: spending takes what expires first.

    `remaining` = `earned` less what was taken (`points_takings`); `held` of the remaining is reserved by open holds.
    `open` stands for `remaining > 0` in the index, so that taking a part of a lot touches no index; its function also
    sees to it that earned is more than nothing, held within remaining, remaining within earned (`points_lot_fits`).
    What a source earned is found among the member's lots.
    """

    placement = Placement.MEMBER

    pk = models.CompositePrimaryKey("member_id", "currency_id", "number")
    member = models.ForeignKey(
        "members.Member", models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    currency = models.ForeignKey(
        PointsCurrency, models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    number = models.BigIntegerField()  # of the entry that credited it
    earned = models.BigIntegerField()
    remaining = models.BigIntegerField()
    held = models.BigIntegerField(db_default=0)
    active = models.BooleanField()  # available, no longer pending
    earned_at = models.DateTimeField()
    activates_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    source = models.CharField(max_length=80, blank=True, db_default="")
    open = models.GeneratedField(
        expression=models.Func(
            "earned", "held", "remaining", function="points_lot_open", output_field=models.BooleanField()
        ),
        output_field=models.BooleanField(),
        db_persist=True,
    )

    class Meta:
        indexes = [
            # In the order in which lots are consumed.
            models.Index(
                fields=["member", "currency", "expires_at", "earned_at", "number"],
                condition=models.Q(open=True),
                name="points_lot_open",
            ),
        ]


class PointsAllocation(models.Model):
    """What an entry did to a lot. Append-only: a lot is what its allocations say, and entries that took of it alone.

    Both together are the view `points_takings`: what most spendings take of one lot costs them no row of its own.

    `taken` reduces what remains of the lot, `reserved` what is free of it; negative amounts give back. `origin` is the
    entry whose taking is given back, or the entry itself. One of the amounts is not zero, and no entry takes more than
    it moved or gives back more than was taken: the trigger `points_allocation_fits`.
    """

    placement = Placement.MEMBER

    pk = models.CompositePrimaryKey("member_id", "currency_id", "entry", "lot", "origin")
    member = models.ForeignKey(
        "members.Member", models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    currency = models.ForeignKey(
        PointsCurrency, models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    entry = models.BigIntegerField()
    lot = models.BigIntegerField()
    origin = models.BigIntegerField()
    taken = models.BigIntegerField(db_default=0)
    reserved = models.BigIntegerField(db_default=0)

    class Meta:
        triggers = [_append_only()]
        indexes = [
            models.Index(
                fields=["member", "currency", "origin"],
                condition=~models.Q(origin=models.F("entry")),
                name="points_allocation_by_origin",
            ),
        ]


class PointsHold(models.Model):
    """Points set aside for a purchase that is under way: posted up to its amount, voided, or timed out; once."""

    placement = Placement.MEMBER

    pk = models.CompositePrimaryKey("member_id", "currency_id", "number")
    member = models.ForeignKey(
        "members.Member", models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    currency = models.ForeignKey(
        PointsCurrency, models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    number = models.BigIntegerField()  # of the entry that set it aside
    reference = models.CharField(max_length=120)
    amount = models.BigIntegerField()
    posted = models.BigIntegerField(db_default=0)
    state = models.CharField(max_length=9, choices=HoldState, db_default=HoldState.OPEN)
    expires_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["member", "currency", "reference"], name="points_hold_once"),
            models.CheckConstraint(condition=models.Q(state__in=HoldState.values), name="points_hold_state_known"),
            models.CheckConstraint(
                condition=models.Q(amount__gte=1, posted__gte=0, posted__lte=models.F("amount")),
                name="points_hold_posted_within",
            ),
            models.CheckConstraint(
                condition=models.Q(state="open", resolved_at=None) | ~models.Q(state="open"),
                name="points_hold_open_unresolved",
            ),
            models.CheckConstraint(
                condition=models.Q(state="open") | models.Q(resolved_at__isnull=False),
                name="points_hold_resolved_has_time",
            ),
            models.CheckConstraint(
                condition=models.Q(state="posted", posted__gte=1) | (~models.Q(state="posted") & models.Q(posted=0)),
                name="points_hold_posted_says_how_much",
            ),
        ]
        indexes = [
            models.Index(
                fields=["member", "currency", "expires_at"],
                condition=models.Q(state="open"),
                name="points_hold_open",
            ),
        ]
