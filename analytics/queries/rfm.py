"""RFM as published: the matrix, the classes, the layers, runs and moves. Limited to the members an actor sees."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from analytics.enums import RfmClass, RfmLayer, RunState
from analytics.models import RfmModel, RfmRun
from analytics.queries.population import count_members
from analytics.rules import rfm as rules
from members.queries import scopes
from scrm.common.access import Actor, DataScope

OPEN = (RunState.AGGREGATING, RunState.PUBLISHING)


def models(*, archived: bool = False) -> list[RfmModel]:
    """The default one first; those in use, or with `archived` the others."""
    return list(RfmModel.objects.filter(archived_at__isnull=not archived).order_by("-is_default", "name"))


def find_model(model_id: int | None = None) -> RfmModel | None:
    """The model of that id; without one the default."""
    wanted = {"is_default": True} if model_id is None else {"pk": model_id}
    return RfmModel.objects.filter(**wanted).first()


def published_run(model: RfmModel) -> RfmRun | None:
    """The run whose scores readers see."""
    return RfmRun.objects.filter(model=model, state=RunState.PUBLISHED).order_by("-id").first()


def open_run(model: RfmModel) -> RfmRun | None:
    """The run that is being computed, with its job."""
    return RfmRun.objects.filter(model=model, state__in=OPEN).select_related("job").order_by("-id").first()


def runs(model: RfmModel | None = None) -> QuerySet[RfmRun]:
    """Runs for lists, without their heavy columns."""
    found = RfmRun.objects.select_related("model", "job").defer("distribution", "ranges_done")
    return found.filter(model=model) if model is not None else found


@dataclass(frozen=True, slots=True)
class Part:
    """Some members: how many, which share of the buyers (a ratio), and what they paid net in the window."""

    members: int
    net: int
    share: float


@dataclass(frozen=True, slots=True)
class Board:
    """Everything that the RFM page counts. `cells` is keyed by (R, F); every class and layer is there."""

    as_of: date
    published_at: datetime | None
    model_version: int
    buyers: int
    net: int
    members: int
    cells: dict[tuple[int, int], Part]
    classes: dict[str, Part]
    layers: dict[str, Part]
    cuts: dict[str, list[int]]
    middles: dict[str, Any]


def board(*, actor: Actor, model: RfmModel) -> Board | None:
    """The published distribution, None before the first run.

    For those who see everybody the numbers of the run; for others counted now over their own members. Prospects are
    counted now in either case: members join between runs.
    """
    run = published_run(model)
    if run is None:
        return None
    found = run.distribution if actor.scope == DataScope.ALL else _counted(actor, model)
    buyers, net = found["buyers"], found["net"]
    members = max(count_members(actor), buyers)

    def part(values: list[int] | None, whole: int = buyers) -> Part:
        count, amount = values or (0, 0)
        return Part(count, amount, count / whole if whole else 0.0)

    layers = {layer.value: part(found["layers"].get(layer.value)) for layer in RfmLayer}
    layers[RfmLayer.PROSPECT.value] = part([members - buyers, 0], members)
    return Board(
        as_of=run.as_of,
        published_at=run.published_at,
        model_version=run.model_version,
        buyers=buyers,
        net=net,
        members=members,
        cells={(r, f): part(found["cells"].get(f"{r}{f}")) for r in rules.SCORES for f in rules.SCORES},
        classes={class_.value: part(found["classes"].get(class_.value)) for class_ in RfmClass},
        layers=layers,
        cuts=run.cuts,
        middles=run.middles,
    )


def _counted(actor: Actor, model: RfmModel) -> dict[str, Any]:
    visible, params = scopes.member_sql(actor)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT s.r, s.f, s.rfm_class, s.layer, count(*), sum(s.monetary)::bigint
            FROM members_member m JOIN analytics_rfmscore s ON s.model_id = %s AND s.member_id = m.id
            WHERE m.status = 'active' AND {visible} GROUP BY s.r, s.f, s.rfm_class, s.layer
            """,  # the condition comes from members.queries.scopes
            [model.pk, *params],
        )
        return rules.summed(cursor.fetchall())


@dataclass(frozen=True, slots=True)
class Moves:
    """Who moved between layers in the last run: `rows` are (layer before, [members per layer after])."""

    run: RfmRun
    former: RfmRun
    columns: list[str]
    rows: list[tuple[str, list[int]]]
    total: int


def moves(*, actor: Actor, model: RfmModel) -> Moves | None:
    """Layer to layer between the last two published runs; "" and `prospect` both mean without orders.

    None when there are no two runs.
    """
    last = list(RfmRun.objects.filter(model=model, state=RunState.PUBLISHED).order_by("-id")[:2])
    if len(last) < 2:
        return None
    counted: dict[tuple[str, str], int] = {}
    found = last[0].distribution.get("moves", []) if actor.scope == DataScope.ALL else _moved(actor, last[0])
    for before, after, members in found:
        key = (before or RfmLayer.PROSPECT.value, after or RfmLayer.PROSPECT.value)
        counted[key] = counted.get(key, 0) + members
    columns = list(RfmLayer.values)
    rows = [(before, [counted.get((before, after), 0) for after in columns]) for before in columns]
    return Moves(last[0], last[1], columns, rows, sum(counted.values()))


def _moved(actor: Actor, run: RfmRun) -> list[tuple[str, str, int]]:
    visible, params = scopes.member_sql(actor)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT c.layer_before, c.layer_after, count(*)
            FROM analytics_rfmchange c JOIN members_member m ON m.id = c.member_id AND {visible}
            WHERE c.run_id = %s AND c.layer_before <> c.layer_after GROUP BY 1, 2
            """,  # the condition comes from members.queries.scopes
            [*params, run.pk],
        )
        return list(cursor.fetchall())
