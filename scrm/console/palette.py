"""Ctrl-K: jump to a page, a member, a segment, a campaign."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse

from scrm.common import palette as registry
from scrm.common.access import ConsoleRequest, Permission, page
from scrm.console.navigation import GROUPS


@page(allow=Permission.HOME)
def palette(request: ConsoleRequest) -> HttpResponse:
    """The list behind the palette's search field: pages whose name contains the words, then what the apps find."""
    query = request.GET.get("q", "").strip()[:80]
    pages = [
        registry.Entry(label=str(item.label), url=reverse(item.url_name), icon=item.icon, hint=str(group))
        for group, items in GROUPS
        for item in items
        if request.actor.may(item.permission) and query.lower() in str(item.label).lower()
    ]
    return render(
        request,
        "console/palette.html",
        {"query": query, "pages": pages, "entries": registry.find(request.actor, query)},
    )
