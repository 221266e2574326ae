"""The six models, in the order in which they are shown."""

from __future__ import annotations

from analytics.enums import ModelKey
from analytics.queries.model_tags import category, channel, churn, hour, price, promotion
from analytics.queries.model_tags.base import ModelSql

MODELS: dict[ModelKey, ModelSql] = {
    model.key: model for model in (price.MODEL, promotion.MODEL, category.MODEL, hour.MODEL, channel.MODEL, churn.MODEL)
}
