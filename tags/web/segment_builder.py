"""The builder of segments: its page, and the answers it asks for while somebody edits."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from members.queries import directory
from scrm.common import clock, conditions
from scrm.common.access import ConsoleRequest, Permission, page
from scrm.common.errors import DomainError, Invalid, NotFound
from tags.enums import SegmentKind
from tags.models import Segment
from tags.operations import segments as operations
from tags.queries import row_counts, segments
from tags.web import audience_panel, condition_builder
from tags.web.explanations import Explanation
from tags.web.forms import SegmentForm

LARGEST_CONDITION = 200_000
# How long all the rows of a builder may take to be counted while somebody types; longer only when asked for.
PATIENCE_MS = 1_000
LONGEST_MS = 30_000
MOST_ROWS = 400
MEMBERS_FOUND = 20


@page(allow=Permission.SEGMENTS_EDIT)
def segment_new(request: ConsoleRequest) -> HttpResponse:
    """The builder, empty or prefilled by `?condition=<JSON>&name=<suggestion>`."""
    if request.method == "POST":
        return _save(request, None)
    initial = {"condition": "", "name": request.GET.get("name", "").replace("\0", "").strip()[:60]}
    faults: condition_builder.Faults = []
    if given := request.GET.get("condition", "")[:LARGEST_CONDITION]:
        try:
            raw = conditions.loads(given)
            initial["condition"] = json.dumps(raw, ensure_ascii=False)
            node = conditions.parse(raw)
            initial["name"] = segments.free_name(initial["name"] or conditions.describe(node))
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


@dataclass(frozen=True, slots=True)
class _Clash:
    """What somebody else saved while this editor was open."""

    message: str
    theirs: Segment
    sentence: str


def _save(request: ConsoleRequest, segment: Segment | None) -> HttpResponse:
    form = SegmentForm(request.POST)
    faults: condition_builder.Faults = []
    clash: _Clash | None = None
    if form.is_valid():
        values = form.cleaned_data
        try:
            condition = conditions.loads(values["condition"] or "null")
            common = {"name": values["name"], "description": values["description"], "condition": condition}
            if segment is None:
                saved = operations.create(now=clock.now(), **common)
            else:
                version = _overwritten(request) or values["version"] or 0
                saved = operations.update(segment_id=segment.pk, version=version, now=clock.now(), **common)
        except conditions.BadCondition as error:
            faults = error.detail["errors"]
        except DomainError as error:
            if error.code == "stale" and segment is not None:
                clash = _Clash(str(error), segment, _sentence(segment))
            else:
                field = error.detail.get("field")
                form.add_error(field if field in ("name", "description") else None, str(error))
        else:
            messages.success(request, _("The segment is saved."))
            return redirect("segment_detail", saved.pk)
    return _builder(request, form, segment, faults, clash=clash, status=422)


def _overwritten(request: ConsoleRequest) -> int | None:
    """The version that was shown as a conflict and is to be replaced all the same."""
    return _number(request.POST.get("overwrite", ""))


def _number(given: str) -> int | None:
    return int(given) if given.isascii() and given.isdigit() and len(given) < 10 else None


def _sentence(segment: Segment) -> str:
    try:
        return conditions.describe(segments.tree_of(segment))
    except DomainError as error:
        return str(error)


def _builder(
    request: ConsoleRequest,
    form: SegmentForm,
    segment: Segment | None,
    faults: condition_builder.Faults,
    *,
    clash: _Clash | None = None,
    status: int = 200,
) -> HttpResponse:
    context = {
        "form": form,
        "segment": segment,
        "clash": clash,
        "builder": condition_builder.context(
            request,
            condition=form["condition"].value() or "",
            faults=faults,
            draft=f"segment-{segment.pk}" if segment else "segment-new",
            exclude=True,
            unsaved=status != 200,
            segment_id=segment.pk if segment else None,
        ),
        "dependents": segments.dependents(segment.pk) if segment else [],
    }
    return render(request, "tags/segment_form.html", context, status=status)


@require_POST
@page(allow=Permission.SEGMENTS_VIEW)
def segment_preview(request: ConsoleRequest) -> JsonResponse:
    """What the condition in the body selects: {"html": the panel, "total"} or {"html": null, "faults": […]}.

    `?segment=` is the segment that is edited: a condition that leads back to it is refused.
    """
    edited = _number(request.GET.get("segment", ""))
    try:
        node = conditions.parse(conditions.loads(request.body[: LARGEST_CONDITION + 1]))
        now, stack = clock.now(), () if edited is None else (edited,)
        # What compiling refuses, it refuses by the leaf.
        conditions.compile_condition(node, as_of=now, stack=stack)
        found = segments.preview(node=node, actor=request.actor, as_of=now, stack=stack)
    except DomainError as error:
        return JsonResponse({"html": None, "faults": _faults(error)})
    context = {
        **audience_panel.reach(found),
        "sentence": conditions.describe(node),
        **audience_panel.sample(request, found),
    }
    panel = render_to_string("tags/segment_preview.html", context, request=request)
    return JsonResponse({"html": panel, "total": found.total, "faults": []})


@require_POST
@page(allow=Permission.SEGMENTS_VIEW)
def segment_counts(request: ConsoleRequest) -> JsonResponse:
    """How many fulfil each of {"conditions": […]}: {"counts": [a number, "slow", or null for what is incomplete]}.

    With "patient" it waits longer than somebody who is typing would.
    """
    try:
        body = _body(request)
        raws = body.get("conditions")
        if not isinstance(raws, list) or len(raws) > MOST_ROWS:
            raise Invalid(_("This is not a condition."), code="not_a_list")
    except DomainError as error:
        return JsonResponse({"counts": [], "faults": _faults(error)}, status=422)
    nodes = [_node_or_none(raw) for raw in raws]
    patience = LONGEST_MS if body.get("patient") is True else PATIENCE_MS
    found = row_counts.counts(nodes, actor=request.actor, as_of=clock.now(), patience_ms=patience)
    return JsonResponse({"counts": found})


@require_POST
@page(allow=Permission.MEMBERS_VIEW)
def segment_explain(request: ConsoleRequest) -> JsonResponse:
    """Why a member fulfils {"condition", "member": id} or does not: every node true or false, with what was found.

    {"name", "url", "holds", "nodes": {path: {"holds", "found"}}}, or {"reason"} when it cannot be told.
    """
    try:
        body = _body(request)
        node = conditions.parse(body.get("condition"))
        member = _member(request, body.get("member"))
        reason = conditions.explain(node, member_id=member.pk, as_of=clock.now())
        if reason is None:
            raise NotFound(_("There is no such member."))
    except DomainError as error:
        return JsonResponse({"reason": str(error), "faults": _faults(error)})
    nodes = Explanation().nodes(reason)
    url = reverse("member_detail", args=[member.pk])
    return JsonResponse({"name": str(member), "url": url, "holds": reason.holds, "nodes": nodes})


@require_POST
@page(allow=Permission.MEMBERS_VIEW)
def segment_members_found(request: ConsoleRequest) -> JsonResponse:
    """Members for {"query"}, to be explained: {"members": [{"value": id, "label", "hint"}]}, the newest without one."""
    try:
        query = str(_body(request).get("query", ""))[:100].replace("\0", "")
        rows = directory.page(directory.matching(actor=request.actor, params={"q": query}), size=MEMBERS_FOUND).rows
    except DomainError:
        rows = []
    found = [
        {
            "value": row.pk,
            "label": str(row),
            "hint": " · ".join(filter(None, [f"#{row.pk}", row.phone_masked, row.city])),
        }
        for row in rows
    ]
    return JsonResponse({"members": found})


def _body(request: ConsoleRequest) -> dict[str, Any]:
    body = conditions.loads(request.body[: LARGEST_CONDITION * 2 + 1])
    if not isinstance(body, dict):
        raise Invalid(_("This is not a condition."), code="not_an_object")
    return body


def _faults(error: DomainError) -> condition_builder.Faults:
    if isinstance(error, conditions.BadCondition):
        faults: condition_builder.Faults = error.detail["errors"]
        return faults
    return [{"path": "", "code": error.code, "message": str(error)}]


def _node_or_none(raw: Any) -> conditions.Node | None:
    try:
        return conditions.parse(raw)
    except conditions.BadCondition:
        return None


def _member(request: ConsoleRequest, member_id: Any) -> Any:
    known = isinstance(member_id, int) and not isinstance(member_id, bool) and 0 < member_id < 2**63
    member = directory.visible(request.actor).filter(pk=member_id).first() if known else None
    if member is None:
        raise NotFound(_("There is no such member."))
    return member


def _segment(segment_id: int) -> Segment:
    try:
        return segments.get(segment_id)
    except NotFound as error:
        raise Http404(str(error)) from error
