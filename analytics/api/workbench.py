"""The workbench over the API: RFM models and their versions, previews, moves, lifecycle limits, alert rules.

Models, limits and rules are about all members: who sees only some of them is refused (403 `scope_too_narrow`).
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from analytics.api import workbench_serializers as shapes
from analytics.models import RfmModel
from analytics.operations import alerts, lifecycle, rfm_models, rfm_preview
from analytics.queries import alerts as alert_queries
from analytics.queries import lifecycle as lifecycle_queries
from analytics.queries import lifecycle_moves, rfm, rfm_moves
from scrm.api.views import ApiView, valid
from scrm.common import clock
from scrm.common.access import Permission
from scrm.common.errors import NotFound


def _read(kind: type[Any], data: Any) -> Any:
    """The serializer with its values validated. Raises DRF's `ValidationError`."""
    read = kind(data=data)
    read.is_valid(raise_exception=True)
    return read


def _model(model_id: int) -> RfmModel:
    model = rfm.find_model(model_id)
    if model is None:
        raise NotFound(_("There is no such RFM model."), code="no_such_model")
    return model


class RfmModelsView(ApiView):
    permission = Permission.ANALYTICS_RUN

    @extend_schema(summary="List RFM models", responses=shapes.ModelSerializer(many=True))
    def get(self, request: Request) -> Response:
        every = [*rfm.models(), *rfm.models(archived=True)]
        return Response({"items": shapes.ModelSerializer(every, many=True).data})

    @extend_schema(summary="Create an RFM model", request=shapes.ContentIn, responses={201: shapes.ModelSerializer})
    def post(self, request: Request) -> Response:
        rfm_models.ensure_everybody(self.actor)
        model = rfm_models.create(content=_read(shapes.ContentIn, request.data).content())
        return Response(shapes.ModelSerializer(model).data, status=201)


class RfmModelView(ApiView):
    permission = Permission.ANALYTICS_RUN

    @extend_schema(summary="An RFM model", responses=shapes.ModelSerializer)
    def get(self, request: Request, model_id: int) -> Response:
        return Response(shapes.ModelSerializer(_model(model_id)).data)

    @extend_schema(
        summary="Make the next version of an RFM model",
        description="The whole model. Scores stay until the next run. 409 `stale_version` when `version` is not the "
        "newest.",
        request=shapes.ChangeIn,
        responses=shapes.ModelSerializer,
    )
    def put(self, request: Request, model_id: int) -> Response:
        rfm_models.ensure_everybody(self.actor)
        read = _read(shapes.ChangeIn, request.data)
        model = rfm_models.redefine(
            model_id=model_id,
            version=read.validated_data["version"],
            content=read.content(),
            note=read.validated_data["note"],
        )
        return Response(shapes.ModelSerializer(model).data)


class RfmModelActView(ApiView):
    permission = Permission.ANALYTICS_RUN

    @extend_schema(
        summary="Duplicate, archive, bring back an RFM model, or make it the default",
        request=None,
        responses=shapes.ModelSerializer,
    )
    def post(self, request: Request, model_id: int, act: str) -> Response:
        rfm_models.ensure_everybody(self.actor)
        match act:
            case "duplicate":
                return Response(shapes.ModelSerializer(rfm_models.duplicate(model_id=model_id)).data, status=201)
            case "archive":
                model = rfm_models.archive(model_id=model_id, now=clock.now())
            case "bring-back":
                model = rfm_models.bring_back(model_id=model_id)
            case "make-default":
                model = rfm_models.make_default(model_id=model_id, now=clock.now())
            case _unknown:
                raise NotFound(_("There is no such act."), code="no_such_act")
        return Response(shapes.ModelSerializer(model).data)


class RfmVersionsView(ApiView):
    permission = Permission.ANALYTICS_RUN

    @extend_schema(summary="Versions of an RFM model, newest first", responses=shapes.VersionSerializer(many=True))
    def get(self, request: Request, model_id: int) -> Response:
        found = rfm.versions(_model(model_id))
        return Response({"items": shapes.VersionSerializer(found, many=True).data})

    @extend_schema(
        summary="Restore a version of an RFM model", request=shapes.RestoreIn, responses=shapes.ModelSerializer
    )
    def post(self, request: Request, model_id: int) -> Response:
        rfm_models.ensure_everybody(self.actor)
        values = valid(shapes.RestoreIn(data=request.data))
        model = rfm_models.restore(model_id=model_id, version=values["version"], from_version=values["from_version"])
        return Response(shapes.ModelSerializer(model).data)


class RfmPreviewView(ApiView):
    permission = Permission.ANALYTICS_RUN

    @extend_schema(
        summary="What an RFM model would look like",
        description="The distribution by these settings beside the published one; nothing is written.",
        request=shapes.PreviewIn,
        responses=shapes.PreviewSerializer,
    )
    def post(self, request: Request, model_id: int) -> Response:
        rfm_models.ensure_everybody(self.actor)
        content = _read(shapes.PreviewIn, request.data).content().checked()
        found = rfm_preview.preview(
            model=_model(model_id),
            window_days=content.window_days,
            currency=content.currency,
            scope=content.scope,
            definition=content.definition,
            now=clock.now(),
        )
        return Response(shapes.PreviewSerializer(shapes.preview_answer(found)).data)


