"""Pages of segments: list, builder with live preview, detail."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_POST

from members.enums import Channel
from members.queries import directory
from scrm.common import clock, conditions, pagination
from scrm.common.access import ConsoleRequest, DataScope, Permission, page
from scrm.common.errors import DomainError, NotFound
from tags.enums import SegmentKind
from tags.filtersets import SegmentFilterSet
from tags.models import Segment
from tags.operations import segments as operations
from tags.queries import segments
from tags.web.forms import SegmentForm

PAGE_SIZE = 50
LARGEST_CONDITION = 200_000


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


@page(allow=Permission.SEGMENTS_EDIT)
def segment_new(request: ConsoleRequest) -> HttpResponse:
    """The builder, empty or prefilled by `?condition=<JSON>&name=<suggestion>`."""
    if request.method == "POST":
        return _save(request, None)
    initial = {"condition": "", "name": ""}
    faults: list[dict[str, str]] = []
    if given := request.GET.get("condition", "")[:LARGEST_CONDITION]:
        try:
            raw = conditions.loads(given)
            node = conditions.parse(raw)
            wanted = request.GET.get("name", "").replace("\0", "").strip() or conditions.describe(node)
            initial = {"condition": json.dumps(raw, ensure_ascii=False), "name": segments.free_name(wanted)}
        except conditions.BadCondition as error:
            faults = error.detail["errors"]
    return _builder(request, SegmentForm(initial=initial), None, faults)


@page(allow=Permission.SEGMENTS_EDIT)
def segment_edit(request: ConsoleRequest, segment_id: int) -> HttpResponse:
    """The builder with a saved segment."""
    segment = _segment(segment_id)
    if segment.kind != SegmentKind.DYNAMIC:
        messages.error(request, _("Only dynamic segments have a condition."))
        return redirect("segment_detail", segment.pk)
    if request.method == "POST":
        return _save(request, segment)
    initial = {
        "name": segment.name,
        "description": segment.description,
        "version": segment.version,
        "condition": json.dumps(segment.condition, ensure_ascii=False),
    }
    return _builder(request, SegmentForm(initial=initial), segment, [])


def _save(request: ConsoleRequest, segment: Segment | None) -> HttpResponse:
    form = SegmentForm(request.POST)
    faults: list[dict[str, str]] = []
    conflict = ""
    if form.is_valid():
        values = form.cleaned_data
        try:
            condition = conditions.loads(values["condition"] or "null")
            common = {"name": values["name"], "description": values["description"], "condition": condition}
            if segment is None:
                saved = operations.create(now=clock.now(), **common)
            else:
                saved = operations.update(
                    segment_id=segment.pk, version=values["version"] or 0, now=clock.now(), **common
                )
        except conditions.BadCondition as error:
            faults = error.detail["errors"]
        except DomainError as error:
            if error.code == "stale":
                conflict = str(error)
            else:
                field = error.detail.get("field")
                form.add_error(field if field in ("name", "description") else None, str(error))
        else:
            messages.success(request, _("The segment is saved."))
            return redirect("segment_detail", saved.pk)
    return _builder(request, form, segment, faults, conflict=conflict, status=422)


def _builder(
    request: ConsoleRequest,
    form: SegmentForm,
    segment: Segment | None,
    faults: list[dict[str, str]],
    *,
    conflict: str = "",
    status: int = 200,
) -> HttpResponse:
    context = {
        "form": form,
        "segment": segment,
        "faults": faults,
        "conflict": conflict,
        "fields": conditions.describe_fields(),
        "words": _words(),
        "dependents": segments.dependents(segment.pk) if segment else [],
    }
    return render(request, "tags/segment_form.html", context, status=status)


@require_POST
@page(allow=Permission.SEGMENTS_VIEW)
def segment_preview(request: ConsoleRequest) -> JsonResponse:
    """What the condition in the body selects: {"html": the panel or null, "faults": […]}. Never fails on bad input."""
    faults: list[dict[str, str]] = []
    panel: str | None = None
    try:
        node = conditions.parse(conditions.loads(request.body[: LARGEST_CONDITION + 1]))
        found = segments.preview(node=node, actor=request.actor, as_of=clock.now())
        context = {**_reach(found), "sentence": conditions.describe(node), **_sample(request, found)}
        panel = render_to_string("tags/segment_preview.html", context, request=request)
    except conditions.BadCondition as error:
        faults = error.detail["errors"]
    except DomainError as error:
        faults = [{"path": "", "code": error.code, "message": str(error)}]
    return JsonResponse({"html": panel, "faults": faults})


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
        context |= {**_reach(found), **_sample(request, found)}
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


_PICTURES = {
    Channel.EMAIL: {"icon": "mail"},
    Channel.SMS: {"icon": "device-mobile"},
    Channel.WECOM: {"icon": "brand-wechat"},
    Channel.SANDBOX: {"icon": "device-mobile-message"},
}


def _reach(found: segments.Preview) -> dict[str, Any]:
    return {
        "preview": found,
        "reach": [
            {"label": channel.label, "count": found.reachable[channel.value], **_PICTURES[channel]}
            for channel in segments.REACH_CHANNELS
        ],
    }


def _sample(request: ConsoleRequest, found: segments.Preview) -> dict[str, Any]:
    if not request.actor.may(Permission.MEMBERS_VIEW):
        return {"sample": []}
    rows = directory.visible(request.actor).filter(pk__in=found.sample_ids).select_related("summary")
    return {"sample": sorted(rows, key=lambda row: -row.pk)}


def _words() -> dict[str, str]:
    """What the builder says, in the page's language."""
    return {
        "all": _("All of these"),
        "any": _("Any of these"),
        "none": _("None of these"),
        "group": _("How the conditions combine"),
        "add": _("Add condition"),
        "addGroup": _("Add group"),
        "empty": _("No condition yet"),
        "field": _("Field"),
        "narrow": _("Narrow down"),
        "operator": _("Comparison"),
        "value": _("Value"),
        "unit": _("Unit of time"),
        "window": _("Time window"),
        "ever": _("Ever"),
        "last": _("In the last"),
        "dates": _("Between dates"),
        "from": _("From"),
        "to": _("Until"),
        "and": pgettext("between", "and"),
        "hour": _("hours"),
        "day": _("days"),
        "week": _("weeks"),
        "month": _("months"),
        "duplicate": _("Duplicate"),
        "remove": _("Remove"),
        "undo": _("Undo"),
        "redo": _("Redo"),
        "unknown": _("Unknown field:"),
    }
