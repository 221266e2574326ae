"""Putting tags on members: one of them on the member page, many of them from the member list."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core import signing
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST
from django_htmx.http import trigger_client_event

from members.queries import directory
from scrm.common import clock
from scrm.common.access import ConsoleRequest, Permission, page
from scrm.common.errors import DomainError
from tags.operations import bulk, undoing
from tags.queries import recent
from tags.queries import tagging as queries
from tags.web.forms import BulkForm

_SALT = "tags.taken_off"
_UNDO_SECONDS = 600


def panel_context(request: ConsoleRequest, member_id: int, *, fault: str = "") -> dict[str, Any]:
    """What the tag panel of the member page shows."""
    held = queries.of_member(member_id, now=clock.now())
    have = {entry.tag.pk for entry in held}
    may_edit = request.actor.may(Permission.TAGS_EDIT)
    return {
        "member_id": member_id,
        "held": held,
        "groups": queries.offered(without=have) if may_edit else [],
        "recent": [tag for tag in recent.recently_used(request.actor) if tag.pk not in have] if may_edit else [],
        "may_edit": may_edit,
        "fault": fault,
    }


@require_POST
@page(allow=Permission.TAGS_EDIT)
def member_tags(request: ConsoleRequest, member_id: int) -> HttpResponse:
    """Put one tag on a member (`add`), take one off (`remove`), or undo that (`undo`); answers the panel again."""
    if not directory.visible(request.actor).filter(pk=member_id).exists():
        raise Http404
    fault, now = "", clock.now()
    taken: dict[str, Any] | None = None
    try:
        reason = request.POST.get("reason", "").strip()
        if tag_id := _id(request.POST.get("add")):
            bulk.by_hand(member_ids=[member_id], add=[tag_id], remove=[], reason=reason, now=now)
        elif tag_id := _id(request.POST.get("remove")):
            taken = undoing.take_off(member_id=member_id, tag_id=tag_id, reason=reason, now=now)
        elif ticket := _ticket(request.POST.get("undo", ""), member_id):
            undoing.put_back(taken=ticket, now=now)
    except DomainError as error:
        fault = str(error)
    if not request.htmx:
        return redirect("member_detail", member_id)
    answer = render(request, "tags/member_panel.html", panel_context(request, member_id, fault=fault))
    if taken is not None:
        name = queries.get(taken["tag_id"]).name
        undo = {
            "text": _("“%(name)s” was taken off.") % {"name": name},
            "label": _("Undo"),
            "url": request.path,
            "values": {"undo": signing.dumps(taken, salt=_SALT)},
            "target": "#member-tags",
        }
        return trigger_client_event(answer, "undo", undo)
    return answer


def _ticket(raw: str, member_id: int) -> dict[str, Any] | None:
    """What was taken off this member a short while ago, or None."""
    try:
        taken: dict[str, Any] = signing.loads(raw, salt=_SALT, max_age=_UNDO_SECONDS)
    except signing.BadSignature:
        return None
    return taken if taken["member_id"] == member_id else None


@require_POST
@page(allow=Permission.TAGS_EDIT)
def bulk_tag(request: ConsoleRequest) -> HttpResponse:
    """Tag a selection of the member list: its ids (`id`), or all that its query matches (`all_matching=1`, `query`).

    Without tags chosen yet, asks for them.
    """
    query = _query(request)
    ids = [] if query is not None else sorted({value for raw in request.POST.getlist("id") if (value := _id(raw))})
    form = BulkForm(request.POST)
    chosen = bool(request.POST.getlist("add") or request.POST.getlist("remove"))
    fault = ""
    if chosen and form.is_valid():
        values = form.cleaned_data
        try:
            started = bulk.start(
                actor=request.actor,
                member_ids=ids,
                query=query,
                add=[int(value) for value in values["add"]],
                remove=[int(value) for value in values["remove"]],
                reason=values["reason"],
                now=clock.now(),
            )
        except DomainError as error:
            fault = str(error)
        else:
            if started.job_id is not None:
                messages.info(request, _("The tags are being written in the background."))
                return redirect("job_detail", started.job_id)
            text = ngettext("%(count)s assignment changed.", "%(count)s assignments changed.", started.changed)
            messages.success(request, text % {"count": started.changed})
            return redirect(_back(query or request.POST.get("query", "")))
    elif chosen:
        fault = _("Not one of the choices.")
    try:
        total = bulk.size(actor=request.actor, member_ids=ids, query=query)
    except DomainError as error:
        messages.error(request, str(error))
        return redirect("member_list")
    context = {
        "total": total,
        "ids": ids,
        "query": query,
        "kept_query": request.POST.get("query", request.GET.urlencode()),
        "groups": queries.offered(without=set()),
        "fault": fault,
        "chosen": request.POST.getlist("add"),
        "chosen_off": request.POST.getlist("remove"),
        "reason": request.POST.get("reason", ""),
    }
    return render(request, "tags/bulk_tag.html", context, status=422 if fault else 200)


def _query(request: ConsoleRequest) -> str | None:
    """The list's query when everything that matches is meant, else None."""
    if request.POST.get("all_matching") != "1":
        return None
    return request.POST.get("query", request.GET.urlencode())[:4_000]


def _back(query: str) -> str:
    kept = QueryDict(query, mutable=True)
    kept.pop("cursor", None)
    return f"{reverse('member_list')}?{kept.urlencode()}" if kept else reverse("member_list")


def _id(raw: str | None) -> int | None:
    """A positive bigint, or None."""
    return int(raw) if raw and raw.isascii() and raw.isdigit() and len(raw) <= 18 else None
