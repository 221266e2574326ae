"""What is concluded about one member, and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from analytics.enums import AiplStage, RfmClass, RfmLayer, Stage
from analytics.models import MemberStage, RfmModel, RfmScore
from analytics.queries.rfm import published_run
from scrm.common import clock
from scrm.common.money import to_decimal


@dataclass(frozen=True, slots=True)
class ModelScores:
    """A member's scores by one model; without orders in the window only the layer, prospect, is set."""

    model: RfmModel
    as_of: date
    layer: RfmLayer
    rfm_class: RfmClass | None = None
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
    for model in RfmModel.objects.order_by("-is_default", "name"):
        row = rows.get(model.pk)
        if row is None and not model.is_default:
            continue
        run = published_run(model)
        if run is None:
            continue
        if row is None:
            scores.append(ModelScores(model, run.as_of, RfmLayer.PROSPECT))
            continue
        days = (run.as_of - clock.shop_date(row.last_paid_at)).days
        scores.append(
            ModelScores(
                model=model,
                as_of=run.as_of,
                layer=RfmLayer(row.layer),
                rfm_class=RfmClass(row.rfm_class),
                r=row.r,
                f=row.f,
                m=row.m,
                r_days=days,
                frequency=row.frequency,
                monetary=row.monetary,
                why=_why(row, days, run.cuts, model.window_days),
            )
        )
    stage = MemberStage.objects.filter(member_id=member_id).first()
    if stage is None:
        return Conclusions(tuple(scores))
    return Conclusions(tuple(scores), Stage(stage.stage), stage.stage_since, AiplStage(stage.aipl), stage.aipl_since)


def _why(row: RfmScore, days: int, cuts: dict[str, list[int]], window: int) -> tuple[str, ...]:
    plain = {name: "/".join(str(cut) for cut in cuts.get(name, ())) for name in ("r", "f")}
    money = "/".join(_yuan(cut) for cut in cuts.get("m", ()))
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
        % {"score": row.m, "amount": _yuan(row.monetary), "window": window, "cuts": money},
    )


def _yuan(minor: int) -> str:
    whole = to_decimal(minor)
    return "¥" + whole.removesuffix(".00")
