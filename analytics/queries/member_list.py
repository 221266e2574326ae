"""What scores and stages add to the member list: filters, and the stage and RFM class of each row."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from analytics.enums import AiplStage, RfmClass, RfmLayer, Stage
from analytics.models import MemberStage, RfmModel, RfmScore
from analytics.queries import lifecycle_moves, rfm, rfm_moves
from scrm.common import panels
from scrm.common.member_filters import Filter, Group, Kind, Members, Test, Values, register
from scrm.common.panels import Badge

STAGE_TONES = {
    Stage.PROSPECT: "grey",
    Stage.NEW: "blue",
    Stage.ACTIVE: "green",
    Stage.SLEEPING: "amber",
    Stage.LOST: "red",
    Stage.RETURNED: "jade",
}


def _choices(enum: Any) -> list[tuple[str, str]]:
    return [(value, str(label)) for value, label in enum.choices]


def model_options() -> Sequence[tuple[str, str]]:
    return [(str(row.pk), row.name) for row in rfm.models()]


def _digits() -> list[tuple[str, str]]:
    return [(str(number), str(number)) for number in range(1, 6)]


STAGE = Filter("stage", _("Lifecycle stage"), multiple=True, options=lambda: _choices(Stage))
AIPL = Filter("aipl", _("AIPL stage"), multiple=True, options=lambda: _choices(AiplStage))
CLASS = Filter("rfm_class", _("RFM class"), multiple=True, options=lambda: _choices(RfmClass))
LAYER = Filter("rfm_layer", _("RFM layer"), multiple=True, options=lambda: rfm.layer_choices())
SCORES = {
    name: Filter(f"rfm_{name}", label, Kind.CHOICE, options=_digits, linked_only=True)
    for name, label in (("r", _("R score")), ("f", _("F score")), ("m", _("M score")))
}
# Who moved: model.run.run.layer|class.before.after, and run.run.lifecycle|aipl.before.after; "" is nowhere.
RFM_MOVED = Filter("rfm_moved", _("Moved between RFM runs"), linked_only=True)
STAGE_MOVED = Filter("stage_moved", _("Moved between stages"), linked_only=True)
MODEL = Filter("rfm_model", _("RFM model"), options=model_options, linked_only=True)


def _known(filter_: Filter, values: Sequence[str], known: Sequence[str]) -> list[str]:
    for value in values:
        if value not in known:
            raise filter_.refusal(value)
    return list(values)


def narrow_stages(values: Values, as_of: datetime) -> Members:
    """Members in one of the stages as last computed."""
    tests, params = [], []
    for filter_, column, enum in ((STAGE, "stage", Stage), (AIPL, "aipl", AiplStage)):
        if wanted := values.get(filter_.key):
            tests.append(f"{column} = ANY(%s)")
            params.append(_known(filter_, wanted, enum.values))
    return Members(f"SELECT member_id FROM analytics_memberstage WHERE {' AND '.join(tests)}", params)


def narrow_scores(values: Values, as_of: datetime) -> Members | Test:
    """Members with these published scores of one model: the default one unless another is named."""
    model = _model_id(values.get("rfm_model"))
    tests: list[str] = []
    params: list[Any] = []
    for name, filter_ in SCORES.items():
        if (raw := values.get(filter_.key)) is not None:
            tests.append(f"s.{name} = %s")
            params.append(int(_known(filter_, [raw], ["1", "2", "3", "4", "5"])[0]))
    if classes := values.get("rfm_class"):
        tests.append("s.rfm_class = ANY(%s)")
        params.append(_known(CLASS, classes, RfmClass.values))
    # A layer that only an earlier version had may still have members until the next run.
    layers = list(values.get("rfm_layer", []))
    if any(not re.fullmatch(r"[a-z][a-z0-9_]{0,19}", layer) for layer in layers):
        raise LAYER.refusal(layers[0])
    if layers:
        tests.append("s.layer = ANY(%s)")
        params.append(layers)
    scored = f"SELECT s.member_id FROM analytics_rfmscore s WHERE s.model_id = %s AND {' AND '.join(tests or ['TRUE'])}"
    if RfmLayer.PROSPECT in layers:
        # Prospects are those without a score.
        unscored = (
            "NOT EXISTS (SELECT 1 FROM analytics_rfmscore s WHERE s.model_id = %s AND s.member_id = members_member.id)"
        )
        if len(values) - ("rfm_model" in values) == 1 and layers == [RfmLayer.PROSPECT]:
            return Test(unscored, [model])
        return Test(f"({unscored} OR members_member.id IN ({scored}))", [model, model, *params])
    return Members(scored, [model, *params])


def _model_id(raw: str | None) -> int:
    if raw is None:
        return RfmModel.objects.filter(is_default=True).values_list("pk", flat=True).first() or -1
    if not (raw.isascii() and raw.isdigit()) or len(raw) > 18:
        raise MODEL.refusal(raw)
    return int(raw)


def narrow_rfm_moves(values: Values, as_of: datetime) -> Members:
    """Members who were in one class or layer at one run and in another at a later one."""
    raw = values["rfm_moved"]
    match = re.fullmatch(
        r"(\d{1,18})\.(\d{1,18})\.(\d{1,18})\.(layer|class)\.([a-z0-9_]*)\.([a-z0-9_]*)", raw, re.ASCII
    )
    if match is None:
        raise RFM_MOVED.refusal(raw)
    model, earlier, later, kind, before, after = match.groups()
    sql, params = rfm_moves.movers_sql(
        model_id=int(model), earlier_id=int(earlier), later_id=int(later), kind=kind, before=before, after=after
    )
    return Members(sql, params)


def narrow_stage_moves(values: Values, as_of: datetime) -> Members:
    """Members who were in one stage at one run and in another at a later one."""
    raw = values["stage_moved"]
    match = re.fullmatch(r"(\d{1,18})\.(\d{1,18})\.(lifecycle|aipl)\.([a-z_]*)\.([a-z_]*)", raw, re.ASCII)
    if match is None:
        raise STAGE_MOVED.refusal(raw)
    earlier, later, kind, before, after = match.groups()
    sql, params = lifecycle_moves.movers_sql(
        earlier_id=int(earlier), later_id=int(later), kind=kind, before=before, after=after
    )
    return Members(sql, params)


def row_stages(member_ids: Sequence[int]) -> dict[int, list[Badge]]:
    rows = MemberStage.objects.filter(member_id__in=member_ids).values_list("member_id", "stage")
    return {member_id: [Badge(Stage(stage).label, STAGE_TONES[Stage(stage)])] for member_id, stage in rows}


def row_classes(member_ids: Sequence[int]) -> dict[int, list[Badge]]:
    """The class by the default model, with the three scores on hover."""
    rows = RfmScore.objects.filter(member_id__in=member_ids, model__is_default=True).values_list(
        "member_id", "rfm_class", "r", "f", "m"
    )
    return {
        member_id: [
            Badge(
                RfmClass(class_).label,
                "violet" if class_.startswith("important") else "grey",
                f"R{r} F{f} M{m}",
            )
        ]
        for member_id, class_, r, f, m in rows
    }


register(Group("stages", _("Lifecycle"), [STAGE, AIPL], narrow_stages))
register(Group("scores", _("RFM"), [CLASS, LAYER, *SCORES.values(), MODEL], narrow_scores))
register(Group("rfm_moves", _("RFM"), [RFM_MOVED], narrow_rfm_moves))
register(Group("stage_moves", _("Lifecycle"), [STAGE_MOVED], narrow_stage_moves))
panels.register_rows("stage", row_stages)
panels.register_rows("rfm", row_classes)
