"""Model tags as they stand: per model its last run and figures, per member each conclusion with its why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from analytics.enums import ModelKey, RunState
from analytics.models import ModelRun, ModelScore, ModelValue
from analytics.queries import model_words
from analytics.queries.model_tags.registry import MODELS
from members.queries import scopes
from scrm.common.access import Actor, DataScope


@dataclass(frozen=True, slots=True)
class Share:
    """A value, how many members have it, and the tag that stands for it (if it has one)."""

    value: str
    label: str
    members: int
    tag_id: int | None


@dataclass(frozen=True, slots=True)
class ModelBoard:
    """One model of those members whom the actor sees. Without a published run all is empty."""

    key: ModelKey
    run: ModelRun | None
    known: int
    unknown: int
    values: tuple[Share, ...]

    @property
    def members(self) -> int:
        return self.known + self.unknown


def boards(*, actor: Actor) -> list[ModelBoard]:
    """All models, in the order in which they are shown. Counted live for those who do not see everybody."""
    published = {
        run.model: run
        for run in ModelRun.objects.filter(state=RunState.PUBLISHED).order_by("model", "-id").distinct("model")
    }
    counts, members = _counts(actor, published)
    tags = {(row.model, row.value): row.tag_id for row in ModelValue.objects.all()}
    found = []
    for key in MODELS:
        values = counts.get(key, {})
        known = sum(values.values())
        found.append(
            ModelBoard(
                key=key,
                run=published.get(key),
                known=known,
                unknown=max(0, members - known) if key in published else 0,
                values=tuple(
                    Share(value, model_words.value_label(key, value), values[value], tags.get((key.value, value)))
                    for value in sorted(values, key=_order(key, values))
                ),
            )
        )
    return found


def _order(key: ModelKey, values: dict[str, int]) -> Any:
    """Levels from high to low, hours by the clock, the rest by members."""
    if key in model_words.BY_LEVEL:
        return list(model_words.LEVELS).index
    if key == ModelKey.HOUR:
        return int
    return lambda value: (-values[value], value)


def _counts(actor: Actor, published: dict[str, ModelRun]) -> tuple[dict[str, dict[str, int]], int]:
    if actor.scope == DataScope.ALL:
        last = next(iter(published.values()), None)
        members = (last.known or 0) + (last.unknown or 0) if last else 0
        return {model: run.distribution for model, run in published.items()}, members
    visible, params = scopes.member_sql(actor)
    counts: dict[str, dict[str, int]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT s.model, s.value, count(*) FROM members_member m
            JOIN analytics_modelscore s ON s.member_id = m.id
            WHERE m.status = 'active' AND {visible} GROUP BY 1, 2
            """,  # the condition comes from members.queries.scopes
            params,
        )
        for model, value, count in cursor.fetchall():
            counts.setdefault(model, {})[value] = count
        cursor.execute(f"SELECT count(*) FROM members_member m WHERE m.status = 'active' AND {visible}", params)
        return counts, cursor.fetchone()[0]


def open_run() -> ModelRun | None:
    """The run that is being computed now."""
    return ModelRun.objects.filter(state=RunState.PUBLISHING).select_related("job").order_by("-id").first()


def last_day() -> tuple[date, datetime | None] | None:
    """The day of the oldest of the published runs, and when the newest was published."""
    runs = list(
        ModelRun.objects.filter(state=RunState.PUBLISHED)
        .order_by("model", "-id")
        .distinct("model")
        .values_list("as_of", "published_at")
    )
    if not runs:
        return None
    return min(day for day, _at in runs), max((at for _day, at in runs if at is not None), default=None)


@dataclass(frozen=True, slots=True)
class MemberValue:
    """What a model says of a member, and why; `value` is empty while unknown."""

    key: ModelKey
    value: str
    labels: tuple[str, ...]
    why: str
    as_of: date | None


def of_member(member_id: int) -> list[MemberValue]:
    """Every model that has run. The caller has made sure that the actor may see the member."""
    runs_ = ModelRun.objects.filter(state=RunState.PUBLISHED).order_by("model", "-id").distinct("model")
    ran = {model: (as_of, known) for model, as_of, known in runs_.values_list("model", "as_of", "known")}
    rows = {row.model: row for row in ModelScore.objects.filter(member_id=member_id)}
    found = []
    for key in MODELS:
        if key not in ran:
            continue
        row = rows.get(key)
        as_of, known = ran[key]
        if row is None:
            missing = model_words.unknown(key) if known else _("Nobody's is known yet")
            found.append(MemberValue(key, "", (), missing, as_of))
            continue
        labels = tuple(model_words.value_label(key, value) for value in (row.value, *row.others))
        found.append(MemberValue(key, row.value, labels, model_words.why(key, row.score, row.evidence), as_of))
    return found


def runs(limit: int = 12) -> Sequence[ModelRun]:
    """The last runs, newest first."""
    return list(ModelRun.objects.select_related("job").order_by("-id")[:limit])
