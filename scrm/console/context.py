"""What every page of the console knows."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from scrm.common.access import Actor
from scrm.common.models import Job
from scrm.common.models.jobs import JobState
from scrm.console import navigation, notifications


def console(request: HttpRequest) -> dict[str, Any]:
    """The shell's values; the counts are only queried by templates that show them."""
    actor: Actor | None = getattr(request, "actor", None)
    values: dict[str, Any] = {"actor": actor, "brand_name": settings.BRAND_NAME}
    if actor is None:
        return values
    return values | {
        "nav_groups": SimpleLazyObject(lambda: navigation.for_request(request, actor)),
        "unread_notifications": SimpleLazyObject(lambda: notifications.own(actor).filter(read_at=None).count()),
        "running_jobs": SimpleLazyObject(
            lambda: Job.objects.filter(created_by_id=actor.id, state__in=[JobState.QUEUED, JobState.RUNNING]).count()
        ),
    }
