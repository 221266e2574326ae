"""Pages of lists: new ones, pasted and uploaded ones, a selection of the member list, members one by one."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from members.queries import directory
from members.queries import lists as given
from scrm.common import clock
from scrm.common.access import ConsoleRequest, Permission, page
from scrm.common.errors import DomainError, NotFound
from scrm.common.forms import refuse
from scrm.common.models.jobs import JobState
from scrm.common.pagination import Page
from tags.enums import LISTS
from tags.models import Segment
from tags.operations import bulk, lists
from tags.operations import segment_lists as operations
from tags.queries import segments
from tags.web.segment_forms import ImportForm, MembersGivenForm, NewListForm, PickForm

PAGE_SIZE = 50
SHOWN_UNRESOLVED = 10


@page(allow=Permission.SEGMENTS_EDIT)
def segment_list_new(request: ConsoleRequest) -> HttpResponse:
    """A new list: empty, or of the members that a pasted text or a file names."""
    form = NewListForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        words = {"name": form.cleaned_data["name"], "description": form.cleaned_data["description"]}
        try:
            if form.given is None:
                return redirect("segment_members", operations.create(now=clock.now(), **words).pk)
            started = operations.import_new(actor=request.actor, now=clock.now(), **words, **_kept(form))
        except DomainError as error:
            refuse(form, error)
        else:
            return _imported(request, started)
    return render(request, "tags/segment_list_new.html", {"form": form}, status=422 if form.errors else 200)


@page(allow=Permission.SEGMENTS_EDIT)
def segment_import(request: ConsoleRequest, segment_id: int) -> HttpResponse:
    """Add the members that a pasted text or a file names to a list."""
    segment = _list(segment_id)
    form = ImportForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        try:
            started = operations.start_import(
                actor=request.actor, segment_id=segment_id, now=clock.now(), **_kept(form)
            )
        except DomainError as error:
            refuse(form, error)
        else:
            return _imported(request, started)
    context = {"form": form, "segment": segment}
    return render(request, "tags/segment_import.html", context, status=422 if form.errors else 200)


def _kept(form: MembersGivenForm) -> dict[str, str]:
    """The given members as a kept file. Raises `Invalid` with the file's trouble."""
    kind = form.cleaned_data["kind"]
    if isinstance(form.given, UploadedFile):
        return {"file": lists.keep_file(form.given.chunks()), "kind": kind, "label": form.given.name or ""}
    return {"file": lists.keep_text(form.given or ""), "kind": kind}


def _imported(request: ConsoleRequest, started: operations.Started) -> HttpResponse:
    job = started.job
    if job is not None and job.state in (JobState.QUEUED, JobState.RUNNING):
        messages.info(request, _("The list is being read in the background."))
    elif job is not None and job.state == JobState.FAILED:
        messages.error(request, job.error)
    else:
        text = ngettext("%(count)s member was added.", "%(count)s members were added.", started.changed)
        messages.success(request, text % {"count": started.changed})
    return redirect("segment_detail", started.segment.pk)


@page(allow=Permission.SEGMENTS_EDIT)
def segment_pick(request: ConsoleRequest) -> HttpResponse:
    """Add a selection of the member list to a list: its ids (`id`), or all that its query matches (`all_matching`).

    Without a list chosen yet, asks for one.
    """
    if request.method != "POST":
        return redirect("member_list")
    query = request.POST.get("query", "")[:4_000] if request.POST.get("all_matching") == "1" else None
    ids = [] if query is not None else sorted({key for raw in request.POST.getlist("id") if (key := _id(raw))})
    is_chosen = "name" in request.POST or "segment" in request.POST
    form = PickForm(request.POST if is_chosen else None)
    if is_chosen and form.is_valid():
        selection: dict[str, Any] = {
            "actor": request.actor, "member_ids": ids, "query": query, "now": clock.now(),
        }  # fmt: skip
        try:
            if segment_id := form.cleaned_data["segment"]:
                started = operations.start_fill(segment_id=segment_id, **selection)
            else:
                started = operations.fill_new(name=form.cleaned_data["name"], **selection)
        except DomainError as error:
            form.add_error("name" if error.detail.get("field") == "name" else None, str(error))
        else:
            return _imported(request, started)
    try:
        total = bulk.size(actor=request.actor, member_ids=ids, query=query)
    except DomainError as error:
        messages.error(request, str(error))
        return redirect("member_list")
    context = {
        "form": form,
        "total": total,
        "ids": ids,
        "query": query,
        "kept_query": request.POST.get("query", "")[:4_000],
    }
    return render(request, "tags/segment_pick.html", context, status=422 if form.errors else 200)


@page(allow=Permission.SEGMENTS_VIEW)
def segment_members(request: ConsoleRequest, segment_id: int) -> HttpResponse:
    """The members of a list that one sees; `POST` adds those named in `text`, or takes `remove` off."""
    segment = _list(segment_id)
    actor = request.actor
    may_edit = actor.may(Permission.SEGMENTS_EDIT)
    fault = ""
    if request.method == "POST":
        if not may_edit:
            return HttpResponse(status=403)
        try:
            _change(request, segment_id)
        except DomainError as error:
            fault = str(error)
        else:
            return redirect("segment_members", segment_id)
    found: Page[Any] = Page([], None)
    if actor.may(Permission.MEMBERS_VIEW):
        found = directory.page(
            directory.matching(actor=actor, params={"segment": str(segment_id)}),
            cursor=request.GET.get("cursor") or None,
            size=PAGE_SIZE,
        )
    context = {
        "segment": segment,
        "page": found,
        "may_edit": may_edit,
        "fault": fault,
        "text": request.POST.get("text", ""),
    }
    rows_only = request.htmx and "cursor" in request.GET
    template = "tags/segment_member_rows.html" if rows_only else "tags/segment_members.html"
    return render(request, template, context, status=422 if fault else 200)


def _change(request: ConsoleRequest, segment_id: int) -> None:
    """Add or remove what the form says, among the members one sees. Raises `DomainError`."""
    now = clock.now()
    if member_id := _id(request.POST.get("remove")):
        visible = directory.visible(request.actor).filter(pk=member_id).values_list("pk", flat=True)
        if operations.remove(segment_id=segment_id, member_ids=list(visible), now=now):
            messages.success(request, _("The member is off the list."))
        return
    found = given.resolve(given.pasted(request.POST.get("text", "")), actor=request.actor)
    added = operations.add(segment_id=segment_id, member_ids=found.member_ids, now=now)
    text = ngettext("%(count)s member was added.", "%(count)s members were added.", added) % {"count": added}
    (messages.success if added else messages.info)(request, text)
    for row in found.unresolved[:SHOWN_UNRESOLVED]:
        messages.warning(request, f"{row.text}: {row.label}")


def _list(segment_id: int) -> Segment:
    try:
        segment = segments.get(segment_id)
    except NotFound as error:
        raise Http404(str(error)) from error
    if segment.kind not in LISTS:
        raise Http404
    return segment


def _id(raw: str | None) -> int | None:
    """A positive bigint, or None."""
    return int(raw) if raw and raw.isascii() and raw.isdigit() and len(raw) <= 18 else None
