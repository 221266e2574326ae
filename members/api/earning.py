"""The API of earning rules: the twins of the pages that write them, try them out, and say what an order earned."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from members.api.managed import ConditionedView
from members.enums import EarningTrigger
from members.models import EarningPeriod, EarningRule, EarningTrial
from members.operations import earning_backfill, earning_rules, earning_trials
from members.queries import earning
from scrm.api.views import ApiView, valid
from scrm.common import clock
from scrm.common.access import Permission


class EarningPeriodSerializer(serializers.ModelSerializer[EarningPeriod]):
    """From when until before when a version counts."""

    version = serializers.IntegerField(source="version.number")

    class Meta:
        model = EarningPeriod
        fields = ("version", "starts_at", "ends_at")


class EarningRuleSerializer(serializers.ModelSerializer[EarningRule]):
    """A rule with its newest version; `text` says it in words, `budget_used` what its budget has given."""

    currency = serializers.CharField(source="currency.key")
    definition = serializers.SerializerMethodField()
    text = serializers.SerializerMethodField()
    budget_used = serializers.SerializerMethodField()
    periods = EarningPeriodSerializer(many=True)

    class Meta:
        model = EarningRule
        fields = (
            "id", "name", "currency", "trigger", "state", "version", "definition", "text", "budget_used", "periods",
            "created_by", "created_at",
        )  # fmt: skip

    def get_definition(self, rule: EarningRule) -> dict[str, Any]:
        return dict(earning.newest(rule).definition)

    def get_text(self, rule: EarningRule) -> list[str]:
        return earning.words(rule, earning.newest(rule))

    def get_budget_used(self, rule: EarningRule) -> int:
        return rule.budget.used if hasattr(rule, "budget") else 0


class EarningRuleListSerializer(serializers.Serializer[Any]):
    items = EarningRuleSerializer(many=True)


class EarningChangeIn(serializers.Serializer[Any]):
    """`version` is the one that was read; another one meanwhile is a conflict."""

    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1)
    name = serializers.CharField(max_length=60, required=False)
    definition = serializers.DictField()
    note = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")


class EarningRuleIn(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=60)
    currency = serializers.CharField(max_length=32, default="points")
    trigger = serializers.ChoiceField(choices=EarningTrigger.choices, default=EarningTrigger.ORDER.value)
    definition = serializers.DictField()
    note = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")


class EarningActivateIn(serializers.Serializer[Any]):
    """With `starts_at` in the past, orders that were paid since then get their points in the background."""

    starts_at = serializers.DateTimeField(required=False, allow_null=True, default=None)
    ends_at = serializers.DateTimeField(required=False, allow_null=True, default=None)


class EarningTrialIn(serializers.Serializer[Any]):
    from_on = serializers.DateField(required=False, allow_null=True, default=None)
    until_on = serializers.DateField(required=False, allow_null=True, default=None)


class EarningTrialSerializer(serializers.ModelSerializer[EarningTrial]):
    """A dry run; `result` is null until its job has finished. Points `before` and `after`; of those not expired yet
    `open_before` and `open_after`."""

    version = serializers.IntegerField(source="version.number")
    state = serializers.CharField(source="job.state", allow_null=True, default=None)
    result = serializers.JSONField(allow_null=True)

    class Meta:
        model = EarningTrial
        fields = ("id", "rule_id", "version", "job_id", "state", "from_on", "until_on", "result", "finished_at")


class EarnedLineSerializer(serializers.Serializer[Any]):
    """One rule's share, or what a refund took back; `text` says it in words."""

    rule_id = serializers.IntegerField(allow_null=True)
    version = serializers.IntegerField(allow_null=True)
    points = serializers.IntegerField()
    text = serializers.CharField()


class EarnedSerializer(serializers.Serializer[Any]):
    """What an order earned in one currency: `gross` before refunds, `points` after, `booked` as the ledger has it."""

    currency = serializers.CharField()
    occurred_at = serializers.DateTimeField()
    gross = serializers.IntegerField()
    points = serializers.IntegerField()
    booked = serializers.IntegerField()
    lines = EarnedLineSerializer(many=True)


class EarnedListSerializer(serializers.Serializer[Any]):
    items = EarnedSerializer(many=True)


