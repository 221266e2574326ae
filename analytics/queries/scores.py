"""What is concluded about one member, and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from analytics.enums import AiplStage, RfmLayer, Stage
from analytics.models import MemberStage, RfmModel, RfmScore
from analytics.queries.rfm import (
    Name,
    class_names,
    definition_of,
    layer_label,
    layer_names,
    models,
    published_run,
)
from scrm.common import clock
from scrm.common.money import to_decimal


@dataclass(frozen=True, slots=True)
class ModelScores:
    """A member's scores by one model; without orders in the window only the layer, prospect, is set.

    `layer` and `rfm_class` are as the model names them.
    """

    model: RfmModel
    as_of: date
    layer: Name
    rfm_class: Name | None = None
    r: int | None = None
    f: int | None = None
    m: int | None = None
    r_days: int | None = None
    frequency: int = 0
    monetary: int = 0
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Conclusions:
    """Scores by every model that has run, the default one first, and the stages; empty before the first runs."""

    scores: tuple[ModelScores, ...] = ()
    stage: Stage | None = None
    stage_since: date | None = None
    aipl: AiplStage | None = None
    aipl_since: date | None = None


def of_member(member_id: int) -> Conclusions:
    """The published conclusions about a member. The caller has made sure that the actor may see them."""
    rows = {row.model_id: row for row in RfmScore.objects.filter(member_id=member_id)}
    scores = []
    for model in models():
        row = rows.get(model.pk)
        if row is None and not model.is_default:
            continue
        run = published_run(model)
        if run is None:
            continue
        definition = definition_of(run)
        layers = {name.key: name for name in layer_names(definition)}
        if row is None:
            scores.append(ModelScores(model, run.as_of, layers[RfmLayer.PROSPECT.value]))
            continue
        classes = {name.key: name for name in class_names(definition)}
        days = (run.as_of - clock.shop_date(row.last_paid_at)).days
        scores.append(
            ModelScores(
                model=model,
                as_of=run.as_of,
                layer=layers.get(row.layer) or Name(row.layer, layer_label(row.layer), "grey"),
                rfm_class=classes[row.rfm_class],
                r=row.r,
                f=row.f,
                m=row.m,
                r_days=days,
                frequency=row.frequency,
                monetary=row.monetary,
                why=_why(row, days, run.cuts, model.window_days, run.distribution.get("currency", "CNY")),
            )
        )
    stage = MemberStage.objects.filter(member_id=member_id).first()
    if stage is None:
        return Conclusions(tuple(scores))
    return Conclusions(tuple(scores), Stage(stage.stage), stage.stage_since, AiplStage(stage.aipl), stage.aipl_since)


def _why(row: RfmScore, days: int, cuts: dict[str, list[int]], window: int, currency: str) -> tuple[str, ...]:
    plain = {name: "/".join(str(cut) for cut in cuts.get(name, ())) for name in ("r", "f")}
    money = "/".join(_money(cut, currency) for cut in cuts.get("m", ()))
    return (
        ngettext(
            "R=%(score)s: last paid order %(days)s day ago (cut points %(cuts)s)",
            "R=%(score)s: last paid order %(days)s days ago (cut points %(cuts)s)",
            days,
        )
        % {"score": row.r, "days": days, "cuts": plain["r"]},
        ngettext(
            "F=%(score)s: %(count)s paid order within %(window)s days (cut points %(cuts)s)",
            "F=%(score)s: %(count)s paid orders within %(window)s days (cut points %(cuts)s)",
            row.frequency,
        )
        % {"score": row.f, "count": row.frequency, "window": window, "cuts": plain["f"]},
        _("M=%(score)s: %(amount)s paid net within %(window)s days (cut points %(cuts)s)")
        % {"score": row.m, "amount": _money(row.monetary, currency), "window": window, "cuts": money},
    )


def _money(minor: int, currency: str) -> str:
    sign = {"CNY": "¥", "GBP": "£", "USD": "$", "EUR": "€"}.get(currency, f"{currency} ")
    return sign + to_decimal(minor).removesuffix(".00")
