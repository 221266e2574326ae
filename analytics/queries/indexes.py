"""Which fields over scores and stages are answered from bitmaps, and how."""

from __future__ import annotations

from analytics.enums import ModelKey, RfmLayer
from scrm.common.bitmaps.answers import KeyOf, by_value, plain
from scrm.common.bitmaps.families import USUAL_KEY, Column, Family, Kind, register
from scrm.common.bitmaps.plans import index
from scrm.common.conditions import Leaf

register(
    Family(
        "rfm",
        "analytics_rfmscore",
        "member_id",
        (
            Column("r", "t.r", Kind.WHOLE),
            Column("f", "t.f", Kind.WHOLE),
            Column("m", "t.m", Kind.WHOLE),
            Column("class", "t.rfm_class", Kind.TEXT),
            Column("layer", "t.layer", Kind.TEXT),
        ),
        key="model_id",
        usual_key="SELECT id::text FROM analytics_rfmmodel WHERE is_default",
    ),
    Family(
        "stage",
        "analytics_memberstage",
        "member_id",
        (
            Column("lifecycle", "t.stage", Kind.TEXT),
            Column("aipl", "t.aipl", Kind.TEXT),
        ),
    ),
    Family(
        "model",
        "analytics_modelscore",
        "member_id",
        (Column("value", "t.value", Kind.TEXT),),
        key="model",
        text_key=True,
        sweep=True,
    ),
)


def _model(leaf: Leaf) -> str | None:
    """The scores of the model that the leaf names, else of the default one."""
    if leaf.window is not None or set(leaf.params) - {"model"}:
        return None
    model = leaf.params.get("model")
    if model is None:
        return USUAL_KEY
    return str(model) if isinstance(model, int) else None


def _of_model(model: ModelKey) -> KeyOf:
    return lambda leaf: None if plain(leaf) is None else model.value


for _key in ("class", "r", "f", "m"):
    index(f"rfm.{_key}", by_value("rfm", _key, key=_model))
index("rfm.layer", by_value("rfm", "layer", key=_model, absent=RfmLayer.PROSPECT.value))
index("lifecycle", by_value("stage", "lifecycle"))
index("aipl", by_value("stage", "aipl"))
# The preferred categories are several, the best first: those are asked in SQL.
for _name in (ModelKey.PRICE, ModelKey.PROMOTION, ModelKey.HOUR, ModelKey.CHANNEL, ModelKey.CHURN):
    index(f"model.{_name.value}", by_value("model", "value", key=_of_model(_name)))
