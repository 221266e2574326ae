"""The API of the membership ladder and of members' tiers."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from members.api.managed import ManagedView
from members.enums import (
    TierBasis,
    TierDowngrade,
    TierOnRefund,
    TierPeriod,
    TierStart,
    TierValidity,
    TierWindow,
)
from members.models import Tier, TierScheme, TierTrial
from members.operations import tier_schemes as schemes
from members.operations import tier_trials
from members.operations import tiers as operations
from members.queries import profiles, tier_preview, tier_schemes, tiers
from members.rules.rewards import dump
from scrm.api.views import valid
from scrm.common import clock
from scrm.common.access import Permission
from scrm.common.errors import Invalid, NotFound


class TierSerializer(serializers.ModelSerializer[Tier]):
    class Meta:
        model = Tier
        fields = ("id", "key", "name", "level", "colour", "icon", "description")


class StepInSerializer(serializers.Serializer[Any]):
    tier_id = serializers.IntegerField(required=False, allow_null=True, min_value=1)
    key = serializers.CharField(max_length=32, required=False, allow_blank=True, default="")
    name = serializers.CharField(max_length=40)
    threshold = serializers.IntegerField(min_value=0, max_value=schemes.LARGEST)
    retention = serializers.IntegerField(min_value=0, max_value=schemes.LARGEST, required=False, allow_null=True)
    colour = serializers.ChoiceField(choices=schemes.TONES, default="grey")
    icon = serializers.ChoiceField(choices=schemes.ICONS, default="medal")
    description = serializers.CharField(max_length=400, required=False, allow_blank=True, default="")
    gifts = serializers.ListField(child=serializers.DictField(), required=False, default=list)


class SettingsSerializer(serializers.Serializer[Any]):
    basis = serializers.ChoiceField(choices=TierBasis.choices)
    window = serializers.ChoiceField(choices=TierWindow.choices)
    period = serializers.ChoiceField(choices=TierPeriod.choices, default=TierPeriod.YEAR)
    window_months = serializers.IntegerField(min_value=1, max_value=120, default=12)
    start = serializers.ChoiceField(choices=TierStart.choices, default=TierStart.AT_ONCE)
    validity = serializers.ChoiceField(choices=TierValidity.choices)
    validity_months = serializers.IntegerField(min_value=1, max_value=120, default=12)
    extension_days = serializers.IntegerField(min_value=0, max_value=366, default=0)
    grace_days = serializers.IntegerField(min_value=0, max_value=366, default=0)
    notice_days = serializers.IntegerField(min_value=0, max_value=366, default=30)
    downgrade = serializers.ChoiceField(choices=TierDowngrade.choices, default=TierDowngrade.EARNED)
    on_refund = serializers.ChoiceField(choices=TierOnRefund.choices, default=TierOnRefund.KEEP)
    gifts_on_change = serializers.BooleanField(default=False)


class LadderInSerializer(SettingsSerializer):
    steps = StepInSerializer(many=True)
    version = serializers.IntegerField(min_value=0, help_text="The version that was read last; 0 for the first.")
    effective_from = serializers.DateTimeField(required=False, allow_null=True)


class StepSerializer(serializers.Serializer[Any]):
    tier = TierSerializer()
    level = serializers.IntegerField()
    threshold = serializers.IntegerField()
    retention = serializers.IntegerField()
    gifts = serializers.SerializerMethodField()

    def get_gifts(self, step: tier_schemes.Step) -> list[dict[str, Any]]:
        return dump(step.gifts)


class LadderSerializer(SettingsSerializer):
    version = serializers.IntegerField()
    effective_from = serializers.DateTimeField()
    applied_at = serializers.DateTimeField(allow_null=True)
    steps = StepSerializer(many=True)


def _ladder(row: TierScheme) -> dict[str, Any]:
    settings = {name: getattr(row, name) for name in schemes.SETTINGS}
    return LadderSerializer(
        {
            **settings, "version": row.version, "effective_from": row.effective_from, "applied_at": row.applied_at,
            "steps": tier_schemes.steps(row),
        }
    ).data  # fmt: skip


def _content(data: dict[str, Any]) -> schemes.Content:
    known = {name: data[name] for name in schemes.SETTINGS}
    return schemes.Content(steps=[schemes.StepContent(**step) for step in data["steps"]], **known)


class LadderView(ManagedView):
    """The ladder of membership tiers: the version in effect."""

    @extend_schema(operation_id="tiers_retrieve", responses=LadderSerializer)
    def get(self, request: Request) -> Response:
        row = tier_schemes.row_in_effect(clock.now())
        if row is None:
            raise NotFound(_("There are no tiers yet."), code="no_ladder")
        return Response(_ladder(row))

    @extend_schema(operation_id="tiers_update", request=LadderInSerializer, responses=LadderSerializer)
    def put(self, request: Request) -> Response:
        """Make the next version. Nobody loses a tier by it that has not expired."""
        data = valid(LadderInSerializer(data=request.data))
        made = schemes.save(
            content=_content(data), version=data["version"], effective_from=data.get("effective_from"),
            actor=self.actor, now=clock.now(),
        )  # fmt: skip
        return Response(_ladder(made))


class LadderVersionsView(ManagedView):
    """Every version of the ladder, the newest first."""

    @extend_schema(
        operation_id="tiers_versions",
        responses=inline_serializer("LadderVersions", {"items": LadderSerializer(many=True)}),
    )
    def get(self, request: Request) -> Response:
        return Response({"items": [_ladder(row) for row in tier_schemes.versions()]})


class _MoveSerializer(serializers.Serializer[Any]):
    before = serializers.IntegerField(help_text="The level held, by the ladder to come.")
    after = serializers.IntegerField(help_text="The level that it would be.")
    members = serializers.IntegerField()


class MigrationSerializer(serializers.Serializer[Any]):
    members = serializers.IntegerField()
    moves = _MoveSerializer(many=True)
    settled = _MoveSerializer(many=True)
    gifts = serializers.IntegerField()
    cost = serializers.IntegerField(help_text="Of points, in minor units.")
    grants = serializers.IntegerField()
    exact = serializers.BooleanField()


class TrialSerializer(serializers.ModelSerializer[TierTrial]):
    """A ladder tried on everybody, upon a `version`; `result` is null until its job has finished. Facts count until
    `as_of`."""

    state = serializers.CharField(source="job.state", allow_null=True, default=None)
    done = serializers.IntegerField(source="job.done", allow_null=True, default=None)
    total = serializers.IntegerField(source="job.total", allow_null=True, default=None)
    error_code = serializers.CharField(source="job.error_code", allow_null=True, default=None)
    result = serializers.SerializerMethodField()

    class Meta:
        model = TierTrial
        fields = (
            "id", "version", "as_of", "job_id", "state", "done", "total", "error_code", "result", "finished_at",
        )  # fmt: skip

    @extend_schema_field(MigrationSerializer(allow_null=True))
    def get_result(self, trial: TierTrial) -> dict[str, Any] | None:
        found = tier_preview.found_by(trial)
        return None if found is None else _migration(found)


def _migration(found: tier_preview.Migration) -> dict[str, Any]:
    named = {
        name: [dict(zip(("before", "after", "members"), move, strict=True)) for move in getattr(found, name)]
        for name in ("moves", "settled")
    }
    return MigrationSerializer({**asdict(found), **named}).data


class LadderPreviewView(ManagedView):
    """What a change of the ladder would bring, of many members from a sample. Writes nothing."""

    @extend_schema(operation_id="tiers_preview", request=LadderInSerializer, responses=MigrationSerializer)
    def post(self, request: Request) -> Response:
        content, now = _content(valid(LadderInSerializer(data=request.data))), clock.now()
        scheme, gifts = schemes.scheme_of(content, now=now), schemes.gifts_on_change(content)
        return Response(_migration(tier_preview.migration(scheme=scheme, gifts=gifts, now=now)))


class LadderTrialListView(ManagedView):
    """The same counted exactly, of everybody."""

    permission = Permission.LOYALTY_MANAGE

    @extend_schema(operation_id="tiers_trials_create", request=LadderInSerializer, responses={202: TrialSerializer})
    def post(self, request: Request) -> Response:
        """Count in the background. While the same ladder is being counted, that trial is answered."""
        content = _content(valid(LadderInSerializer(data=request.data)))
        trial = tier_trials.queue(content=content, actor=self.actor, now=clock.now())
        return Response(TrialSerializer(trial).data, status=202)


class LadderTrialView(ManagedView):
    """How far an exact count is, and what it found."""

    permission = Permission.LOYALTY_MANAGE

    @extend_schema(operation_id="tiers_trials_retrieve", responses=TrialSerializer)
    def get(self, request: Request, trial_id: int) -> Response:
        return Response(TrialSerializer(tier_preview.trial(trial_id)).data)


class _LackingSerializer(serializers.Serializer[Any]):
    tier = TierSerializer()
    needed = serializers.IntegerField()
    amount = serializers.IntegerField()


class StandSerializer(serializers.Serializer[Any]):
    """Values are growth, minor units of money, or orders, as `basis` says."""

    tier = TierSerializer()
    level = serializers.IntegerField()
    source = serializers.CharField()  # type: ignore[assignment]  # a serializer has one of its own
    since = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)
    basis = serializers.CharField()
    value = serializers.IntegerField()
    window = serializers.ListField(child=serializers.DateTimeField())
    next = _LackingSerializer(allow_null=True)
    sentence = serializers.CharField()
    progress = serializers.IntegerField()
    keeping = _LackingSerializer(allow_null=True)
    keep_by = serializers.DateTimeField(allow_null=True)
    earned = TierSerializer()


class HandInSerializer(serializers.Serializer[Any]):
    tier_id = serializers.IntegerField(min_value=1)
    until = serializers.DateTimeField()
    reason = serializers.CharField(max_length=operations.LONGEST_REASON)


class MemberTierView(ManagedView):
    """A member's tier: what it is, until when, what is lacking to the next."""

    writes = (Permission.POINTS_ADJUST,)

    @extend_schema(operation_id="members_tier_retrieve", responses=StandSerializer)
    def get(self, request: Request, member_id: int) -> Response:
        return Response(self._stand(member_id))

    @extend_schema(operation_id="members_tier_update", request=HandInSerializer, responses=StandSerializer)
    def put(self, request: Request, member_id: int) -> Response:
        """Set it by hand until an instant, with a reason: takes `points.adjust`."""
        profiles.get(member_id=member_id, actor=self.actor)
        operations.set_by_hand(member_id=member_id, **valid(HandInSerializer(data=request.data)), now=clock.now())
        return Response(self._stand(member_id))

    @extend_schema(operation_id="members_tier_destroy", responses={204: None})
    def delete(self, request: Request, member_id: int) -> Response:
        """End what was set by hand."""
        profiles.get(member_id=member_id, actor=self.actor)
        operations.end_by_hand(member_id=member_id, now=clock.now())
        return Response(status=204)

    def _stand(self, member_id: int) -> dict[str, Any]:
        profiles.get(member_id=member_id, actor=self.actor)
        found = tiers.standing(member_id, now=clock.now())
        if found is None:
            raise NotFound(_("There are no tiers yet."), code="no_ladder")
        return StandSerializer(found).data


class HappeningSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    kind = serializers.CharField()
    before = TierSerializer(allow_null=True)
    after = TierSerializer()
    reason = serializers.CharField()
    why = serializers.CharField()
    actor = serializers.CharField()
    version = serializers.IntegerField(allow_null=True)


class MemberTierHistoryView(ManagedView):
    """What was decided about a member's tier, the latest first."""

    @extend_schema(
        operation_id="members_tier_history",
        responses=inline_serializer("TierHistory", {"items": HappeningSerializer(many=True)}),
    )
    def get(self, request: Request, member_id: int) -> Response:
        profiles.get(member_id=member_id, actor=self.actor)
        return Response({"items": HappeningSerializer(tiers.history(member_id), many=True).data})


class ReplaySerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    tier = TierSerializer(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)
    moves = HappeningSerializer(many=True)


class MemberTierReplayView(ManagedView):
    """The tier that a member had earned at an instant, from the facts as they are known now."""

    @extend_schema(
        operation_id="members_tier_replay",
        parameters=[OpenApiParameter("at", str, required=True, description="An instant, not in the future.")],
        responses=ReplaySerializer,
    )
    def get(self, request: Request, member_id: int) -> Response:
        profiles.get(member_id=member_id, actor=self.actor)
        field = serializers.DateTimeField()
        try:
            at = field.to_internal_value(request.query_params.get("at", ""))
        except serializers.ValidationError as error:
            raise Invalid(_("Not an instant."), code="bad_instant", field="at") from error
        if at is None or at > clock.now():
            raise Invalid(_("This is still to come."), code="in_future", field="at")
        return Response(ReplaySerializer(tiers.replay(member_id, at=at)).data)
