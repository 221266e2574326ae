"""Pages of segments: list, detail and what is done from there. The builder is in `segment_builder`."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from scrm.common import clock, conditions, pagination
from scrm.common.access import ConsoleRequest, DataScope, Permission, page
from scrm.common.errors import DomainError, NotFound
from tags.enums import SegmentKind
from tags.filtersets import SegmentFilterSet
from tags.models import Segment
from tags.operations import segments as operations
from tags.queries import segments
from tags.web import audience_panel

PAGE_SIZE = 50


@page(allow=Permission.SEGMENTS_VIEW)
def segment_list(request: ConsoleRequest) -> HttpResponse:
    """Segments, last changed first. Stored counts are of everybody, so only who sees everybody is shown them."""
    filters = SegmentFilterSet(request.GET, queryset=segments.every())
    found = pagination.paginate(
        filters.qs,
        order=(("updated_at", True), ("id", True)),
        cursor=request.GET.get("cursor") or None,
        size=PAGE_SIZE,
    )
    context = {
        "page": found,
        "filters": filters,
        "kinds": SegmentKind.choices,
        "is_filtered": any(request.GET.get(name) for name in ("q", "kind", "state")),
        "sees_counts": request.actor.scope == DataScope.ALL,
        "may_edit": request.actor.may(Permission.SEGMENTS_EDIT),
    }
    rows_only = request.htmx and "cursor" in request.GET
    return render(request, "tags/segment_rows.html" if rows_only else "tags/segment_list.html", context)


@page(allow=Permission.SEGMENTS_VIEW)
def segment_detail(request: ConsoleRequest, segment_id: int) -> HttpResponse:
    """Who is in a segment, in words and numbers, and what uses it."""
    segment = _segment(segment_id)
    context: dict[str, Any] = {
        "segment": segment,
        "may_edit": request.actor.may(Permission.SEGMENTS_EDIT),
        "may_campaign": request.actor.may(Permission.CAMPAIGNS_EDIT),
        "dependents": segments.dependents(segment.pk),
    }
    try:
        if segment.condition is not None:
            context["sentence"] = conditions.describe(segments.tree_of(segment))
        found = segments.preview_of(segment, actor=request.actor, as_of=clock.now())
        context |= {**audience_panel.reach(found), **audience_panel.sample(request, found)}
    except DomainError as error:
        context["broken"] = str(error)
    return render(request, "tags/segment_detail.html", context)


@require_POST
@page(allow=Permission.SEGMENTS_EDIT)
def segment_act(request: ConsoleRequest, segment_id: int, act: str) -> HttpResponse:
    """Archive, restore, duplicate, recount or freeze a segment."""
    now = clock.now()
    target = segment_id
    try:
        match act:
            case "snapshot":
                target = operations.snapshot(segment_id=segment_id, name=request.POST.get("name", ""), now=now).pk
                messages.success(request, _("The snapshot is taken."))
            case "duplicate":
                copied = operations.duplicate(segment_id=segment_id, now=now)
                return redirect("segment_edit", copied.pk)
            case "archive":
                operations.archive(segment_id=segment_id, now=now)
                messages.success(request, _("The segment is archived."))
                return redirect("segment_list")
            case "restore":
                operations.restore(segment_id=segment_id)
            case "recount":
                operations.recount(segment_id=segment_id, now=now)
            case _:
                raise Http404
    except NotFound as error:
        raise Http404(str(error)) from error
    except DomainError as error:
        messages.error(request, str(error))
    return redirect("segment_detail", target)


def _segment(segment_id: int) -> Segment:
    try:
        return segments.get(segment_id)
    except NotFound as error:
        raise Http404(str(error)) from error
