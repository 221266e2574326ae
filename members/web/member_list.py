"""The member list: saved views, filters in the address, rows by keyset, counts, export."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import FileResponse, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from members.filtersets import MemberFilterSet
from members.operations import exports
from members.queries import directory
from members.web.member_rows import render_rows
from scrm.common import clock, downloads
from scrm.common.access import Actor, ConsoleRequest, Permission, page
from scrm.common.errors import Invalid
from scrm.common.member_filters import Filter, groups
from scrm.common.models import SavedView
from scrm.common.pagination import Page

PAGE_SIZE = 50
COLUMNS = [
    ("place", gettext_lazy("City and store")),
    ("tier", gettext_lazy("Tier")),
    ("stage", gettext_lazy("Stage and class")),
    ("tags", gettext_lazy("Tags")),
    ("orders", gettext_lazy("Orders")),
    ("net", gettext_lazy("Net spend")),
    ("last", gettext_lazy("Last order")),
    ("joined", gettext_lazy("Joined")),
    ("owner", gettext_lazy("Owner")),
]
# Offered beside the search field; the others are in the panel.
QUICK = ("tier", "stage", "rfm_class", "city")


@page(allow=Permission.MEMBERS_VIEW)
def member_list(request: ConsoleRequest) -> HttpResponse:
    """The list at an address. Answers only rows to an htmx "load more"."""
    actor: Actor = request.actor
    cursor = request.GET.get("cursor")
    context: dict[str, Any] = {"sort": directory.DEFAULT_SORT, "chips": [], "columns": COLUMNS}
    try:
        queryset = MemberFilterSet(request.GET, queryset=directory.visible(actor), request=request).qs
        context["sort"] = directory.sort_of(request.GET)
        found = directory.page(queryset, sort=context["sort"], cursor=cursor, size=PAGE_SIZE)
    except Invalid as error:
        context["problem"] = str(error)
        found = Page([], None)
    context |= {"rows": render_rows(found.rows), "next_cursor": found.next_cursor}
    if request.htmx and cursor:
        return render(request, "members/member_rows.html", context)
    if "problem" not in context:
        selection = directory.select(request.GET, actor=actor)
        context |= {
            "count": directory.Count(len(found.rows), exact=True)
            if found.next_cursor is None and not cursor
            else directory.count(queryset),
            "chips": _chips(request.GET, selection),
            "narrowed": bool(selection.chosen),
            "more_count": len([one for one in selection.chosen if one.filter.key not in (*QUICK, "q")]),
        }
    context |= {
        "views": _views(request, actor),
        "quick": [_offered(item, request.GET) for item in directory.filters_for(actor) if item.key in QUICK],
        "query": request.GET.urlencode(),
        "may_export": actor.may(Permission.EXPORT),
        "may_reveal": actor.may(Permission.MEMBERS_REVEAL),
        "may_edit": actor.may(Permission.MEMBERS_EDIT),
        "bulk_tag_url": _address("bulk_tag") if actor.may(Permission.TAGS_EDIT) else None,
        "list_pick_url": _address("segment_pick") if actor.may(Permission.SEGMENTS_EDIT) else None,
        "segment_url": _address("segment_new") if actor.may(Permission.SEGMENTS_EDIT) else None,
        "import_url": _address("import_new") if actor.may(Permission.IMPORT) else None,
    }
    return render(request, "members/member_list.html", context)


@page(allow=Permission.MEMBERS_VIEW)
def member_count(request: ConsoleRequest) -> HttpResponse:
    """The exact number of members at a list address, for whoever asks for it."""
    queryset = directory.matching(actor=request.actor, params=request.GET)
    return render(request, "members/member_count.html", {"count": directory.count(queryset, exact=True)})


@page(allow=Permission.MEMBERS_VIEW)
def member_filters(request: ConsoleRequest) -> HttpResponse:
    """The panel with every filter, filled in as the address says."""
    actor: Actor = request.actor
    shown = [
        {"label": group.label, "filters": [_offered(item, request.GET) for item in offered]}
        for group in groups()
        if actor.may(group.permission)
        for offered in [[item for item in group.filters if not item.linked_only and item.key != "q"]]
        if offered
    ]
    kept = [("sort", request.GET["sort"])] if request.GET.get("sort") else []
    if request.GET.get("q"):
        kept.append(("q", request.GET["q"]))
    return render(request, "members/member_filters.html", {"groups": shown, "kept": kept})


@require_POST
@page(allow=Permission.EXPORT)
def member_export(request: ConsoleRequest) -> HttpResponse:
    """Queue an export of the view, or of the rows chosen in it."""
    params = QueryDict(request.POST.get("query", "")[:4000], mutable=True)
    chosen = request.POST.getlist("id")
    if chosen and request.POST.get("all_matching") != "1":
        params = QueryDict(mutable=True)
        params.setlist("id", chosen)
    try:
        job = exports.start(
            actor=request.actor,
            params=params,
            full=request.POST.get("full") == "on",
            reason=request.POST.get("reason", ""),
        )
    except Invalid as error:
        messages.error(request, str(error))
        return redirect(f"{reverse('member_list')}?{params.urlencode()}")
    messages.success(request, _("The export has started. The file will be here when it is finished."))
    return redirect("job_detail", job.pk)


@page(allow=Permission.EXPORT)
def member_export_file(request: ConsoleRequest, job_id: int) -> FileResponse:
    """The finished file, for the person who asked for it and for nobody else."""
    return downloads.export(job_id, kind=exports.KIND, path_of=exports.path_of, name="members", actor=request.actor)


def _address(name: str) -> str | None:
    """The address of a page of a higher app, if this installation has it."""
    try:
        return reverse(name)
    except NoReverseMatch:
        return None


def _offered(item: Filter, params: QueryDict) -> dict[str, Any]:
    chosen = [value for value in params.getlist(item.key) if value]
    return {
        "key": item.key,
        "label": item.label,
        "kind": item.kind.value,
        "multiple": item.multiple,
        "options": [(value, label, value in chosen) for value, label in item.options()],
        "value": chosen[-1] if chosen else "",
        "chosen": chosen,
    }


def _chips(params: QueryDict, selection: directory.Selection) -> list[dict[str, str]]:
    chips: list[dict[str, str]] = []
    for one in selection.chosen:
        query = params.copy()
        query.pop("cursor", None)
        query.setlist(one.filter.key, [raw for raw in query.getlist(one.filter.key) if raw != one.raw])
        if one.filter.key == "id" and chips and chips[-1]["label"] == str(one.filter.label):
            continue
        chips.append(
            {
                "label": str(one.filter.label),
                "value": one.raw if one.filter.kind.value == "money" else one.filter.describe(one.value),
                "href": f"?{query.urlencode()}",
            }
        )
    return chips


def _views(request: ConsoleRequest, actor: Actor) -> dict[str, Any]:
    """The tabs: built-in views, then one's own and the shared ones; which one the address is."""
    month_ago = (clock.shop_date(clock.now()) - timedelta(days=30)).isoformat()
    tabs: list[dict[str, Any]] = [
        {"label": _("All"), "query": ""},
        {"label": _("High value"), "query": "rfm_class=important_value&rfm_class=important_develop&sort=-net"},
        {"label": _("Sleeping"), "query": "stage=sleeping&sort=-net"},
        {"label": _("New members"), "query": f"joined_after={month_ago}"},
    ]
    saved = SavedView.objects.filter(Q(owner_id=actor.id) | Q(shared=True), page="member_list")
    tabs += [
        {"label": view.name, "query": view.query, "own": view.owner_id == actor.id, "id": view.pk}
        for view in saved.order_by("position", "name")[:20]
    ]
    present = _comparable(request.GET)
    current = None
    for tab in tabs:
        tab["href"] = f"{request.path}?{tab['query']}" if tab["query"] else request.path
        tab["active"] = current is None and _comparable(QueryDict(tab["query"])) == present
        if tab["active"]:
            current = tab
    return {"tabs": tabs, "current": current}


def _comparable(params: QueryDict) -> set[tuple[str, str]]:
    return {
        (name, value)
        for name, values in params.lists()
        if name != "cursor"
        for value in values
        if value and (name, value) != ("sort", directory.DEFAULT_SORT)
    }
