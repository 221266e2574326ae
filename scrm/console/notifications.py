"""What the console tells its user."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from scrm.common import clock
from scrm.common.access import Actor, ConsoleRequest, Permission, page
from scrm.common.models import Notification
from scrm.common.pagination import paginate


def own(actor: Actor) -> QuerySet[Notification]:
    """What the actor was told; nothing for one that is no user."""
    return Notification.objects.none() if actor.id is None else Notification.objects.filter(user_id=actor.id)


@page(allow=Permission.HOME)
def notification_list(request: ConsoleRequest) -> HttpResponse:
    """The actor's notifications, newest first, in their language."""
    found = paginate(
        own(request.actor),
        order=[("id", True)],
        cursor=request.GET.get("cursor"),
        size=30,
    )
    shown: list[dict[str, Any]] = [
        {
            "id": row.pk,
            "level": row.level,
            "text": _(row.message) % row.values,
            "url": row.url,
            "created_at": row.created_at,
            "unread": row.read_at is None,
        }
        for row in found.rows
    ]
    return render(request, "console/notifications.html", {"notifications": shown, "next_cursor": found.next_cursor})


@require_POST
@page(allow=Permission.HOME)
def notifications_read(request: ConsoleRequest) -> HttpResponse:
    """Mark all of the actor's notifications read."""
    own(request.actor).filter(read_at=None).update(read_at=clock.now())
    return redirect("notification_list")
