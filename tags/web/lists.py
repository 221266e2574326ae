"""Tagging the members of a list: paste or upload it, see who it means, tag them."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core import signing
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from scrm.common import clock
from scrm.common.access import ConsoleRequest, Permission, page
from scrm.common.errors import DomainError
from scrm.common.forms import refuse
from tags.operations import lists
from tags.queries import tagging
from tags.web.forms import ListForm

_SALT = "tags.list"
_TICKET_SECONDS = 24 * 3600
SHOWN_UNRESOLVED = 20


def _steps(current: int) -> list[dict[str, str]]:
    labels = [_("List and tags"), _("Check"), pgettext("the act", "Tag")]
    states = ["done" if number < current else "current" if number == current else "todo" for number in range(3)]
    return [{"label": label, "state": state} for label, state in zip(labels, states, strict=True)]


@page(allow=Permission.TAGS_EDIT)
def tag_by_list(request: ConsoleRequest) -> HttpResponse:
    """Take a pasted or an uploaded list and the tags that its members are to have."""
    form = ListForm(request.POST or None, request.FILES or None, initial={"add": request.GET.getlist("tag")})
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            if upload := values["file"]:
                file, name = lists.keep_file(upload.chunks()), upload.name[:200]
            else:
                file, name = lists.keep_text(values["text"]), ""
        except DomainError as error:
            refuse(form, error)
        else:
            ticket = {
                "file": file,
                "name": name,
                "kind": values["kind"],
                "add": [int(key) for key in values["add"]],
                "remove": [int(key) for key in values["remove"]],
                "reason": values["reason"],
                "user": request.actor.ref,
            }
            return redirect("tag_list_check", signing.dumps(ticket, salt=_SALT, compress=True))
    chosen = request.POST.getlist("add") if request.method == "POST" else request.GET.getlist("tag")
    context = {
        "form": form,
        "steps": _steps(0),
        "groups": tagging.offered(without=set()),
        "chosen": chosen,
        "chosen_off": request.POST.getlist("remove"),
    }
    return render(request, "tags/tag_by_list.html", context, status=422 if form.errors else 200)


@page(allow=Permission.TAGS_EDIT)
def tag_list_check(request: ConsoleRequest, token: str) -> HttpResponse:
    """Show whom the list means; `POST` tags them. With `unresolved=1` the rows that mean nobody, as a file."""
    try:
        ticket: dict[str, Any] = signing.loads(token, salt=_SALT, max_age=_TICKET_SECONDS)
    except signing.BadSignature:
        ticket = {}
    if ticket.get("user") != request.actor.ref:
        messages.error(request, _("This list is no longer there. Please give it again."))
        return redirect("tag_by_list")
    if request.method == "POST":
        return _start(request, ticket, token)
    try:
        found = lists.check(file=ticket["file"], kind=ticket["kind"], actor=request.actor)
    except DomainError as error:
        messages.error(request, str(error))
        return redirect("tag_by_list")
    if request.GET.get("unresolved") == "1":
        answer = HttpResponse(lists.unresolved_csv(found.unresolved), content_type="text/csv; charset=utf-8")
        answer["Content-Disposition"] = 'attachment; filename="unresolved.csv"'
        return answer
    tags = {tag.pk: tag for tag in tagging.listed().filter(pk__in=[*ticket["add"], *ticket["remove"]])}
    context = {
        "steps": _steps(1),
        "found": found,
        "members": len(found.member_ids),
        "shown": found.unresolved[:SHOWN_UNRESOLVED],
        "ticket": ticket,
        "token": token,
        "add": [tags[key] for key in ticket["add"] if key in tags],
        "remove": [tags[key] for key in ticket["remove"] if key in tags],
        "checked_rows": lists.CHECKED_ROWS,
    }
    return render(request, "tags/tag_list_check.html", context)


def _start(request: ConsoleRequest, ticket: dict[str, Any], token: str) -> HttpResponse:
    try:
        started = lists.start(
            file=ticket["file"],
            kind=ticket["kind"],
            add=ticket["add"],
            remove=ticket["remove"],
            reason=ticket["reason"],
            actor=request.actor,
            now=clock.now(),
        )
    except DomainError as error:
        messages.error(request, str(error))
        return redirect("tag_list_check", token)
    if started.job_id is not None:
        messages.info(request, _("The tags are being written in the background."))
        return redirect("job_detail", started.job_id)
    text = ngettext("%(count)s assignment changed.", "%(count)s assignments changed.", started.changed)
    messages.success(request, text % {"count": started.changed})
    return redirect("tag_list")
