"""The list of tag groups and tags, and the forms in which they are made and changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
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
from scrm.common.forms import refuse
from tags.enums import TagKind
from tags.filtersets import TagFilterSet
from tags.models import Tag, TagGroup
from tags.operations import catalogue
from tags.queries import audiences, coverage, recent, tagging
from tags.queries.member_list import TONES
from tags.web.forms import GroupForm, TagForm
from tags.web.sections import sections

# Of a tag that was never counted no more are counted for the list.
MOST_COUNTED = 1_000


@dataclass(slots=True)
class Shown:
    """A tag of the list with what is shown of it. `members` is None where it is not known.

    There are hundreds of them on the page: addresses and words are made here, not by the template.
    """

    tag: Tag
    tone: str
    members: int | None
    is_more: bool = False

    @property
    def url(self) -> str:
        return f"{_place('tag_list')}{self.tag.pk}/"

    @property
    def members_url(self) -> str:
        return f"{_place('member_list')}?tag={self.tag.pk}"

    @property
    def count(self) -> str:
        return "" if self.members is None else f"{self.members:,}{'+' if self.is_more else ''}"

    @property
    def label(self) -> str:
        """What a screen reader says for the count."""
        text = ngettext("%(n)s member has %(name)s", "%(n)s members have %(name)s", self.members or 0)
        return text % {"n": self.count, "name": self.tag.name}


@lru_cache
def _place(name: str) -> str:
    return reverse(name)


@dataclass(slots=True)
class Section:
    """A group of the list."""

    group: TagGroup
    tags: list[Shown] = field(default_factory=list)
    # Tags it has, archived ones included: it cannot be deleted while there are any.
    kept_by: int = 0

    @property
    def is_of_model(self) -> bool:
        """Whether a model makes its tags, so that nobody adds one by hand."""
        return bool(self.tags) and all(row.tag.kind == TagKind.MODEL for row in self.tags)


@page(allow=Permission.TAGS_VIEW)
def tag_list(request: ConsoleRequest) -> HttpResponse:
    """Groups with their tags and how many members have each; every count opens those members."""
    filters = TagFilterSet(request.GET, queryset=tagging.listed(), request=request)
    found = list(filters.qs)
    counts, day = _counts(request, found)
    rows = [
        Shown(tag, TONES.get(tag.shown_colour, tag.shown_colour), *counts.get(tag.pk, (None, False))) for tag in found
    ]
    if request.GET.get("sort") == "members":
        rows.sort(key=lambda row: -(row.members or 0))
    is_filtered = any(request.GET.get(name) for name in ("q", "kind", "state", "owner"))
    may_manage = request.actor.may(Permission.TAGS_MANAGE)
    held = tagging.numbers_of_tags() if may_manage else {}
    groups = {group.pk: Section(group, kept_by=held.get(group.pk, 0)) for group in tagging.all_groups()}
    for row in rows:
        groups[row.tag.group_id].tags.append(row)
    # A group whose tags are all archived is out of use as they are; one that never had any waits for its first.
    shown = [section for section in groups.values() if section.tags or not (is_filtered or section.kept_by)]
    context = {
        "groups": shown,
        "filters": filters,
        "kinds": filters.form.fields["kind"].choices,
        "is_filtered": is_filtered,
        "may_manage": may_manage,
        "may_edit": request.actor.may(Permission.TAGS_EDIT),
        "tag_total": len(found),
        "recent": recent.recently_used(request.actor),
        "counted_on": day,
        "is_exact": request.GET.get("exact") == "1",
        "sections": sections(request.actor, "tags"),
    }
    return render(request, "tags/tag_list.html", context)


def _counts(request: ConsoleRequest, found: list[Tag]) -> tuple[dict[int, tuple[int | None, bool]], Any]:
    """Members of each tag with whether there are more, and the day of the count: who sees everybody is shown the
    stored counts; exact ones are counted on request, and for who sees few members anyway."""
    exact = request.GET.get("exact") == "1" or request.actor.scope in (DataScope.STORE, DataScope.OWN)
    if exact:
        exactly = audiences.tag_counts(actor=request.actor, now=clock.now())
        return {tag.pk: (exactly.get(tag.pk, 0), False) for tag in found}, None
    if request.actor.scope != DataScope.ALL:
        return {}, None
    stored = coverage.latest()
    counts: dict[int, tuple[int | None, bool]] = {key: (one.members, False) for key, one in stored.items()}
    # A tag that nobody had when it was counted is most likely to be wrong, and cheap to count again.
    unsure = [tag.pk for tag in found if tag.pk not in stored or not stored[tag.pk].members]
    new = coverage.few(unsure, now=clock.now(), most=MOST_COUNTED)
    counts |= {key: (min(number, MOST_COUNTED), number > MOST_COUNTED) for key, number in new.items()}
    return counts, max((one.day for one in stored.values()), default=None)


@page(allow=Permission.TAGS_MANAGE)
def group_edit(request: ConsoleRequest, group_id: int | None = None) -> HttpResponse:
    """Create a tag group, or change one."""
    group = _group(group_id) if group_id is not None else None
    initial = _values(group, ("name", "choice", "colour", "wecom_group_id"))
    form = GroupForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            if group is None:
                catalogue.create_group(**form.cleaned_data)
            else:
                catalogue.update_group(group_id=group.pk, **form.cleaned_data)
        except DomainError as error:
            refuse(form, error)
        else:
            return redirect("tag_list")
    title = _("Change tag group") if group else _("New tag group")
    return _form(request, form, title, cancel=reverse("tag_list"))


@require_POST
@page(allow=Permission.TAGS_MANAGE)
def group_act(request: ConsoleRequest, group_id: int, act: str) -> HttpResponse:
    """Move a group up or down, or delete an empty one."""
    try:
        match act:
            case "earlier" | "later":
                catalogue.move_group(group_id=group_id, earlier=act == "earlier")
            case "delete":
                catalogue.delete_group(group_id=group_id)
                messages.success(request, _("The tag group is deleted."))
            case _:
                raise Http404
    except NotFound as error:
        raise Http404(str(error)) from error
    except DomainError as error:
        messages.error(request, str(error))
    return redirect("tag_list")


@page(allow=Permission.TAGS_MANAGE)
def tag_edit(request: ConsoleRequest, tag_id: int | None = None) -> HttpResponse:
    """Create a tag, or change one."""
    tag = _tag(tag_id) if tag_id is not None else None
    initial = _values(tag, ("name", "description", "valid_days", "colour", "wecom_tag_id"))
    initial["group"] = tag.group_id if tag else request.GET.get("group", "")
    initial["owner"] = tag.owner_id if tag else request.actor.id if request.actor.kind == "user" else None
    form = TagForm(request.POST or None, initial=initial)
    if tag is not None:
        form.fields["group"].disabled = True
    if request.method == "POST" and form.is_valid():
        values = dict(form.cleaned_data)
        group_id = int(values.pop("group"))
        values["owner_id"] = values.pop("owner")
        try:
            if tag is None:
                tag = catalogue.create_tag(group_id=group_id, **values)
            else:
                catalogue.update_tag(tag_id=tag.pk, **values)
        except DomainError as error:
            refuse(form, error)
        else:
            return redirect("tag_detail", tag.pk)
    title = _("Change tag") if tag else _("New tag")
    cancel = reverse("tag_detail", args=[tag.pk]) if tag else reverse("tag_list")
    return _form(request, form, title, cancel=cancel)


def _form(request: ConsoleRequest, form: Any, title: str, *, cancel: str) -> HttpResponse:
    context = {"form": form, "title": title, "cancel": cancel}
    return render(request, "tags/tag_form.html", context, status=422 if form.errors else 200)


def _values(row: Tag | TagGroup | None, names: tuple[str, ...]) -> dict[str, Any]:
    return {} if row is None else {name: getattr(row, name) for name in names}


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
