"""Pages of segments: list, detail and what is done from there. The builder is in `segment_builder`."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from members.operations import exports
from scrm.common import clock, conditions, pagination
from scrm.common.access import ConsoleRequest, DataScope, Permission, page
from scrm.common.errors import DomainError, NotFound
from scrm.common.forms import refuse
from tags.enums import LISTS, SegmentKind
from tags.filtersets import SegmentFilterSet
from tags.models import Segment
from tags.operations import segment_samples
from tags.operations import segments as operations
from tags.queries import segment_lists, segment_sizes, segments, templates
from tags.rules import segments as rules
from tags.web import audience_panel
from tags.web.segment_forms import RenameForm, SampleForm, SplitForm

PAGE_SIZE = 50
TREND_DAYS = 30
HISTORY_DAYS = 180
MOVES_DAYS = 7


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
    sees_counts = request.actor.scope == DataScope.ALL
    sizes = segment_sizes.trends([row.pk for row in found.rows], days=TREND_DAYS, now=clock.now())
    context = {
        "page": found,
        "rows": [
            {"segment": row, "sizes": sizes.get(row.pk, []), "trend": rules.trend(sizes.get(row.pk, []))}
            for row in found.rows
        ],
        "filters": filters,
        "kinds": SegmentKind.choices,
        "is_filtered": any(request.GET.get(name) for name in ("q", "kind", "state")),
        "sees_counts": sees_counts,
        "may_edit": request.actor.may(Permission.SEGMENTS_EDIT),
    }
    rows_only = request.htmx and "cursor" in request.GET
    return render(request, "tags/segment_rows.html" if rows_only else "tags/segment_list.html", context)


@page(allow=Permission.SEGMENTS_VIEW)
def segment_templates(request: ConsoleRequest) -> HttpResponse:
    """The gallery of ready segments."""
    groups = [
        {"label": group.label, "offers": [_card(offer) for offer in group.offers]} for group in templates.gallery()
    ]
    context = {"groups": groups, "may_edit": request.actor.may(Permission.SEGMENTS_EDIT)}
    return render(request, "tags/segment_templates.html", context)


def _card(offer: templates.Offer) -> dict[str, str]:
    query = urlencode({"condition": json.dumps(offer.condition, ensure_ascii=False), "name": offer.name})
    return {
        "name": offer.name,
        "why": offer.why,
        "send": offer.send,
        "icon": offer.icon,
        "refusal": offer.refusal,
        "href": f"{reverse('segment_new')}?{query}",
    }


@page(allow=Permission.SEGMENTS_VIEW)
def segment_detail(request: ConsoleRequest, segment_id: int) -> HttpResponse:
    """Who is in a segment, in words and numbers, how it grew, who comes and goes, and what uses it."""
    segment = _segment(segment_id)
    return _detail(request, segment)


def _detail(request: ConsoleRequest, segment: Segment, *, status: int = 200, **more: Any) -> HttpResponse:
    now, actor = clock.now(), request.actor
    condition, excluded = rules.split_exclusions(segment.condition)
    used_by = segments.dependents(segment.pk)
    context: dict[str, Any] = (
        {
            "segment": segment,
            "is_list": segment.kind in LISTS,
            "may_edit": actor.may(Permission.SEGMENTS_EDIT),
            "may_campaign": actor.may(Permission.CAMPAIGNS_EDIT),
            "may_export": actor.may(Permission.EXPORT),
            "may_reveal": actor.may(Permission.MEMBERS_REVEAL),
            "sees_counts": actor.scope == DataScope.ALL,
            "dependents": used_by,
            "may_delete": not used_by,
            "wrapper": json.dumps({"all": [rules.in_segments([segment.pk])]}),
            "excluded": segments.named(excluded),
            "parts": segment_lists.made_from(segment.pk),
            "filling": segment_lists.last_filling(segment.pk, actor=actor)
            if segment.kind != SegmentKind.DYNAMIC
            else None,
            "sample_form": SampleForm(prefix="sample"),
            "split_form": SplitForm(prefix="split"),
            "rename_form": RenameForm(
                prefix="rename",
                initial={"name": segment.name, "description": segment.description, "version": segment.version},
            ),
        }
        | _history(segment)
        | more
    )
    try:
        if segment.condition is not None:
            whole = segments.tree_of(segment)
            context["sentence"] = conditions.describe(conditions.parse(condition) if excluded else whole)
        found = segments.preview_of(segment, actor=actor, as_of=now)
        context |= {**audience_panel.reach(found), **audience_panel.sample(request, found)}
    except DomainError as error:
        context["broken"] = str(error)
    return render(request, "tags/segment_detail.html", context, status=status)


def _history(segment: Segment) -> dict[str, Any]:
    """The sizes as a chart, and how many came and went."""
    now = clock.now()
    sizes = segment_sizes.history(segment.pk, days=HISTORY_DAYS, now=now)
    chart = {
        "labels": [f"{counted_on:%Y-%m-%d}" for counted_on, _members in sizes],
        "series": [{"name": _("Members"), "data": [members for _counted_on, members in sizes], "area": True}],
        "format": "count",
    }
    followed = segment.watch is not None and segment.watch.enabled
    return {
        "chart": chart if len(sizes) > 1 else None,
        "is_followed": followed,
        "moves": segment_sizes.moves(segment.pk, days=MOVES_DAYS, now=now),
    }


@require_POST
@page(allow=Permission.SEGMENTS_EDIT)
def segment_act(request: ConsoleRequest, segment_id: int, act: str) -> HttpResponse:
    """Archive, restore, delete, duplicate, rename, recount, follow, freeze, sample or split a segment."""
    handle = _ACTS.get(act)
    if handle is None:
        raise Http404
    try:
        return handle(request, segment_id)
    except NotFound as error:
        raise Http404(str(error)) from error
    except DomainError as error:
        messages.error(request, str(error))
        return redirect("segment_detail", segment_id)


def _snapshot(request: ConsoleRequest, segment_id: int) -> HttpResponse:
    frozen = segment_samples.freeze(
        segment_id=segment_id, name=request.POST.get("name", ""), actor=request.actor, now=clock.now()
    )
    return _frozen(request, frozen, _("The snapshot is taken."))


def _sample(request: ConsoleRequest, segment_id: int) -> HttpResponse:
    form = SampleForm(request.POST, prefix="sample")
    if not form.is_valid() or (form.cleaned_data["percent"] is None) == (form.cleaned_data["size"] is None):
        if form.is_valid():
            form.add_error("percent", _("Give a share or a number, not both."))
        return _detail(request, _segment(segment_id), status=422, sample_form=form, open_dialog="sample")
    frozen = segment_samples.freeze(segment_id=segment_id, actor=request.actor, now=clock.now(), **form.cleaned_data)
    return _frozen(request, frozen, _("The sample is drawn."))


def _frozen(request: ConsoleRequest, frozen: segment_samples.Frozen, done: str) -> HttpResponse:
    if frozen.job is None:
        messages.success(request, done)
    else:
        messages.info(request, _("The members are being written in the background."))
    return redirect("segment_detail", frozen.segment.pk)


def _split(request: ConsoleRequest, segment_id: int) -> HttpResponse:
    form = SplitForm(request.POST, prefix="split")
    if not form.is_valid():
        return _detail(request, _segment(segment_id), status=422, split_form=form, open_dialog="split")
    parts = segment_samples.split(segment_id=segment_id, parts=form.cleaned_data["parts"], now=clock.now())
    messages.success(request, _("The segment is split into %(count)s parts.") % {"count": len(parts)})
    return redirect("segment_detail", segment_id)


def _rename(request: ConsoleRequest, segment_id: int) -> HttpResponse:
    form = RenameForm(request.POST, prefix="rename")
    if form.is_valid():
        try:
            operations.rename(segment_id=segment_id, now=clock.now(), **form.cleaned_data)
        except DomainError as error:
            refuse(form, error)
        else:
            return redirect("segment_detail", segment_id)
    return _detail(request, _segment(segment_id), status=422, rename_form=form, open_dialog="rename")


def _duplicate(request: ConsoleRequest, segment_id: int) -> HttpResponse:
    return redirect("segment_edit", operations.duplicate(segment_id=segment_id, now=clock.now()).pk)


def _archive(request: ConsoleRequest, segment_id: int) -> HttpResponse:
    operations.archive(segment_id=segment_id, now=clock.now())
    messages.success(request, _("The segment is archived."))
    return redirect("segment_list")


def _delete(request: ConsoleRequest, segment_id: int) -> HttpResponse:
    operations.delete(segment_id=segment_id, name=request.POST.get("confirm", ""))
    messages.success(request, _("The segment is deleted."))
    return redirect("segment_list")


def _restore(request: ConsoleRequest, segment_id: int) -> HttpResponse:
    operations.restore(segment_id=segment_id)
    return redirect("segment_detail", segment_id)


def _recount(request: ConsoleRequest, segment_id: int) -> HttpResponse:
    operations.recount(segment_id=segment_id, now=clock.now())
    return redirect("segment_detail", segment_id)


def _follow(request: ConsoleRequest, segment_id: int) -> HttpResponse:
    act = operations.follow if request.POST.get("followed") == "1" else operations.unfollow
    act(segment_id=segment_id, now=clock.now())
    return redirect("segment_detail", segment_id)


_ACTS = {
    "snapshot": _snapshot,
    "sample": _sample,
    "split": _split,
    "rename": _rename,
    "duplicate": _duplicate,
    "archive": _archive,
    "delete": _delete,
    "restore": _restore,
    "recount": _recount,
    "follow": _follow,
}


@require_POST
@page(allow=Permission.EXPORT)
def segment_export(request: ConsoleRequest, segment_id: int) -> HttpResponse:
    """Write the members of a segment into a file, in the background."""
    if not request.actor.may(Permission.SEGMENTS_VIEW):
        raise PermissionDenied
    segment = _segment(segment_id)
    try:
        segments.predicate_sql(segment, as_of=clock.now())
        job = exports.start(
            actor=request.actor,
            params={"segment": str(segment.pk)},
            full=request.POST.get("full") == "on",
            reason=request.POST.get("reason", ""),
            label=_("Export of “%(name)s”") % {"name": segment.name},
        )
    except DomainError as error:
        messages.error(request, str(error))
        return redirect("segment_detail", segment_id)
    messages.success(request, _("The export has started. The file will be here when it is finished."))
    return redirect("job_detail", job.pk)


def _segment(segment_id: int) -> Segment:
    try:
        return segments.get(segment_id)
    except NotFound as error:
        raise Http404(str(error)) from error
