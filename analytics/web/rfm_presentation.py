"""How RFM is shown: the matrix, class cards, layer rows, moves and previews, each number with the members behind it."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from analytics.models import RfmModel
from analytics.operations.rfm_preview import Preview
from analytics.queries.rfm import Board, Part
from analytics.queries.rfm_moves import Migration
from analytics.rules import rfm as rules
from analytics.web.presentation import CLASS_ADVICE, LAYER_ADVICE, cell_style, members_url, sankey, segment_url

# What the cells show: members, net amounts, or each cell's part of the net amount.
SHOWS = ("members", "net", "value")


def board(found: Board, model: RfmModel, show: str, m: int | None, *, may_save: bool) -> dict[str, Any]:
    """The matrix (R down from 5, F rightwards; of one M score or of all), class cards and layer rows.

    Segments of another than the default model name it in each condition.
    """
    of_model = {} if model.is_default else {"rfm_model": str(model.pk)}
    parts = found.cells if m is None else {(r, f): found.cube[r, f, m] for r, f in found.cells}
    peak = max((_shown(part, show) for part in parts.values()), default=0)

    def save(*leaves: tuple[str, str, Any]) -> str:
        return segment_url(*leaves, model=None if model.is_default else model.pk) if may_save else ""

    def cell(r: int, f: int) -> dict[str, Any]:
        part = parts[r, f]
        of_m = {} if m is None else {"rfm_m": str(m)}
        return {
            "r": r,
            "f": f,
            "part": part,
            "net_share": _ratio(part, found),
            "shade": cell_style(_shown(part, show), peak),
            "href": members_url(rfm_r=str(r), rfm_f=str(f), **of_m, **of_model),
        }

    return {
        "matrix": [{"r": r, "cells": [cell(r, f) for f in rules.SCORES]} for r in reversed(rules.SCORES)],
        "f_scores": rules.SCORES,
        "class_cards": [
            {
                "label": name.label,
                "key": name.key,
                "tone": name.tone,
                "advice": CLASS_ADVICE[name.key],
                "part": found.classes[name.key],
                "net_share": _ratio(found.classes[name.key], found),
                "href": members_url(rfm_class=name.key, **of_model),
                "segment": save(("rfm.class", "in", [name.key])),
            }
            for name in found.class_names
        ],
        "layer_rows": [
            {
                "label": name.label,
                "key": name.key,
                "tone": name.tone,
                "advice": LAYER_ADVICE.get(name.key, ""),
                "part": found.layers[name.key],
                "net_share": _ratio(found.layers[name.key], found),
                "href": members_url(rfm_layer=name.key, **of_model),
                "segment": save(("rfm.layer", "in", [name.key])),
            }
            for name in found.layer_names
        ],
        "dimensions": [
            {
                "name": name.upper(),
                "cuts": found.cuts.get(name, []),
                "middle": found.middles.get(name, {}).get("value"),
                "is_money": name == "m",
            }
            for name in rules.DIMENSIONS
        ],
    }


def _shown(part: Part, show: str) -> int:
    return part.members if show == "members" else part.net


def _ratio(part: Part, found: Board) -> float:
    return part.net / found.net if found.net else 0.0


def migration(found: Migration, model: RfmModel) -> dict[str, Any]:
    """The flows as a Sankey diagram, as a matrix with links, and as a list of the largest moves."""
    matrix, names = found.matrix, found.names
    used = [key for key in matrix.keys if matrix.before[key] or matrix.after[key]]

    def label(key: str) -> str:
        return names[key].label if key in names else key

    def href(before: str, after: str) -> str:
        moved = f"{model.pk}.{found.earlier.pk}.{found.later.pk}.{found.kind}.{before}.{after}"
        return members_url(rfm_moved=moved)

    rows = [
        {
            "label": label(before),
            "total": matrix.before[before],
            "cells": [
                {
                    "members": matrix.counts.get((before, after), 0),
                    "share": matrix.share(before, after),
                    "href": href(before, after),
                    "stays": before == after,
                }
                for after in used
            ],
        }
        for before in used
    ]
    flows = sorted(
        ((before, after, members) for (before, after), members in matrix.counts.items() if before != after),
        key=lambda flow: -flow[2],
    )
    return {
        "rows": rows,
        "columns": [{"label": label(key), "total": matrix.after[key]} for key in used],
        "moved": matrix.moved,
        "stayed": matrix.stayed,
        "flows": [
            {"before": label(before), "after": label(after), "members": members, "href": href(before, after)}
            for before, after, members in flows[:12]
        ],
        "sankey": sankey([(label(key), key) for key in used], matrix.counts),
    }


def preview(found: Preview) -> dict[str, Any]:
    """Before and after per class, layer and cell."""
    peak = max((row.after for row in found.cells.values()), default=0)
    return {
        "preview": found,
        "parts": [(_("Eight classes"), found.classes), (_("Layers"), found.layers)],
        "matrix": [
            {
                "r": r,
                "cells": [
                    {"row": found.cells[r, f], "shade": cell_style(found.cells[r, f].after, peak)} for f in rules.SCORES
                ],
            }
            for r in reversed(rules.SCORES)
        ],
        "f_scores": rules.SCORES,
        "dimensions": [
            {"name": name.upper(), "cuts": found.cuts.get(name, []), "middle": found.middles.get(name),
             "is_money": name == "m"}
            for name in rules.DIMENSIONS
        ],
    }  # fmt: skip


def tabs(model: RfmModel, active: str) -> list[dict[str, Any]]:
    """The parts of a model's page."""
    pages = [
        ("board", _("Overview"), f"{reverse('rfm')}?model={model.pk}"),
        ("migration", _("Migration"), reverse("rfm_migration", args=[model.pk])),
        ("versions", _("Definition and versions"), reverse("rfm_versions", args=[model.pk])),
        ("alerts", _("Alerts"), f"{reverse('alert_rules')}?model={model.pk}"),
    ]
    return [{"label": label, "href": href, "active": key == active} for key, label, href in pages]
