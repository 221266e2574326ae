"""One tag: what it means, who has it and since when, what uses it; archiving and merging it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from scrm.common import clock
from scrm.common.access import ConsoleRequest, DataScope, Permission, page
from scrm.common.errors import DomainError, NotFound
from tags.enums import TagKind
from tags.models import Tag
from tags.operations import catalogue, merging
from tags.queries import automatic, coverage, statistics, tag_dependents, tagging

CHART_DAYS = 90
# Of a tag that was never counted no more are counted.
MOST_COUNTED = 1_000


@page(allow=Permission.TAGS_VIEW)
def tag_detail(request: ConsoleRequest, tag_id: int) -> HttpResponse:
    """What a tag means and how many have it, from the last count; what is costly follows by `tag_activity`."""
    tag = _tag(tag_id)
    actor = request.actor
    sees_everybody = actor.scope == DataScope.ALL
    now = clock.now()
    days = statistics.series(tag_id=tag_id, until=clock.shop_date(now), days=CHART_DAYS) if sees_everybody else []
    rule = automatic.of_tag(tag_id)
    context: dict[str, Any] = {
        "tag": tag,
        "rule": rule,
        "sentence": automatic.sentence(rule) if rule is not None else "",
        "days": days,
        "chart": _chart(days),
        "latest": days[-1] if days else None,
        "few": "" if days or not sees_everybody else _few(tag_id, now),
        "drift": _drift(days),
        "signposts": coverage.merged_into([tag_id]).get(tag_id, []),
        "dependents": tag_dependents.dependents(tag_id),
        "sees_everybody": sees_everybody,
        "may_manage": actor.may(Permission.TAGS_MANAGE),
        "may_edit": actor.may(Permission.TAGS_EDIT),
        "is_model": tag.kind == TagKind.MODEL,
        "audit_url": f"{reverse('audit_list')}?object_type=tags_tag&object_id={tag_id}"
        if actor.may(Permission.AUDIT_VIEW)
        else "",
    }
    return render(request, "tags/tag_detail.html", context)


def _chart(days: list[statistics.TagDay]) -> dict[str, Any]:
    return {
        "labels": [f"{one.day:%m-%d}" for one in days],
        "series": [{"name": _("Members"), "data": [one.members for one in days], "area": True}],
        "format": "count",
    }


def _few(tag_id: int, now: datetime) -> str:
    """Members with a tag that was never counted, no further than is cheap."""
    number = coverage.few([tag_id], now=now, most=MOST_COUNTED)[tag_id]
    return f"{MOST_COUNTED:,}+" if number > MOST_COUNTED else f"{number:,}"


def _drift(days: list[statistics.TagDay]) -> float | None:
    """The move against seven counted days before, as a ratio."""
    if len(days) < 8 or not days[-8].members:
        return None
    return (days[-1].members - days[-8].members) / days[-8].members


@page(allow=Permission.TAGS_VIEW)
def tag_activity(request: ConsoleRequest, tag_id: int) -> HttpResponse:
    """Who got and lost the tag last; with `exact=1` how many have it by source. Parts of the page that cost more."""
    _tag(tag_id)
    now = clock.now()
    if request.GET.get("exact") == "1":
        rows = coverage.by_source(tag_id, actor=request.actor, now=now)
        total = sum(number for _label, number in rows)
        return render(request, "tags/tag_sources.html", {"rows": rows, "total": total, "at": now})
    changes = coverage.latest_changes(tag_id, actor=request.actor)
    return render(request, "tags/tag_changes.html", {"changes": changes})


@require_POST
@page(allow=Permission.TAGS_MANAGE)
def tag_archive(request: ConsoleRequest, tag_id: int) -> HttpResponse:
    """Archive a tag, or put an archived one back into use."""
    try:
        if request.POST.get("restore"):
            catalogue.restore_tag(tag_id=tag_id)
            messages.success(request, _("The tag is in use again."))
        else:
            catalogue.archive_tag(tag_id=tag_id, now=clock.now())
            messages.success(request, _("The tag is archived. Who has it keeps it."))
    except NotFound as error:
        raise Http404(str(error)) from error
    except DomainError as error:
        messages.error(request, str(error))
    return redirect("tag_detail", tag_id)


@page(allow=Permission.TAGS_MANAGE)
def tag_merge(request: ConsoleRequest, tag_id: int) -> HttpResponse:
    """Choose the tag to merge into, see what changes, and merge."""
    tag = _tag(tag_id)
    choices = [other for other in tagging.in_use() if other.pk != tag_id and other.kind != TagKind.MODEL]
    chosen = {str(other.pk): other for other in choices}.get(request.POST.get("into") or request.GET.get("into") or "")
    fault = ""
    if request.method == "POST":
        if chosen is None:
            fault = _("Choose the tag to merge into.")
        else:
            try:
                done = merging.merge(tag_id=tag_id, into_id=chosen.pk, actor=request.actor, now=clock.now())
            except DomainError as error:
                fault = str(error)
            else:
                return _merged(request, done, chosen)
    context = {
        "tag": tag,
        "choices": choices,
        "chosen": chosen,
        "fault": fault,
        "rule": automatic.of_tag(tag_id),
        "dependents": tag_dependents.dependents(tag_id),
        "overlap": coverage.overlap(tag_id=tag_id, into_id=chosen.pk, now=clock.now()) if chosen else None,
    }
    return render(request, "tags/tag_merge.html", context, status=422 if fault else 200)


def _merged(request: ConsoleRequest, done: merging.Merged, into: Tag) -> HttpResponse:
    if done.job_id is not None:
        messages.info(request, _("The tags are being merged in the background."))
        return redirect("job_detail", done.job_id)
    text = ngettext(
        "Merged: %(count)s member has “%(name)s” now.", "Merged: %(count)s members have “%(name)s” now.", done.moved
    )
    messages.success(request, text % {"count": done.moved, "name": into.name})
    return redirect("tag_detail", into.pk)


def _tag(tag_id: int) -> Tag:
    try:
        return tagging.get(tag_id)
    except NotFound as error:
        raise Http404(str(error)) from error
