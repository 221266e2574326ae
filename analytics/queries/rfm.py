"""RFM as published: the matrix, the classes, the layers, runs and moves. Limited to the members an actor sees."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from analytics.enums import AiplStage, RfmClass, RfmLayer, RunState, Stage
from analytics.models import RfmModel, RfmModelVersion, RfmRun
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


def versions(model: RfmModel) -> list[RfmModelVersion]:
    """Everything the model ever was, newest first."""
    return list(RfmModelVersion.objects.filter(model=model).order_by("-version"))


def definition_of(run: RfmRun) -> rules.Definition:
    """What the run computed with: its version of the model."""
    return rules.parse(content_of(run)["definition"])


def content_of(run: RfmRun) -> dict[str, Any]:
    """The version of the model that the run computed."""
    found = RfmModelVersion.objects.filter(model_id=run.model_id, version=run.model_version).first()
    if found is not None:
        content: dict[str, Any] = found.content
        return content
    model = run.model
    return {
        "name": model.name,
        "window_days": model.window_days,
        "currency": model.currency,
        "scope": model.scope,
        "definition": model.definition,
        "nightly": model.nightly,
    }


@dataclass(frozen=True, slots=True)
class Name:
    """How a class or layer is called in the reader's language, and its colour."""

    key: str
    label: str
    tone: str


def layer_names(definition: rules.Definition) -> list[Name]:
    """The layers in the order of their table, and prospects."""
    found = [Name(layer.key, layer.name or layer_label(layer.key), layer.tone) for layer in definition.layers]
    return [*found, Name(RfmLayer.PROSPECT.value, str(RfmLayer.PROSPECT.label), "grey")]


def class_names(definition: rules.Definition) -> list[Name]:
    """The eight classes in their usual order."""
    return [Name(key, label.name or str(RfmClass(key).label), label.tone) for key, label in definition.classes.items()]


def layer_label(key: str) -> str:
    """The usual name of a layer; the key of one that only a model names."""
    return str(RfmLayer(key).label) if key in RfmLayer.values else key


def layer_choices(model_id: int | None = None) -> list[tuple[str, str]]:
    """(key, label) of the layers of one model, or of all models in use together; prospects last."""
    narrowed = RfmModel.objects.filter(archived_at=None) if model_id is None else RfmModel.objects.filter(pk=model_id)
    found: dict[str, str] = {}
    for definition in narrowed.order_by("-is_default", "id").values_list("definition", flat=True):
        for name in layer_names(rules.parse(definition))[:-1]:
            found.setdefault(name.key, name.label)
    return [*found.items(), (RfmLayer.PROSPECT.value, str(RfmLayer.PROSPECT.label))]


def part_choices() -> list[tuple[str, list[tuple[str, str]]]]:
    """What alert rules can be about, in groups: classes, layers and stages."""
    return [
        (_("Eight classes"), [(entry.value, str(entry.label)) for entry in RfmClass]),
        (_("Layers"), layer_choices()),
        (_("Stages"), [(entry.value, str(entry.label)) for entry in Stage]),
        ("AIPL", [(entry.value, str(entry.label)) for entry in AiplStage]),
    ]


def published_run(model: RfmModel) -> RfmRun | None:
    """The run whose scores readers see."""
    return RfmRun.objects.filter(model=model, state=RunState.PUBLISHED).select_related("model").order_by("-id").first()


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
    """Everything that the RFM page counts. `cells` is keyed by (R, F), `cube` by (R, F, M); every class and layer of
    the run's version is there, in its order."""

    as_of: date
    published_at: datetime | None
    model_version: int
    window_days: int
    buyers: int
    net: int
    members: int
    currency: str
    cells: dict[tuple[int, int], Part]
    cube: dict[tuple[int, int, int], Part]
    classes: dict[str, Part]
    layers: dict[str, Part]
    cuts: dict[str, list[int]]
    middles: dict[str, Any]
    layer_names: list[Name]
    class_names: list[Name]


def board(*, actor: Actor, model: RfmModel) -> Board | None:
    """The published distribution, None before the first run.

    For those who see everybody the numbers of the run; for others counted now over their own members. Prospects are
    counted now in either case: members join between runs.
    """
    run = published_run(model)
    if run is None:
        return None
    found = run.distribution if actor.scope == DataScope.ALL else counted(actor, model)
    buyers, net = found["buyers"], found["net"]
    members = max(count_members(actor), buyers)

    def part(values: list[int] | None, whole: int = buyers) -> Part:
        count, amount = values or (0, 0)
        return Part(count, amount, count / whole if whole else 0.0)

    content = content_of(run)
    definition = rules.parse(content["definition"])
    layers = {layer.key: part(found["layers"].get(layer.key)) for layer in definition.layers}
    layers[RfmLayer.PROSPECT.value] = part([members - buyers, 0], members)
    return Board(
        as_of=run.as_of,
        published_at=run.published_at,
        model_version=run.model_version,
        window_days=content["window_days"],
        buyers=buyers,
        net=net,
        members=members,
        currency=run.distribution.get("currency", "CNY"),
        cube={
            (r, f, m): part(found.get("cube", {}).get(f"{r}{f}{m}"))
            for r in rules.SCORES
            for f in rules.SCORES
            for m in rules.SCORES
        },
        cells={(r, f): part(found["cells"].get(f"{r}{f}")) for r in rules.SCORES for f in rules.SCORES},
        classes={class_.value: part(found["classes"].get(class_.value)) for class_ in RfmClass},
        layers=layers,
        cuts=run.cuts,
        middles=run.middles,
        layer_names=layer_names(definition),
        class_names=class_names(definition),
    )


def counted(actor: Actor, model: RfmModel) -> dict[str, Any]:
    """The distribution of the published scores over the actor's own members."""
    visible, params = scopes.member_sql(actor)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT s.r, s.f, s.m, s.rfm_class, s.layer, count(*), sum(s.monetary)::bigint
            FROM members_member m JOIN analytics_rfmscore s ON s.model_id = %s AND s.member_id = m.id
            WHERE m.status = 'active' AND {visible} GROUP BY s.r, s.f, s.m, s.rfm_class, s.layer
            """,  # the condition comes from members.queries.scopes
            [model.pk, *params],
        )
        return rules.summed(cursor.fetchall())
