from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from members.enums import PAID_STATES, OrderState
from scrm.common.placement import Placement


class OrderNumber(models.Model):
    """Finds an order by its number in the shop it came from; keeps (source, number) unique over all members."""

    placement = Placement.LOOKUP

    pk = models.CompositePrimaryKey("source_id", "external_number")
    source = models.ForeignKey("members.Source", models.PROTECT, related_name="+", db_index=False)
    external_number = models.CharField(max_length=64)
    member = models.ForeignKey("members.Member", models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    order_id = models.UUIDField()


class Order(models.Model):
    """An order. Amounts are minor units; `net_amount` is what remains after the order's refunds.

    `counts` says whether it counts as a purchase (paid and not refunded whole): the one place that decides it.
    """

    placement = Placement.MEMBER

    id = models.UUIDField(primary_key=True, db_default=models.Func(function="uuidv7"))
    member = models.ForeignKey("members.Member", models.PROTECT, related_name="+", db_index=False)
    source = models.ForeignKey("members.Source", models.PROTECT, related_name="+", db_index=False)
    external_number = models.CharField(max_length=64)
    state = models.CharField(max_length=12, choices=OrderState)
    store = models.ForeignKey("members.Store", models.PROTECT, null=True, related_name="+", db_index=False)
    channel = models.CharField(max_length=24, blank=True)
    amount = models.BigIntegerField()
    discount = models.BigIntegerField(default=0, db_default=0)
    refunded_amount = models.BigIntegerField(default=0, db_default=0)
    net_amount = models.GeneratedField(
        expression=models.F("amount") - models.F("refunded_amount"),
        output_field=models.BigIntegerField(),
        db_persist=True,
    )
    counts = models.GeneratedField(
        expression=models.Case(
            models.When(
                models.Q(state__in=[state.value for state in PAID_STATES], paid_at__isnull=False)
                & (models.Q(refunded_amount=0) | models.Q(amount__gt=models.F("refunded_amount"))),
                then=models.Value(True),
            ),
            default=models.Value(False),
        ),
        output_field=models.BooleanField(),
        db_persist=True,
    )
    ordered_at = models.DateTimeField()
    paid_at = models.DateTimeField(null=True)
    # The shop's own time of the last change: an older version of the order is ignored.
    version_at = models.DateTimeField()
    received_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["member", "source", "external_number"], name="order_once"),
            models.CheckConstraint(condition=models.Q(state__in=OrderState.values), name="order_state_known"),
            models.CheckConstraint(
                condition=models.Q(amount__gte=0, discount__gte=0), name="order_amounts_not_negative"
            ),
            models.CheckConstraint(
                condition=models.Q(refunded_amount__gte=0, refunded_amount__lte=models.F("amount")),
                name="order_refund_within_amount",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=["created", "closed"]) | models.Q(paid_at__isnull=False),
                name="order_paid_has_time",
            ),
        ]
        indexes = [
            # Covers RFM: an index-only scan in member order, so the aggregation needs no sort.
            models.Index(
                fields=["member"],
                include=["paid_at", "net_amount", "source"],
                condition=models.Q(counts=True),
                name="order_rfm",
            ),
            models.Index(fields=["member", "-ordered_at"], name="order_of_member"),
            models.Index(
                fields=["-paid_at"],
                include=["net_amount", "amount", "member", "source"],
                condition=models.Q(counts=True),
                name="order_by_paid",
            ),
        ]


class OrderLine(models.Model):
    """What was bought. `amount` is quantity × unit price rounded to the minor unit, before order discounts."""

    placement = Placement.MEMBER

    id = models.UUIDField(primary_key=True, db_default=models.Func(function="uuidv7"))
    member = models.ForeignKey(
        "members.Member", models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    order = models.ForeignKey(Order, models.CASCADE, related_name="lines", db_index=False)
    line_number = models.IntegerField()
    product = models.ForeignKey("members.Product", models.PROTECT, related_name="+", db_index=False)
    quantity = models.IntegerField()
    unit_price = models.DecimalField(max_digits=14, decimal_places=4)  # in major units: shops price below the cent
    amount = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["order", "line_number", "member"], name="order_line_once"),
            models.CheckConstraint(condition=models.Q(quantity__gt=0, amount__gte=0), name="order_line_positive"),
        ]


class Refund(models.Model):
    """Money given back: of one order, or (when the shop does not say which) of the member."""

    placement = Placement.MEMBER

    id = models.UUIDField(primary_key=True, db_default=models.Func(function="uuidv7"))
    member = models.ForeignKey("members.Member", models.PROTECT, related_name="+", db_index=False)
    order = models.ForeignKey(Order, models.PROTECT, null=True, related_name="refunds", db_index=False)
    source = models.ForeignKey("members.Source", models.PROTECT, related_name="+", db_index=False)
    external_number = models.CharField(max_length=64)
    # The order it named: kept so that a refund which comes before its order joins it later.
    order_number = models.CharField(max_length=64, blank=True, default="", db_default="")
    amount = models.BigIntegerField()
    refunded_at = models.DateTimeField()
    reason = models.CharField(max_length=200, blank=True)
    received_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["member", "source", "external_number"], name="refund_once"),
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="refund_positive"),
        ]
        indexes = [
            models.Index(fields=["member", "-refunded_at"], include=["amount", "order"], name="refund_of_member"),
            models.Index(fields=["order"], condition=models.Q(order__isnull=False), name="refund_of_order"),
            models.Index(
                fields=["source", "order_number"],
                condition=models.Q(order=None) & ~models.Q(order_number=""),
                name="refund_awaiting_order",
            ),
        ]