class _EarningView(ConditionedView):
    def answer(self, rule_id: int, status: int = 200) -> Response:
        return Response(EarningRuleSerializer(earning.get(rule_id)).data, status=status)


class EarningRuleListView(_EarningView):
    """Every earning rule: some dozens."""

    @extend_schema(operation_id="earning_rules_list", responses=EarningRuleListSerializer)
    def get(self, request: Request) -> Response:
        return Response({"items": EarningRuleSerializer(earning.rules(), many=True).data})

    @extend_schema(
        operation_id="earning_rules_create", request=EarningRuleIn, responses={201: EarningRuleSerializer}
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """As a draft: it counts once it is activated."""
        made = earning_rules.create(now=clock.now(), **valid(EarningRuleIn(data=request.data)))
        return self.answer(made.pk, 201)


class EarningRuleView(_EarningView):
    @extend_schema(operation_id="earning_rules_retrieve", responses=EarningRuleSerializer)
    def get(self, request: Request, rule_id: int) -> Response:
        return self.answer(rule_id)

    @extend_schema(operation_id="earning_rules_update", request=EarningChangeIn, responses=EarningRuleSerializer)
    def put(self, request: Request, rule_id: int) -> Response:
        """The next version. Of an active rule it counts for facts from now on."""
        earning_rules.revise(rule_id=rule_id, now=clock.now(), **valid(EarningChangeIn(data=request.data)))
        return self.answer(rule_id)


class EarningRuleActivateView(_EarningView):
    @extend_schema(
        operation_id="earning_rules_activate", request=EarningActivateIn, responses=EarningRuleSerializer
    )  # fmt: skip
    def post(self, request: Request, rule_id: int) -> Response:
        earning_rules.activate(rule_id=rule_id, now=clock.now(), **valid(EarningActivateIn(data=request.data)))
        earning_backfill.queue(rule_id=rule_id, actor=self.actor)
        return self.answer(rule_id)


class EarningRulePauseView(_EarningView):
    @extend_schema(operation_id="earning_rules_pause", request=None, responses=EarningRuleSerializer)
    def post(self, request: Request, rule_id: int) -> Response:
        earning_rules.pause(rule_id=rule_id, now=clock.now())
        return self.answer(rule_id)


class EarningRuleEndView(_EarningView):
    @extend_schema(operation_id="earning_rules_end", request=None, responses=EarningRuleSerializer)
    def post(self, request: Request, rule_id: int) -> Response:
        earning_rules.end(rule_id=rule_id, now=clock.now())
        return self.answer(rule_id)


class EarningTrialListView(_EarningView):
    @extend_schema(
        operation_id="earning_trials_create", request=EarningTrialIn, responses={202: EarningTrialSerializer}
    )  # fmt: skip
    def post(self, request: Request, rule_id: int) -> Response:
        """Try the newest version on past orders, in the background. Nothing is booked."""
        trial = earning_trials.queue(
            rule_id=rule_id, actor=self.actor, now=clock.now(), **valid(EarningTrialIn(data=request.data))
        )  # fmt: skip
        return Response(EarningTrialSerializer(trial).data, status=202)


class EarningTrialView(_EarningView):
    @extend_schema(operation_id="earning_trials_retrieve", responses=EarningTrialSerializer)
    def get(self, request: Request, trial_id: int) -> Response:
        return Response(EarningTrialSerializer(earning.trial(trial_id)).data)


class OrderEarningView(ApiView):
    """Why an order earned what it did."""

    permission = Permission.LOYALTY_VIEW

    @extend_schema(operation_id="orders_earning", responses=EarnedListSerializer)
    def get(self, request: Request, order_id: UUID) -> Response:
        items = [
            {
                "currency": one.currency.key, "occurred_at": one.occurred_at, "gross": one.gross,
                "points": one.points, "booked": one.booked,
                "lines": [
                    {
                        "rule_id": line.get("rule_id"), "version": line.get("version"), "points": line["points"],
                        "text": text,
                    }
                    for line, text in zip(one.lines, one.sentences, strict=True)
                ],
            }
            for one in earning.explain(order_id=order_id, actor=self.actor)
        ]  # fmt: skip
        return Response(EarnedListSerializer({"items": items}).data)
