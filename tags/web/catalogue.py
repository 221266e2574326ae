"""Pages of tag groups and tags."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from scrm.common import clock
from scrm.common.access import ConsoleRequest, Permission, page
from scrm.common.errors import DomainError, NotFound
from tags.filtersets import TagFilterSet
from tags.models import Tag, TagGroup
from tags.operations import catalogue
from tags.queries import tagging
from tags.web.forms import GroupForm, TagForm


@page(allow=Permission.TAGS_VIEW)
def tag_list(request: ConsoleRequest) -> HttpResponse:
    """Groups with their tags and how many members have each; every count opens those members."""
    filters = TagFilterSet(request.GET, queryset=tagging.listed())
    found = list(filters.qs)
    counts = tagging.counts(actor=request.actor, now=clock.now())
    for tag in found:
        tag.members = counts.get(tag.pk, 0)
    by_group: dict[int, list[Tag]] = {}
    for tag in found:
        by_group.setdefault(tag.group_id, []).append(tag)
    is_filtered = any(request.GET.get(name) for name in ("q", "kind", "state"))
    groups = [
        {"group": group, "tags": by_group.get(group.pk, [])}
        for group in tagging.all_groups()
        if group.pk in by_group or not is_filtered
    ]
    context = {
        "groups": groups,
        "filters": filters,
        "is_filtered": is_filtered,
        "may_edit": request.actor.may(Permission.TAGS_EDIT),
        "tag_total": len(found),
    }
    return render(request, "tags/tag_list.html", context)


@page(allow=Permission.TAGS_EDIT)
def group_edit(request: ConsoleRequest, group_id: int | None = None) -> HttpResponse:
    """Create a tag group, or change one."""
    group = _group(group_id) if group_id is not None else None
    initial = _values(group, ("name", "choice", "colour", "position"))
    form = GroupForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            if group is None:
                catalogue.create_group(**form.cleaned_data)
            else:
                catalogue.update_group(group_id=group.pk, **form.cleaned_data)
        except DomainError as error:
            _refuse(form, error)
        else:
            return redirect("tag_list")
    title = _("Change tag group") if group else _("New tag group")
    return _form(request, form, title)


@page(allow=Permission.TAGS_EDIT)
def tag_edit(request: ConsoleRequest, tag_id: int | None = None) -> HttpResponse:
    """Create a tag, or change one."""
    tag = _tag(tag_id) if tag_id is not None else None
    initial = _values(tag, ("name", "description", "valid_days"))
    initial["group"] = tag.group_id if tag else request.GET.get("group", "")
    form = TagForm(request.POST or None, initial=initial)
    if tag is not None:
        form.fields["group"].disabled = True
    if request.method == "POST" and form.is_valid():
        values = dict(form.cleaned_data)
        group_id = int(values.pop("group"))
        try:
            if tag is None:
                catalogue.create_tag(group_id=group_id, **values)
            else:
                catalogue.update_tag(tag_id=tag.pk, **values)
        except DomainError as error:
            _refuse(form, error)
        else:
            return redirect("tag_list")
    title = _("Change tag") if tag else _("New tag")
    return _form(request, form, title, tag=tag)


@require_POST
@page(allow=Permission.TAGS_EDIT)
def tag_archive(request: ConsoleRequest, tag_id: int) -> HttpResponse:
    """Archive a tag, or put an archived one back into use."""
    try:
        if request.POST.get("restore"):
            catalogue.restore_tag(tag_id=tag_id)
        else:
            catalogue.archive_tag(tag_id=tag_id, now=clock.now())
            messages.success(request, _("The tag is archived. Who has it keeps it."))
    except NotFound as error:
        raise Http404(str(error)) from error
    return redirect("tag_list")


def _form(request: ConsoleRequest, form: Any, title: str, tag: Tag | None = None) -> HttpResponse:
    status = 422 if form.errors else 200
    context = {"form": form, "title": title, "tag": tag}
    return render(request, "tags/tag_form.html", context, status=status)


def _values(row: Tag | TagGroup | None, names: tuple[str, ...]) -> dict[str, Any]:
    return {} if row is None else {name: getattr(row, name) for name in names}


def _refuse(form: Any, error: DomainError) -> None:
    field = error.detail.get("field")
    form.add_error(field if field in form.fields else None, str(error))


def _tag(tag_id: int) -> Tag:
    try:
        return tagging.get(tag_id)
    except NotFound as error:
        raise Http404(str(error)) from error


def _group(group_id: int) -> TagGroup:
    try:
        return tagging.get_group(group_id)
    except NotFound as error:
        raise Http404(str(error)) from error
