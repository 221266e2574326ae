"""Event types: what members can do, as conditions and timelines name it."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from members.enums import usual_name
from members.models import EventType
from members.operations import event_types as operations
from members.queries import event_types
from members.rules.event_types import LONGEST_KEY, LONGEST_NAME
from scrm.common import clock
from scrm.common.access import ConsoleRequest, Permission, page
from scrm.common.forms import saved


class EventTypeForm(forms.Form):
    """The key is chosen once: events carry it."""

    key = forms.CharField(
        max_length=LONGEST_KEY,
        label=pgettext_lazy("event type", "Key"),
        help_text=gettext_lazy(
            "The type that events carry when they are sent, such as course.finished. It cannot be changed later."
        ),
    )
    name = forms.CharField(
        max_length=LONGEST_NAME,
        label=gettext_lazy("Name"),
        help_text=gettext_lazy("What conditions and timelines call it."),
    )

    @classmethod
    def of(cls, kind: EventType | None, data: object) -> EventTypeForm:
        """The form of a type, or of a new one."""
        if kind is None:
            return cls(data)  # type: ignore[arg-type]  # the request's data
        form = cls(data, initial={"key": kind.key, "name": kind.name})  # type: ignore[arg-type]  # the request's data
        form.fields["key"].disabled = True
        form.fields["name"].required = False
        form.fields["name"].help_text = _("Left empty, it is called “%(name)s”.") % {
            "name": usual_name(kind.key) or kind.key
        }
        return form


@page(allow=Permission.SETTINGS)
def event_type_list(request: ConsoleRequest) -> HttpResponse:
    """All types with how many events each had lately; more than a page holds are searched."""
    search = request.GET.get("q", "").replace("\0", "").strip()[:60]
    counts = event_types.counts(as_of=clock.now())
    rows = [{"type": kind, "count": counts.of(kind.pk)} for kind in event_types.listed(search=search)]
    context = {
        "rows": rows,
        "search": search,
        "exact": counts.exact,
        "cut": len(rows) == event_types.MOST_LISTED,
        "most": event_types.MOST_LISTED,
    }
    return render(request, "members/event_type_list.html", context)


@page(allow=Permission.SETTINGS)
def event_type_new(request: ConsoleRequest) -> HttpResponse:
    """Declare a type."""
    form = EventTypeForm.of(None, request.POST or None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        if saved(form, lambda: operations.declare(key=data["key"], name=data["name"])):
            messages.success(request, _("Saved. Conditions can name it from now on."))
            return redirect("event_type_list")
    context = {"form": form, "heading": _("New event type")}
    return render(request, "members/event_type_edit.html", context, status=422 if form.errors else 200)


@page(allow=Permission.SETTINGS)
def event_type_edit(request: ConsoleRequest, type_id: int) -> HttpResponse:
    """Call a type something else."""
    kind = event_types.get(type_id)
    form = EventTypeForm.of(kind, request.POST or None)
    if request.method == "POST" and form.is_valid():
        name = form.cleaned_data["name"]
        if saved(form, lambda: operations.rename(type_id=type_id, name=name)):
            messages.success(request, _("Saved."))
            return redirect("event_type_list")
    context = {"form": form, "heading": str(kind)}
    return render(request, "members/event_type_edit.html", context, status=422 if form.errors else 200)
