"""The points of a member, and the ledger of everybody."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import FileResponse, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from members.enums import EntryKind
from members.filtersets import PointsEntryFilterSet
from members.models import PointsCurrency
from members.operations import currencies, points_export
from members.operations import points as operations
from members.queries import adjustments, points, points_ledger, points_lots, profiles
from members.web import points_presentation as presentation
from scrm.common import clock, downloads
from scrm.common.access import Actor, ConsoleRequest, DataScope, Permission, page
from scrm.common.errors import DomainError, Invalid
from scrm.common.pagination import Page

PAGE_SIZE = 50
EXPIRING_DAYS = 90
SECTIONS = [
    ("points_ledger", gettext_lazy("Ledger")),
    ("adjustment_list", gettext_lazy("Adjustments")),
    ("currency_list", gettext_lazy("Kinds of points")),
    ("points_liability", gettext_lazy("Liability")),
]


def sections(actor: Actor, current: str) -> list[dict[str, Any]]:
    """The pages about points, and how many adjustments wait."""
    waiting = adjustments.waiting_count(actor) if actor.may(Permission.POINTS_ADJUST) else 0
    return [
        {
            "label": label,
            "href": reverse(name),
            "active": name == current,
            "count": waiting if name == "adjustment_list" and waiting else None,
        }
        for name, label in SECTIONS
        if name != "points_liability" or actor.scope == DataScope.ALL  # its sums are of all members
    ]


def kinds() -> list[PointsCurrency]:
    """Every kind of points; 积分 and 成长值 are there from the beginning."""
    for key in (currencies.POINTS, currencies.GROWTH):
        currencies.get(key)
    return points.every()


@page(allow=Permission.LOYALTY_VIEW)
def member_points(request: ConsoleRequest, member_id: int) -> HttpResponse:
    """What a member has of a kind of points (`?currency=`): balances, lots, holds, and how each came about."""
    member = profiles.get(member_id=member_id, actor=request.actor)
    offered = kinds()
    chosen = next((kind for kind in offered if kind.key == request.GET.get("currency")), offered[0])
    now = clock.now()
    cursor = request.GET.get("cursor") or None
    found = points_ledger.of_member(member_id=member.pk, currency_id=chosen.pk, cursor=cursor, size=PAGE_SIZE)
    context: dict[str, Any] = {"rows": presentation.rows(found.rows), "next_cursor": found.next_cursor, "columns": 6}
    if request.htmx and cursor:
        return render(request, "members/points_rows.html", context)
    balances = points.balances(member_id=member.pk, as_of=now)
    which: dict[str, Any] = {"member_id": member.pk, "currency_id": chosen.pk, "as_of": now}
    context |= {
        "member": member,
        "currency": chosen,
        "balance": balances.get(chosen.pk, points.NOTHING),
        "tabs": [
            {
                "label": kind.name,
                "href": f"?currency={kind.key}",
                "active": kind == chosen,
                "count": balances[kind.pk].spendable if kind.pk in balances else None,
            }
            for kind in offered
        ],
        "policies": presentation.policies(chosen),
        "lots": points_lots.open_lots(**which),
        "expiring": points_lots.expiring(**which, days=EXPIRING_DAYS),
        "holds": points_lots.open_holds(**which),
        "may_adjust": request.actor.may(Permission.POINTS_ADJUST),
        "waiting": adjustments.waiting_for(member.pk, actor=request.actor),
    }
    return render(request, "members/member_points.html", context)


@require_POST
@page(allow=Permission.POINTS_ADJUST)
def points_hold_void(request: ConsoleRequest, member_id: int) -> HttpResponse:
    """Release a hold by hand."""
    member = profiles.get(member_id=member_id, actor=request.actor)
    currency = request.POST.get("currency", "")
    try:
        operations.void(
            member_id=member.pk,
            currency=currency,
            reference=request.POST.get("reference", ""),
            reason=_("Released by hand"),
            now=clock.now(),
        )
    except DomainError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The hold was released."))
    return redirect(f"{reverse('member_points', args=[member.pk])}?currency={currency}")


@page(allow=Permission.LOYALTY_VIEW)
def points_ledger_page(request: ConsoleRequest) -> HttpResponse:
    """Every movement of everybody whom the reader may see, the latest first."""
    actor = request.actor
    cursor = request.GET.get("cursor") or None
    filters = PointsEntryFilterSet(request.GET, queryset=points_ledger.of_everybody(actor), request=request)
    context: dict[str, Any] = {"columns": 7, "with_member": True}
    found: Page[Any] = Page([], None)
    if filters.is_valid():
        try:
            found = points_ledger.page(filters.qs, cursor=cursor, size=PAGE_SIZE)
        except Invalid as error:
            context["problem"] = str(error)
    else:
        context["problem"] = " ".join(
            f"{filters.form.fields[name].label}: {' '.join(str(one) for one in found_errors)}"
            for name, found_errors in filters.form.errors.items()
        )
    context |= {"rows": presentation.rows(found.rows), "next_cursor": found.next_cursor}
    if request.htmx and cursor:
        return render(request, "members/points_rows.html", context)
    context |= {
        "sections": sections(actor, "points_ledger"),
        "offered": kinds(),
        "entry_kinds": EntryKind.choices,
        "chosen_kinds": request.GET.getlist("kind"),
        "chips": _chips(request.GET, filters),
        "query": request.GET.urlencode(),
        "may_export": actor.may(Permission.EXPORT),
    }
    return render(request, "members/points_ledger.html", context)


def _chips(params: QueryDict, filters: PointsEntryFilterSet) -> list[dict[str, str]]:
    """Filters that the line above the table does not show."""
    chips = []
    for name in ("member", "reference", "source", "actor", "amount_min", "amount_max", "booked_after", "booked_before"):
        if value := params.get(name, ""):
            query = params.copy()
            query.pop("cursor", None)
            query.pop(name)
            label = str(filters.form.fields[name].label)
            chips.append({"label": label, "value": value, "href": f"?{query.urlencode()}"})
    return chips


@require_POST
@page(allow=Permission.EXPORT)
def points_export_start(request: ConsoleRequest) -> HttpResponse:
    """Queue an export of the view that was open."""
    params = QueryDict(request.POST.get("query", "")[:4_000])
    filters = PointsEntryFilterSet(params, queryset=points_ledger.of_everybody(request.actor), request=request)
    if not filters.is_valid():
        messages.error(request, _("Some values are not valid."))
        return redirect(f"{reverse('points_ledger')}?{params.urlencode()}")
    job = points_export.start(actor=request.actor, search=filters.form.cleaned_data)
    messages.success(request, _("The export has started. The file will be here when it is finished."))
    return redirect("job_detail", job.pk)


@page(allow=Permission.EXPORT)
def points_export_file(request: ConsoleRequest, job_id: int) -> FileResponse:
    """The finished file, for the person who asked for it and for nobody else."""
    return downloads.export(
        job_id, kind=points_export.KIND, path_of=points_export.path_of, name="points", actor=request.actor
    )
