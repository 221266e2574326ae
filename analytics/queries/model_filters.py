"""What model tags add to the member list: each value's members, and those of whom it is unknown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from analytics.enums import ModelKey
from analytics.queries import model_words
from analytics.queries.model_tags.registry import MODELS
from scrm.common.conditions import fields as registry
from scrm.common.member_filters import Filter, Group, Members, Test, Values, register

UNKNOWN = "unknown"


def _options(key: ModelKey) -> Callable[[], Sequence[tuple[str, str]]]:
    def options() -> Sequence[tuple[str, str]]:
        field = registry.find(f"model.{key.value}")
        found = field.choices() if field and field.choices else []
        return [*((str(choice.value), str(choice.label)) for choice in found), (UNKNOWN, _("Unknown"))]

    return options


FILTERS = {
    key: Filter(
        f"model_{key.value}", key.label, multiple=True, options=_options(key), linked_only=key != ModelKey.CHURN
    )
    for key in MODELS
}


def narrow_models(values: Values, as_of: datetime) -> Members | Test:
    """Members with one of the values as last concluded; of categories the first preferred one counts."""
    known: list[tuple[str, list[str]]] = []
    unknown: list[tuple[str, list[str]]] = []
    for key, filter_ in FILTERS.items():
        if wanted := values.get(filter_.key):
            if key in model_words.BY_LEVEL and (strange := set(wanted) - {*model_words.LEVELS, UNKNOWN}):
                raise filter_.refusal(min(strange))
            (unknown if UNKNOWN in wanted else known).append((key.value, [one for one in wanted if one != UNKNOWN]))
    of_member = "SELECT 1 FROM analytics_modelscore s WHERE s.member_id = members_member.id AND s.model = %s"
    if not unknown and len(known) == 1:
        return Members("SELECT member_id FROM analytics_modelscore WHERE model = %s AND value = ANY(%s)", [*known[0]])
    tests = [f"EXISTS ({of_member} AND s.value = ANY(%s))" for _one in known]
    params: list[object] = [item for pair in known for item in pair]
    for model, others in unknown:
        tests.append(f"NOT EXISTS ({of_member} AND s.value <> ALL(%s))")
        params += [model, others]
    return Test(" AND ".join(tests), params)


register(Group("models", gettext_lazy("Model tags"), list(FILTERS.values()), narrow_models))
