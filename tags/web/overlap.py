"""How segments overlap: a matrix of up to ten, a Venn diagram of two or three."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from scrm.common import clock
from scrm.common.access import ConsoleRequest, Permission, page
from scrm.common.errors import Invalid, NotFound
from tags.models import Segment
from tags.queries import comparisons, segments
from tags.queries.comparisons import Compared, Comparison, Region
from tags.rules import segments as rules

SHADES = 5
# Where each region of a diagram has its figure, in the picture's own units (0 … 400 by -10 … 315).
_CIRCLES = {2: ((150, 140, 105), (250, 140, 105)), 3: ((150, 115, 95), (250, 115, 95), (200, 195, 95))}
_NAMES = {2: ((90, 20), (310, 20)), 3: ((95, 2), (305, 2), (200, 306))}
_FIGURES: dict[int, dict[tuple[bool, ...], tuple[int, int]]] = {
    2: {(True, False): (100, 145), (False, True): (300, 145), (True, True): (200, 145)},
    3: {
        (True, False, False): (112, 100), (False, True, False): (288, 100), (False, False, True): (200, 248),
        (True, True, False): (200, 78), (True, False, True): (142, 172), (False, True, True): (258, 172),
        (True, True, True): (200, 145),
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cell:
    """How many members a row's segment shares with a column's; `share` is of the row's members."""

    members: int
    share: float | None
    shade: int
    href: str
    is_self: bool


@dataclass(frozen=True, slots=True)
class Place:
    """A region of the diagram: where its figure stands, what it says and where it leads."""

    x: int
    y: int
    members: int
    label: str
    href: str


@page(allow=Permission.SEGMENTS_VIEW)
def segment_overlap(request: ConsoleRequest) -> HttpResponse:
    """Compare the segments of `?id=…&id=…`; `in=…` says which of them the diagram shows."""
    chosen, in_diagram = _ids(request.GET.getlist("id")), _ids(request.GET.getlist("in"))
    context: dict[str, Any] = {"most": comparisons.MOST}
    found = Comparison([], [], [], [])
    try:
        found = comparisons.compare(segment_ids=chosen, in_diagram=in_diagram, actor=request.actor, as_of=clock.now())
    except NotFound as error:
        raise Http404(str(error)) from error
    except Invalid as error:
        context["fault"] = str(error)
    shown = {segment.pk for segment in found.in_diagram}
    context |= {
        "rows": [
            {
                "compared": row,
                "number": number,
                "cells": _cells(row, found),
                "in_diagram": row.segment.pk in shown,
                "without": _address([key for key in chosen if key != row.segment.pk]),
            }
            for number, row in enumerate(found.compared, 1)
        ],
        "usable": found.usable,
        "venn": _diagram(found) if found.regions else None,
        "offered": segments.listed().exclude(pk__in=chosen).order_by("name")[:500],
        "chosen": chosen,
        "may_add": len(chosen) < comparisons.MOST,
        "may_edit": request.actor.may(Permission.SEGMENTS_EDIT),
    }
    return render(request, "tags/segment_overlap.html", context)


def _cells(row: Compared, found: Comparison) -> list[Cell]:
    cells = []
    for other, members in zip(found.usable, row.common, strict=False):
        is_self = other.pk == row.segment.pk
        share = members / row.size if row.size else None
        href = (
            _builder([row.segment, other], (True, True))
            if not is_self
            else f"{reverse('member_list')}?segment={other.pk}"
        )
        cells.append(Cell(members, share, round((share or 0) * SHADES), href, is_self))
    return cells


def _diagram(found: Comparison) -> dict[str, Any]:
    count = len(found.in_diagram)
    return {
        "circles": [{"x": x, "y": y, "r": r, "number": place} for place, (x, y, r) in enumerate(_CIRCLES[count], 1)],
        "names": [
            {"x": x, "y": y, "name": segment.name if len(segment.name) <= 14 else f"{segment.name[:13]}…"}
            for segment, (x, y) in zip(found.in_diagram, _NAMES[count], strict=True)
        ],
        "places": [_place(region, found.in_diagram) for region in found.regions],
    }


def _place(region: Region, shown: Sequence[Segment]) -> Place:
    x, y = _FIGURES[len(shown)][region.inside]
    names = [segment.name for segment, is_in in zip(shown, region.inside, strict=True) if is_in]
    left_out = [segment.name for segment, is_in in zip(shown, region.inside, strict=True) if not is_in]
    words = {"names": " + ".join(names), "others": " + ".join(left_out)}
    label = (_("In %(names)s, not in %(others)s") if left_out else _("In %(names)s")) % words
    return Place(x, y, region.members, label, _builder(shown, region.inside))


def _builder(shown: Sequence[Segment], inside: Sequence[bool]) -> str:
    """The builder with the condition of a region."""
    condition = rules.region_condition([segment.pk for segment in shown], inside)
    name = " ∩ ".join(segment.name for segment, is_in in zip(shown, inside, strict=True) if is_in)
    query = urlencode({"condition": json.dumps(condition, ensure_ascii=False), "name": name[:60]})
    return f"{reverse('segment_new')}?{query}"


def _address(ids: Sequence[int]) -> str:
    return f"{reverse('segment_overlap')}?{urlencode({'id': list(ids)}, doseq=True)}"


def _ids(given: Sequence[str]) -> list[int]:
    """The ids of an address, each once, no more than a comparison could refuse."""
    found = [int(raw) for raw in given if raw.isascii() and raw.isdigit() and len(raw) <= 18]
    return list(dict.fromkeys(found))[: comparisons.MOST + 1]
