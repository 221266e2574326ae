"""Custom fields: the brand's own attributes of a member's profile."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from members.enums import AttributeType
from members.models import Attribute
from members.operations import attributes as operations
from members.queries import attributes
from scrm.common import clock
from scrm.common.access import ConsoleRequest, Permission, page
from scrm.common.forms import saved


class AttributeForm(forms.Form):
    """Key and type are chosen once: conditions and other systems rely on them."""

    key = forms.CharField(
        max_length=40,
        label=gettext_lazy("Key"),
        help_text=gettext_lazy("What other systems call it when they send profiles. It cannot be changed later."),
    )
    label = forms.CharField(max_length=40, label=gettext_lazy("Name"))
    type = forms.ChoiceField(choices=AttributeType.choices, label=gettext_lazy("Type"))
    choices = forms.CharField(
        required=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 6}),
        label=gettext_lazy("Values to choose from"),
        help_text=gettext_lazy("One a line. Only for the type “One of a list”."),
    )

    @classmethod
    def of(cls, attribute: Attribute | None, data: object) -> AttributeForm:
        """The form of an attribute, or of a new one."""
        if attribute is None:
            return cls(data)  # type: ignore[arg-type]  # the request's data
        form = cls(
            data,  # type: ignore[arg-type]  # the request's data
            initial={
                "key": attribute.key,
                "label": attribute.label,
                "type": attribute.type,
                "choices": "\n".join(attribute.choices),
            },
        )
        for name in ("key", "type"):
            form.fields[name].disabled = True
        if attribute.type != AttributeType.CHOICE:
            del form.fields["choices"]
        return form

    @property
    def listed(self) -> list[str]:
        return str(self.cleaned_data.get("choices", "")).splitlines()


@page(allow=Permission.SETTINGS)
def attribute_list(request: ConsoleRequest) -> HttpResponse:
    """All custom fields: some dozens at most."""
    return render(request, "members/attribute_list.html", {"rows": attributes.every()})


@page(allow=Permission.SETTINGS)
def attribute_new(request: ConsoleRequest) -> HttpResponse:
    """Declare a custom field."""
    form = AttributeForm.of(None, request.POST or None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        if saved(
            form,
            lambda: operations.create(key=data["key"], label=data["label"], type=data["type"], choices=form.listed),
        ):
            messages.success(request, _("Saved."))
            return redirect("attribute_list")
    context = {"form": form, "heading": _("New custom field")}
    return render(request, "members/attribute_edit.html", context, status=422 if form.errors else 200)


@page(allow=Permission.SETTINGS)
def attribute_edit(request: ConsoleRequest, attribute_id: int) -> HttpResponse:
    """Rename a custom field or change its values; what uses it is listed before it is deleted."""
    attribute = attributes.get(attribute_id)
    form = AttributeForm.of(attribute, request.POST or None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        if saved(
            form,
            lambda: operations.update(
                attribute_id=attribute_id, label=data["label"], choices=form.listed, now=clock.now()
            ),
        ):
            messages.success(request, _("Saved."))
            return redirect("attribute_list")
    context = {
        "form": form,
        "heading": attribute.label,
        "attribute": attribute,
        "dependents": attributes.dependents(attribute.key),
    }
    return render(request, "members/attribute_edit.html", context, status=422 if form.errors else 200)


@require_POST
@page(allow=Permission.SETTINGS)
def attribute_delete(request: ConsoleRequest, attribute_id: int) -> HttpResponse:
    """Withdraw a custom field. The page listed what uses it, so that is known."""
    operations.delete(attribute_id=attribute_id, even_if_used=True, now=clock.now())
    messages.success(request, _("The field was deleted. Members keep what they hold."))
    return redirect("attribute_list")
