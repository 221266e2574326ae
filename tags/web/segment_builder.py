"""The builder of segments: its page, and the answers it asks for while somebody edits."""

from __future__ import annotations

import json

from django.contrib import messages
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_POST

from scrm.common import clock, conditions
from scrm.common.access import ConsoleRequest, Permission, page
from scrm.common.errors import DomainError, NotFound
from tags.enums import SegmentKind
from tags.models import Segment
from tags.operations import segments as operations
from tags.queries import segments
from tags.web import audience_panel
from tags.web.forms import SegmentForm

LARGEST_CONDITION = 200_000


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
        context = {
            **audience_panel.reach(found),
            "sentence": conditions.describe(node),
            **audience_panel.sample(request, found),
        }
        panel = render_to_string("tags/segment_preview.html", context, request=request)
    except conditions.BadCondition as error:
        faults = error.detail["errors"]
    except DomainError as error:
        faults = [{"path": "", "code": error.code, "message": str(error)}]
    return JsonResponse({"html": panel, "faults": faults})


def _segment(segment_id: int) -> Segment:
    try:
        return segments.get(segment_id)
    except NotFound as error:
        raise Http404(str(error)) from error


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
