"""The fields of the condition language over what models conclude. Unknown is unset."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from django.db import connection
from django.utils.translation import gettext_lazy as _

from analytics.enums import ModelKey
from analytics.queries import model_words
from analytics.rules.model_tags import hour
from scrm.common.conditions import Choice, Context, Field, FieldType, Row, Rows, Sql, register

GROUP = _("Model tags")
_TOPICS = frozenset({"model"})


def _row(model: ModelKey, column: str = "value") -> Callable[[Context], Row]:
    return lambda _context: Row(
        "analytics_modelscore mv",
        Sql(f"mv.member_id = m.id AND mv.model = '{model.value}'"),
        Sql(f"mv.{column}"),
    )


def _categories(_context: Context) -> Rows:
    return Rows(
        "(SELECT member_id, unnest(value || others) AS value FROM analytics_modelscore"
        f" WHERE model = '{ModelKey.CATEGORY.value}') mv",
        Sql("mv.member_id = m.id"),
        Sql("mv.value"),
    )


def _levels() -> Sequence[Choice]:
    return [Choice(value, label) for value, label in model_words.LEVELS.items()]


def _hours() -> Sequence[Choice]:
    return [Choice(str(value), model_words.value_label(ModelKey.HOUR, str(value))) for value in hour.HOURS]


def _seen(model: ModelKey) -> Callable[[], Sequence[Choice]]:
    """The values that the last run found, most members first."""

    def choices() -> Sequence[Choice]:
        with connection.cursor() as cursor:
            cursor.execute(
                """
                SELECT key FROM analytics_modelrun, jsonb_each_text(distribution)
                WHERE id = (SELECT max(id) FROM analytics_modelrun WHERE model = %s AND state = 'published')
                ORDER BY value::bigint DESC, key
                """,
                [model.value],
            )
            return [Choice(value, model_words.value_label(model, value)) for (value,) in cursor.fetchall()]

    return choices


register(
    Field("model.price", ModelKey.PRICE.label, GROUP, FieldType.ENUM, _row(ModelKey.PRICE), choices=_levels,
          topics=_TOPICS),
    Field("model.promotion", ModelKey.PROMOTION.label, GROUP, FieldType.ENUM, _row(ModelKey.PROMOTION), choices=_levels,
          topics=_TOPICS),
    Field("model.category", ModelKey.CATEGORY.label, GROUP, FieldType.SET, _categories,
          choices=_seen(ModelKey.CATEGORY), open=True, topics=_TOPICS),
    Field("model.hour", ModelKey.HOUR.label, GROUP, FieldType.ENUM, _row(ModelKey.HOUR), choices=_hours,
          topics=_TOPICS),
    Field("model.channel", ModelKey.CHANNEL.label, GROUP, FieldType.ENUM, _row(ModelKey.CHANNEL),
          choices=_seen(ModelKey.CHANNEL), open=True, topics=_TOPICS),
    Field("model.churn", ModelKey.CHURN.label, GROUP, FieldType.ENUM, _row(ModelKey.CHURN), choices=_levels,
          topics=_TOPICS),
    Field("model.chance", _("Probability of buying within 90 days"), GROUP, FieldType.DECIMAL,
          _row(ModelKey.CHURN, "score"), topics=_TOPICS),
)  # fmt: skip