class RfmMigrationView(ApiView):
    permission = Permission.ANALYTICS_VIEW

    @extend_schema(
        summary="Who moved between two RFM runs",
        description="Between any two published runs, the last two by default; over the members the caller sees.",
        parameters=[shapes.MigrationQuery],
        responses=shapes.MovesSerializer,
    )
    def get(self, request: Request, model_id: int) -> Response:
        query = valid(shapes.MigrationQuery(data=request.query_params))
        found = rfm_moves.between(
            actor=self.actor,
            model=_model(model_id),
            earlier_id=query.get("earlier"),
            later_id=query.get("later"),
            kind=query["kind"],
        )
        if found is None:
            raise NotFound(_("There are no two runs to compare yet."), code="not_computed")
        return Response(shapes.MovesSerializer(shapes.migration_answer(found)).data)


class LifecycleMovesView(ApiView):
    permission = Permission.ANALYTICS_VIEW

    @extend_schema(
        summary="Who moved between two runs of stages",
        parameters=[shapes.TransitionQuery],
        responses=shapes.MovesSerializer,
    )
    def get(self, request: Request) -> Response:
        query = valid(shapes.TransitionQuery(data=request.query_params))
        found = lifecycle_moves.between(
            actor=self.actor, earlier_id=query.get("earlier"), later_id=query.get("later"), kind=query["kind"]
        )
        if found is None:
            raise NotFound(_("There are no two runs to compare yet."), code="not_computed")
        answer = shapes.moves_answer(found.earlier.pk, found.later.pk, found.kind, found.matrix)
        return Response(shapes.MovesSerializer(answer).data)


class LifecycleLimitsView(ApiView):
    permission = Permission.ANALYTICS_RUN

    @extend_schema(summary="The lifecycle limits", responses=shapes.LimitsSerializer)
    def get(self, request: Request) -> Response:
        return Response(shapes.limits_answer(*lifecycle_queries.current_limits()))

    @extend_schema(
        summary="Make the next version of the lifecycle limits",
        request=shapes.LimitsChangeIn,
        responses=shapes.LimitsSerializer,
    )
    def put(self, request: Request) -> Response:
        rfm_models.ensure_everybody(self.actor)
        read = _read(shapes.LimitsChangeIn, request.data)
        lifecycle.redefine(version=read.validated_data["version"], limits=read.limits())
        return Response(shapes.limits_answer(*lifecycle_queries.current_limits()))


class LifecyclePreviewView(ApiView):
    permission = Permission.ANALYTICS_RUN

    @extend_schema(
        summary="What other lifecycle limits would change",
        description="Nothing is written. From 100,000 members on an estimate: `exact` says so.",
        request=shapes.LimitsIn,
        responses=shapes.StagePreviewSerializer,
    )
    def post(self, request: Request) -> Response:
        rfm_models.ensure_everybody(self.actor)
        limits = lifecycle.checked(_read(shapes.LimitsIn, request.data).limits())
        found = lifecycle_moves.preview(limits=limits, as_of=clock.shop_date(clock.now()))
        answer = {
            part: shapes.moves_answer(0, 0, part, matrix)["flows"]
            for part, matrix in (("stages", found.stages), ("aipl", found.aipl))
        }
        return Response(shapes.StagePreviewSerializer({"exact": found.exact, **answer}).data)


class AlertRulesView(ApiView):
    permission = Permission.ANALYTICS_RUN

    @extend_schema(summary="List alert rules", responses=shapes.AlertRuleSerializer(many=True))
    def get(self, request: Request) -> Response:
        return Response({"items": shapes.AlertRuleSerializer(alert_queries.rule_list(), many=True).data})

    @extend_schema(
        summary="Create an alert rule", request=shapes.AlertRuleIn, responses={201: shapes.AlertRuleSerializer}
    )
    def post(self, request: Request) -> Response:
        rfm_models.ensure_everybody(self.actor)
        rule = alerts.create(rule=_read(shapes.AlertRuleIn, request.data).rule())
        return Response(shapes.AlertRuleSerializer(rule).data, status=201)


class AlertRuleView(ApiView):
    permission = Permission.ANALYTICS_RUN

    @extend_schema(summary="Change an alert rule", request=shapes.AlertRuleIn, responses=shapes.AlertRuleSerializer)
    def put(self, request: Request, rule_id: int) -> Response:
        rfm_models.ensure_everybody(self.actor)
        rule = alerts.update(rule_id=rule_id, rule=_read(shapes.AlertRuleIn, request.data).rule())
        return Response(shapes.AlertRuleSerializer(rule).data)

    @extend_schema(summary="Delete an alert rule", responses={204: None})
    def delete(self, request: Request, rule_id: int) -> Response:
        rfm_models.ensure_everybody(self.actor)
        alerts.delete(rule_id=rule_id)
        return Response(status=204)
