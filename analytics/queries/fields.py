"""The fields of the condition language over what was concluded: RFM of the default model, lifecycle, AIPL."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from django.utils.translation import gettext_lazy as _

from analytics.enums import AiplStage, RfmClass, RfmLayer, Stage
from analytics.models import RfmModel
from analytics.queries.rfm import layer_choices
from scrm.common.conditions import Choice, Context, Field, FieldType, Param, Row, Sql, compose, register

SCORES = _("Scores and stages")
_RFM = frozenset({"rfm"})
_STAGE = frozenset({"lifecycle"})


def _score(column: str, absent: str | None = None) -> Callable[[Context], Row]:
    """A column of the published scores of a model, the default one unless the leaf names another.

    Nobody has scores while there is no such model.
    """

    def source(context: Context) -> Row:
        model_id = context.params.get("model")
        # Looked up once per query, so that a condition can be kept compiled while the default changes.
        model = (
            Sql("(SELECT id FROM analytics_rfmmodel WHERE is_default)") if model_id is None else Sql("%s", (model_id,))
        )
        return Row(
            "analytics_rfmscore sc",
            compose("sc.model_id = {} AND sc.member_id = m.id", model),
            Sql(f"sc.{column}"),
            absent,
        )

    return source


def _stage(column: str) -> Callable[[Context], Row]:
    return lambda _context: Row("analytics_memberstage ms", Sql("ms.member_id = m.id"), Sql(f"ms.{column}"))


def _classes() -> Sequence[Choice]:
    return [Choice(entry.value, entry.label) for entry in RfmClass]


def _layers() -> Sequence[Choice]:
    """The layers of the models in use, and the usual ones: a condition may still name one that no model has now."""
    found = dict(layer_choices())
    return [
        *(Choice(key, label) for key, label in found.items()),
        *(Choice(entry.value, entry.label) for entry in RfmLayer if entry.value not in found),
    ]


def _stages() -> Sequence[Choice]:
    return [Choice(entry.value, entry.label) for entry in Stage]


def _aipl() -> Sequence[Choice]:
    return [Choice(entry.value, entry.label) for entry in AiplStage]


def _models() -> Sequence[Choice]:
    return [Choice(pk, name) for pk, name in RfmModel.objects.order_by("name").values_list("pk", "name")]


_MODEL = (Param("model", _("RFM model"), choices=_models, many=False),)

register(
    Field("rfm.class", _("RFM class"), SCORES, FieldType.ENUM, _score("rfm_class"), choices=_classes,
          params=_MODEL, topics=_RFM),
    Field(
        "rfm.layer", _("RFM layer"), SCORES, FieldType.ENUM, _score("layer", RfmLayer.PROSPECT.value),
        choices=_layers, always_set=True, params=_MODEL, topics=_RFM,
    ),
    Field("rfm.r", _("R score"), SCORES, FieldType.INTEGER, _score("r"), params=_MODEL, topics=_RFM),
    Field("rfm.f", _("F score"), SCORES, FieldType.INTEGER, _score("f"), params=_MODEL, topics=_RFM),
    Field("rfm.m", _("M score"), SCORES, FieldType.INTEGER, _score("m"), params=_MODEL, topics=_RFM),
    Field("lifecycle", _("Lifecycle stage"), SCORES, FieldType.ENUM, _stage("stage"), choices=_stages, topics=_STAGE),
    Field("aipl", _("AIPL stage"), SCORES, FieldType.ENUM, _stage("aipl"), choices=_aipl, topics=_STAGE),
)  # fmt: skip
