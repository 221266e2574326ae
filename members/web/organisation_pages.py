"""Stores, regions and staff: the small tables that members hang on."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from members.operations import organisation as organisation_acts
from members.queries import organisation
from members.web.forms import RegionForm, StaffForm, StoreForm
from scrm.common import clock
from scrm.common.access import ConsoleRequest, Permission, page
from scrm.common.errors import NotFound
from scrm.common.forms import saved


@page(allow=Permission.SETTINGS)
def store_list(request: ConsoleRequest) -> HttpResponse:
    """Stores, regions and staff on one page: there are hundreds at most."""
    tabs = [("stores", gettext_lazy("Stores")), ("staff", gettext_lazy("Staff")), ("regions", gettext_lazy("Regions"))]
    wanted = request.GET.get("tab", "")
    tab = wanted if wanted in dict(tabs) else "stores"
    rows = {"stores": organisation.stores, "staff": organisation.staff, "regions": organisation.regions}[tab]()
    return render(
        request,
        "members/store_list.html",
        {
            "tab": tab,
            "tabs": [{"label": label, "href": f"?tab={key}", "active": key == tab} for key, label in tabs],
            "rows": rows,
        },
    )


@page(allow=Permission.SETTINGS)
def store_edit(request: ConsoleRequest, store_id: int | None = None) -> HttpResponse:
    """A new store, or an existing one."""
    store = _one(organisation.stores(), store_id)
    form = StoreForm(
        request.POST or None,
        initial={
            "code": store.code, "name": store.name, "kind": store.kind, "region": store.region_id,
            "city": store.city, "is_active": store.is_active,
        } if store else None,
    )  # fmt: skip
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        values = organisation_acts.StoreValues(
            code=data["code"], name=data["name"], kind=data["kind"], region_id=data["region"],
            city=data["city"], is_active=data["is_active"],
        )  # fmt: skip
        if saved(form, lambda: organisation_acts.save_store(store_id=store_id, values=values, now=clock.now())):
            return _back(request, "stores")
    return _form(request, form, store, gettext_lazy("New store"), "stores")


@page(allow=Permission.SETTINGS)
def staff_edit(request: ConsoleRequest, staff_id: int | None = None) -> HttpResponse:
    """A new member of staff, or an existing one."""
    staff = _one(organisation.staff(), staff_id)
    form = StaffForm(
        request.POST or None,
        initial={
            "number": staff.number, "name": staff.name, "store": staff.store_id, "region": staff.region_id,
            "is_active": staff.is_active,
        } if staff else None,
    )  # fmt: skip
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        values = organisation_acts.StaffValues(
            number=data["number"], name=data["name"], store_id=data["store"], region_id=data["region"],
            is_active=data["is_active"],
        )  # fmt: skip
        if saved(form, lambda: organisation_acts.save_staff(staff_id=staff_id, values=values)):
            return _back(request, "staff")
    return _form(request, form, staff, gettext_lazy("New member of staff"), "staff")


@page(allow=Permission.SETTINGS)
def region_edit(request: ConsoleRequest, region_id: int | None = None) -> HttpResponse:
    """A new region, or an existing one."""
    region = _one(organisation.regions(), region_id)
    form = RegionForm(request.POST or None, initial={"code": region.code, "name": region.name} if region else None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        if saved(
            form,
            lambda: organisation_acts.save_region(region_id=region_id, code=data["code"], name=data["name"]),
        ):
            return _back(request, "regions")
    return _form(request, form, region, gettext_lazy("New region"), "regions")


def _one(rows: Any, key: int | None) -> Any:
    if key is None:
        return None
    row = next((row for row in rows if row.pk == key), None)
    if row is None:
        raise NotFound(_("There is no such entry."))
    return row


def _back(request: ConsoleRequest, tab: str) -> HttpResponse:
    messages.success(request, _("Saved."))
    return redirect(f"{reverse('store_list')}?tab={tab}")


def _form(request: ConsoleRequest, form: forms.Form, row: Any, new: str | Promise, tab: str) -> HttpResponse:
    context = {"form": form, "heading": str(row) if row else new, "tab": tab}
    return render(request, "members/store_edit.html", context, status=422 if form.errors else 200)
