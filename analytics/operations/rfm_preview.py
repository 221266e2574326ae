"""What applying an edited RFM model would bring: everybody scored again in memory, nothing written.

While window, scope and currency stay, the values are those of the last run, which its sums still hold; otherwise the
orders are added up afresh. Either way the columns stay in this process for minutes, so that each further keystroke
costs only the scoring: tens of milliseconds for a million buyers.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from django.db import connection

from analytics.models import RfmModel, RfmRun
from analytics.operations import rfm_aggregation, rfm_publication
from analytics.queries import rfm, rfm_scope
from analytics.queries.rfm import Name
from analytics.rules import rfm as rules
from analytics.rules import rfm_facts
from analytics.rules.rfm_facts import Facts, Values
from scrm.common import clock
from scrm.common.transactions import atomic

# Beyond so many buyers every n-th member stands for n: the preview says that it is an estimate.
LARGEST = 2_000_000
KEEP_SECONDS = 600
KEEP_MODELS = 2


@dataclass(frozen=True, slots=True)
class Sample:
    """The values to score: of every `factor`-th buyer, as of a day."""

    as_of: date
    values: Values
    factor: int
    currency: str


@dataclass(frozen=True, slots=True)
class Row:
    """A class, layer or cell: members published now, and members that the edited model would give it."""

    key: str
    label: str
    tone: str
    before: int
    after: int
    net_after: int

    @property
    def change(self) -> float | None:
        """Relative growth; None from nobody."""
        return (self.after - self.before) / self.before if self.before else None


@dataclass(frozen=True, slots=True)
class Preview:
    """Before and after; `cells` by (R, F). `exact` is False when counts are estimated from a sample."""

    as_of: date
    buyers_before: int
    buyers_after: int
    net_after: int
    currency: str
    classes: list[Row]
    layers: list[Row]
    cells: dict[tuple[int, int], Row]
    cuts: dict[str, list[int]]
    middles: dict[str, float]
    exact: bool
    milliseconds: int


def preview(
    *,
    model: RfmModel,
    window_days: int,
    currency: str,
    scope: Mapping[str, Any],
    definition: Mapping[str, Any],
    now: datetime,
) -> Preview:
    """The distribution by these settings beside the published one. The settings have been checked by the caller."""
    started = time.perf_counter()
    parsed = rules.parse(definition)
    run = rfm.published_run(model)
    sample = _sample(model, run, window_days, currency, scope, now)
    scales = rfm_facts.scales(parsed, sample.values)
    if scales:
        scored = rfm_facts.score(sample.values, scales)
        found = rfm_facts.distribution(scored, sample.values.monetary, parsed.layers)
    else:
        found = rules.summed([])
    before = run.distribution if run is not None else rules.summed([])
    former = rfm.layer_names(rfm.definition_of(run))[:-1] if run is not None else []
    layers = {name.key: name for name in [*rfm.layer_names(parsed)[:-1], *former]}

    def row(part: str, key: str, label: str, tone: str = "grey") -> Row:
        members, net = found[part].get(key, (0, 0))
        return Row(
            key, label, tone, before.get(part, {}).get(key, (0, 0))[0], members * sample.factor, net * sample.factor
        )

    def named(part: str, names: list[Name]) -> list[Row]:
        return [row(part, name.key, name.label, name.tone) for name in names]

    return Preview(
        as_of=sample.as_of,
        buyers_before=before["buyers"],
        buyers_after=found["buyers"] * sample.factor,
        net_after=found["net"] * sample.factor,
        currency=sample.currency,
        classes=named("classes", rfm.class_names(parsed)),
        layers=named("layers", list(layers.values())),
        cells={(r, f): row("cells", f"{r}{f}", f"R{r} F{f}") for r in rules.SCORES for f in rules.SCORES},
        cuts={name: list(scale.cuts) for name, scale in scales.items()},
        middles={name: scale.middle for name, scale in scales.items()},
        exact=sample.factor == 1,
        milliseconds=round((time.perf_counter() - started) * 1000),
    )


_kept: OrderedDict[tuple[Any, ...], tuple[float, Sample]] = OrderedDict()
_lock = threading.Lock()


def forget() -> None:
    """Drop every kept sample."""
    with _lock:
        _kept.clear()


def _sample(
    model: RfmModel, run: RfmRun | None, window_days: int, currency: str, scope: Mapping[str, Any], now: datetime
) -> Sample:
    counted = rfm_scope.resolve(currency=currency, scope=scope)
    of_run = run is not None and _same(run, window_days, currency, scope)
    today = clock.shop_date(now)
    key = (connection.settings_dict["NAME"], run.pk) if of_run and run else (model.pk, window_days, counted, today)
    with _lock:
        kept = _kept.get(key)
        if kept is not None and time.monotonic() - kept[0] < KEEP_SECONDS:
            _kept.move_to_end(key)
            return kept[1]
    facts = rfm_publication.facts_of(run.pk) if of_run and run else None
    if facts is not None and run is not None and facts.size >= (run.buyers or 0):
        as_of = run.as_of
    else:  # the settings differ, or a crash emptied the sums
        as_of = run.as_of if of_run and run else today
        facts = _added_up(counted, as_of, window_days)
    factor = max(1, -(-facts.size // LARGEST))
    if factor > 1:
        facts = facts.keep(facts.member_ids % factor == 0)
    starts = [clock.day_start(day) for day in rfm_facts.window_days(as_of, window_days)]
    sample = Sample(as_of, Values.of(facts, starts), factor, counted.currency)
    with _lock:
        _kept[key] = (time.monotonic(), sample)
        while len(_kept) > KEEP_MODELS:
            _kept.popitem(last=False)
    return sample


def _same(run: RfmRun, window_days: int, currency: str, scope: Mapping[str, Any]) -> bool:
    """Whether the run added up the same orders."""
    content = rfm.content_of(run)
    return (content["window_days"], content["currency"], content["scope"]) == (window_days, currency, dict(scope))


def _added_up(counted: rfm_scope.Counted, as_of: date, window_days: int) -> Facts:
    """The orders of everybody, added up now."""
    since, until = clock.day_start(as_of - timedelta(days=window_days)), clock.day_end(as_of)
    with atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(id), 0) FROM members_member")
        highest = int(cursor.fetchone()[0])
        facts = rfm_aggregation.aggregate(cursor, counted, since=since, until=until, low=0, high=highest)
        cursor.execute("SELECT id FROM members_member WHERE status <> 'active'")
        gone = np.array([row[0] for row in cursor.fetchall()], dtype=np.int64)
    return facts.keep(~np.isin(facts.member_ids, gone)) if len(gone) else facts
