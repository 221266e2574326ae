"""The audit log: who changed or looked at what, with before and after."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.http import HttpResponse
from django.shortcuts import render

from scrm.common.access import ConsoleRequest, Permission, page
from scrm.common.models import AuditEntry, User
from scrm.common.pagination import paginate


def _labels() -> dict[str, str]:
    return {model._meta.db_table: str(model._meta.verbose_name) for model in apps.get_models()}


@page(allow=Permission.AUDIT_VIEW)
def audit_list(request: ConsoleRequest) -> HttpResponse:
    """Entries newest first, filtered by `?object_type=&object_id=&actor=&action=`; each with its changes."""
    filters = {
        name: value.replace("\0", "")
        for name in ("object_type", "object_id", "actor", "action")
        if (value := request.GET.get(name, "").strip())
    }
    found = paginate(
        AuditEntry.objects.filter(**filters), order=[("id", True)], cursor=request.GET.get("cursor"), size=50
    )
    labels = _labels()
    names = _actor_names({entry.actor for entry in found.rows})
    entries: list[dict[str, Any]] = [
        {
            "id": entry.pk,
            "at": entry.at,
            "actor": names.get(entry.actor, entry.actor),
            "actor_ref": entry.actor,
            "action": entry.action,
            "label": labels.get(entry.object_type, entry.object_type),
            "object_type": entry.object_type,
            "object_id": entry.object_id,
            "changes": [(field, before, after) for field, (before, after) in sorted(entry.changes.items())],
        }
        for entry in found.rows
    ]
    template = "console/audit_rows.html" if request.htmx and "cursor" in request.GET else "console/audit.html"
    return render(
        request,
        template,
        {
            "entries": entries,
            "next_cursor": found.next_cursor,
            "filters": filters,
            "object_types": sorted(
                ((table, label) for table, label in labels.items() if table.split("_")[0] in _OWN), key=lambda x: x[1]
            ),
        },
    )


_OWN = ("members", "tags", "analytics", "campaigns", "common")


def _actor_names(refs: set[str]) -> dict[str, str]:
    """Display names of the users among the actors, by one query."""
    ids = [int(ref.removeprefix("user:")) for ref in refs if ref.startswith("user:")]
    return {f"user:{user.pk}": str(user) for user in User.objects.filter(pk__in=ids)}
