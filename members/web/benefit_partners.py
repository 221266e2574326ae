"""Partners behind benefits, and what they are owed."""

from __future__ import annotations

import csv
from datetime import date, timedelta
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from members.models import Partner
from members.operations import benefit_catalogue as operations
from members.queries import benefit_catalogue as queries
from members.web.benefit_forms import PartnerForm, PeriodForm
from scrm.common import clock, money
from scrm.common.access import ConsoleRequest, DataScope, Permission, page
from scrm.common.errors import DomainError, NotFound
from scrm.common.forms import refuse


@page(allow=Permission.LOYALTY_VIEW)
def partner_list(request: ConsoleRequest) -> HttpResponse:
    """All partners: some dozens at most."""
    context = {
        "rows": queries.partners(),
        "may_manage": request.actor.may(Permission.LOYALTY_MANAGE),
        "may_settle": request.actor.scope == DataScope.ALL,
    }
    return render(request, "members/partner_list.html", context)


@page(allow=Permission.LOYALTY_MANAGE)
def partner_edit(request: ConsoleRequest, partner_id: int | None = None) -> HttpResponse:
    """A new partner, or an existing one."""
    partner = _partner(partner_id) if partner_id is not None else None
    form = PartnerForm(request.POST or None, partner=partner)
    if request.method == "POST" and form.is_valid():
        try:
            operations.save_partner(partner_id=partner_id, **form.cleaned_data)
        except DomainError as error:
            refuse(form, error)
        else:
            messages.success(request, _("Saved."))
            return redirect("partner_list")
    heading = partner.name if partner is not None else _("New partner")
    context = {"form": form, "heading": heading}
    return render(request, "members/partner_edit.html", context, status=422 if form.errors else 200)


@page(allow=Permission.LOYALTY_VIEW)
def settlement(request: ConsoleRequest, partner_id: int) -> HttpResponse:
    """What a partner is owed for a period (last month, unless said otherwise); `?format=csv` as a file.

    The numbers are of everybody, so only who sees everybody is shown them.
    """
    if request.actor.scope != DataScope.ALL:
        raise Http404
    partner = _partner(partner_id)
    first, last = _last_month(clock.shop_date(clock.now()))
    form = PeriodForm(request.GET if "first" in request.GET or "last" in request.GET else None)
    rows: list[queries.Owed] = []
    problem = ""
    if form.is_bound and form.is_valid():
        first, last = form.cleaned_data["first"] or first, form.cleaned_data["last"] or last
    form.initial = {"first": first, "last": last}
    try:
        rows = queries.settlement(partner.pk, first=first, last=last)
    except DomainError as error:
        problem = str(error)
    if request.GET.get("format") == "csv" and not problem:
        return _as_csv(partner, first, last, rows)
    context: dict[str, Any] = {
        "partner": partner, "form": form, "rows": rows, "first": first, "last": last, "problem": problem,
        "owed": sum(row.owed for row in rows),
    }  # fmt: skip
    return render(request, "members/settlement.html", context, status=422 if problem else 200)


def _as_csv(partner: Partner, first: date, last: date, rows: list[queries.Owed]) -> HttpResponse:
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="settlement-{partner.pk}-{first}-{last}.csv"'
    response.write("\ufeff")
    writer = csv.writer(response)
    writer.writerow(
        [_("Benefit"), _("Key"), _("Counted"), _("Taken back"), _("Net"), _("Owed (¥)")]
    )  # fmt: skip
    for row in rows:
        # A name that a spreadsheet would calculate is kept a text.
        name = f"'{row.name}" if row.name[:1] in "=+-@" else row.name
        writer.writerow([name, row.key, row.counted, row.returned, row.net, money.to_decimal(row.owed)])
    return response


def _last_month(today: date) -> tuple[date, date]:
    last = today.replace(day=1) - timedelta(days=1)
    return last.replace(day=1), last


def _partner(partner_id: int) -> Partner:
    try:
        return queries.partner(partner_id)
    except NotFound as error:
        raise Http404 from error
