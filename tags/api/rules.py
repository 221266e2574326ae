"""The API of tag rules: the twins of the pages that write them, try them out and switch them on and off."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from scrm.api.views import ApiView, valid
from scrm.common import clock
from scrm.common.access import Permission
from scrm.common.errors import Forbidden
from tags.api.lists import WritableList, condition_problem
from tags.enums import RuleForm
from tags.models import TagRule
from tags.operations import automatic
from tags.queries import automatic as queries


class TagRuleSerializer(serializers.ModelSerializer):
    """A rule; `condition` is what its form stands for, `broken` why it stopped by itself."""

    condition = serializers.JSONField(source="watch.condition")
    broken = serializers.CharField(source="watch.broken")
    evaluated_at = serializers.DateTimeField(source="watch.evaluated_at", allow_null=True)

    class Meta:
        model = TagRule
        fields = [
            "id", "tag_id", "form", "definition", "condition", "state", "broken", "version", "evaluated_at",
            "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = fields


class DefinitionIn(serializers.Serializer):
    """The form and what it is filled in with: see the guide of the API."""

    form = serializers.ChoiceField(choices=RuleForm.choices, default=RuleForm.CONDITION.value)
    definition = serializers.DictField()


class TagRuleIn(DefinitionIn):
    tag_id = serializers.IntegerField(min_value=1, max_value=2**63 - 1)


class TagRuleChangeIn(DefinitionIn):
    """`version` is the one that was read; another one meanwhile is a conflict."""

    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1)


class DryRunIn(DefinitionIn):
    tag_id = serializers.IntegerField(min_value=1, max_value=2**63 - 1, required=False, allow_null=True, default=None)


class DryRunOut(serializers.Serializer):
    """What enabling would change now; samples are limited to members the caller may see."""

    as_of = serializers.DateTimeField()
    everyone = serializers.IntegerField()
    matching = serializers.IntegerField()
    share = serializers.FloatField()
    add = serializers.IntegerField()
    remove = serializers.IntegerField()
    kept = serializers.IntegerField()
    suppressed = serializers.IntegerField()
    add_sample_ids = serializers.ListField(child=serializers.IntegerField())
    remove_sample_ids = serializers.ListField(child=serializers.IntegerField())


class ReplayIn(DryRunIn):
    days = serializers.IntegerField(min_value=1, max_value=90, required=False, default=30)


class ReplayDayOut(serializers.Serializer):
    day = serializers.DateField()
    matching = serializers.IntegerField()
    added = serializers.IntegerField()
    removed = serializers.IntegerField()


class ReplayOut(serializers.Serializer):
    """`exact` is false when past days were answered with today's profile, tags or scores. With a `job_id` the work is
    under way: ask again when the job has finished."""

    days = ReplayDayOut(many=True)
    exact = serializers.BooleanField()
    job_id = serializers.IntegerField(allow_null=True)


class _RuleView(ApiView):
    def handle_exception(self, exc: Exception) -> Response:
        return condition_problem(exc) or super().handle_exception(exc)


class TagRuleListView(WritableList):
    permission = Permission.TAGS_VIEW
    write_permission = Permission.TAGS_MANAGE
    serializer_class = TagRuleSerializer
    order = (("id", True),)

    def get_queryset(self) -> QuerySet[TagRule]:
        return queries.rules()

    @extend_schema(summary="List tag rules")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(summary="Create a tag rule, as a draft", request=TagRuleIn, responses={201: TagRuleSerializer})
    def post(self, request: Request) -> Response:
        rule = automatic.create(now=clock.now(), **valid(TagRuleIn(data=request.data)))
        return Response(TagRuleSerializer(queries.get(rule.pk)).data, status=201)


class TagRuleView(_RuleView):
    """One rule: who may see tags may read it, who may manage them may change it."""

    permission = Permission.TAGS_VIEW

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method != "GET" and not self.actor.may(Permission.TAGS_MANAGE):
            raise Forbidden(_("You may not do this."), code="forbidden")

    @extend_schema(summary="One tag rule", responses={200: TagRuleSerializer})
    def get(self, request: Request, rule_id: int) -> Response:
        return Response(TagRuleSerializer(queries.get(rule_id)).data)

    @extend_schema(summary="Change a tag rule", request=TagRuleChangeIn, responses={200: TagRuleSerializer})
    def put(self, request: Request, rule_id: int) -> Response:
        automatic.update(rule_id=rule_id, now=clock.now(), **valid(TagRuleChangeIn(data=request.data)))
        return Response(TagRuleSerializer(queries.get(rule_id)).data)

    @extend_schema(summary="Remove a tag rule; its tags stay on their members", responses={204: None})
    def delete(self, request: Request, rule_id: int) -> Response:
        automatic.delete(rule_id=rule_id, now=clock.now())
        return Response(status=204)


class TagRuleEnableView(_RuleView):
    permission = Permission.TAGS_MANAGE

    @extend_schema(
        summary="Enable a tag rule; everyone is evaluated in the background",
        request=None,
        responses={200: TagRuleSerializer},
    )
    def post(self, request: Request, rule_id: int) -> Response:
        automatic.enable(rule_id=rule_id, now=clock.now())
        return Response(TagRuleSerializer(queries.get(rule_id)).data)


class TagRulePauseView(_RuleView):
    permission = Permission.TAGS_MANAGE

    @extend_schema(summary="Pause a tag rule; tags stay as they are", request=None, responses={200: TagRuleSerializer})
    def post(self, request: Request, rule_id: int) -> Response:
        automatic.pause(rule_id=rule_id, now=clock.now())
        return Response(TagRuleSerializer(queries.get(rule_id)).data)


class TagRuleDryRunView(_RuleView):
    permission = Permission.TAGS_VIEW

    @extend_schema(summary="What a tag rule would do now", request=DryRunIn, responses={200: DryRunOut})
    def post(self, request: Request) -> Response:
        found = automatic.dry_run(actor=self.actor, now=clock.now(), **valid(DryRunIn(data=request.data)))
        return Response(DryRunOut(found).data)


class TagRuleReplayView(_RuleView):
    permission = Permission.TAGS_VIEW

    @extend_schema(summary="What a tag rule would have done", request=ReplayIn, responses={200: ReplayOut})
    def post(self, request: Request) -> Response:
        found = automatic.replay(actor=self.actor, now=clock.now(), **valid(ReplayIn(data=request.data)))
        return Response(ReplayOut(found).data)
