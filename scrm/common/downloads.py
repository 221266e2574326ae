"""Kept files as answers: always for saving, never shown in place, in no cache."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from django.http import FileResponse, Http404
from django.shortcuts import get_object_or_404

from scrm.common import clock
from scrm.common.access import Actor
from scrm.common.models import Job
from scrm.common.models.jobs import JobState


def answer(path: Path, *, name: str, content_type: str | None = None) -> FileResponse:
    """The file under the name it is saved as; without a `content_type`, the name tells it."""
    response = FileResponse(path.open("rb"), as_attachment=True, filename=name, content_type=content_type)
    response["Cache-Control"] = "no-store"
    response["X-Content-Type-Options"] = "nosniff"
    return response


def export(job_id: int, *, kind: str, path_of: Callable[[Job], Path], name: str, actor: Actor) -> FileResponse:
    """The finished file of an export, for the person who asked for it and for nobody else. Raises `Http404`."""
    job = get_object_or_404(Job, pk=job_id, kind=kind, state=JobState.SUCCEEDED, created_by_id=actor.id)
    path = path_of(job)
    if not path.is_file():
        raise Http404
    return answer(path, name=f"{name}-{clock.shop_date(job.created_at).isoformat()}-{job.pk}.csv")
