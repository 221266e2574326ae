"""Lists' filters under a name."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import Resolver404, resolve, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from scrm.common.access import ConsoleRequest, Permission, page
from scrm.common.errors import Invalid
from scrm.common.models import SavedView
from scrm.common.transactions import atomic


@require_POST
@page(allow=Permission.HOME)
def view_save(request: ConsoleRequest) -> HttpResponse:
    """Save the list at `address` (path and query) as a tab under `name`; the same name again replaces it."""
    parts = urlsplit(request.POST.get("address", ""))
    name = request.POST.get("name", "").strip().replace("\0", "")[:40]
    try:
        page_name = resolve(parts.path).url_name
    except Resolver404 as error:
        raise Invalid(_("There is no such list."), code="unknown_page", field="address") from error
    if not name or page_name is None or len(parts.query) > 2000:
        raise Invalid(_("A view needs a name."), code="missing", field="name")
    with atomic():
        SavedView.objects.update_or_create(
            page=page_name,
            owner_id=request.actor.id,
            name=name,
            defaults={"query": parts.query, "shared": request.POST.get("shared") == "on"},
        )
    return redirect(f"{reverse(page_name)}?{parts.query}")


@require_POST
@page(allow=Permission.HOME)
def view_delete(request: ConsoleRequest, view_id: int) -> HttpResponse:
    """Delete one of one's own views."""
    with atomic():
        view = SavedView.objects.filter(pk=view_id, owner_id=request.actor.id).first()
        if view is None:
            return redirect("dashboard")
        view.delete()
    return redirect(view.page)
