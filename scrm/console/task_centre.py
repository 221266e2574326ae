"""The task centre: imports, exports and computations, running and done."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.db.models import QuerySet
from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from scrm.common import jobs
from scrm.common.access import Actor, ConsoleRequest, Permission, page
from scrm.common.models import Job
from scrm.common.models.jobs import JobState
from scrm.common.pagination import paginate

OPEN = (JobState.QUEUED, JobState.RUNNING)


def _visible(actor: Actor) -> QuerySet[Job]:
    """One's own jobs; with the settings permission, everybody's."""
    rows = Job.objects.select_related("created_by")
    return rows if actor.may(Permission.SETTINGS) else rows.filter(created_by_id=actor.id)


def _shown(job: Job) -> Job:
    job.can_cancel = job.state in OPEN and not job.cancel_requested  # type: ignore[attr-defined]
    job.is_open = job.state in OPEN  # type: ignore[attr-defined]
    return job


@page(allow=Permission.HOME)
def job_list(request: ConsoleRequest) -> HttpResponse:
    """The newest jobs first; `?state=` narrows. Answers only the rows to an htmx "load more"."""
    rows = _visible(request.actor)
    state = request.GET.get("state", "")
    if state in JobState.values:
        rows = rows.filter(state=state)
    found = paginate(rows, order=[("id", True)], cursor=request.GET.get("cursor"), size=30)
    template = "console/job_rows.html" if request.htmx and "cursor" in request.GET else "console/jobs.html"
    return render(
        request,
        template,
        {
            "jobs": [_shown(job) for job in found.rows],
            "next_cursor": found.next_cursor,
            "state": state,
            "states": JobState.choices,
        },
    )


@page(allow=Permission.HOME)
def job_detail(request: ConsoleRequest, job_id: int) -> HttpResponse:
    """One job; its row in the list asks the same address for itself while the work is open."""
    job = _shown(get_object_or_404(_visible(request.actor), pk=job_id))
    of_list = request.htmx and request.htmx.target == f"job-{job_id}"
    return render(request, "console/job_row.html" if of_list else "console/job.html", {"job": job})


@require_POST
@page(allow=Permission.HOME)
def job_cancel(request: ConsoleRequest, job_id: int) -> HttpResponse:
    """Ask a job to stop; what it has done so far stays."""
    get_object_or_404(_visible(request.actor), pk=job_id)
    jobs.request_cancel(job_id=job_id)
    return redirect("job_detail", job_id)


@page(allow=Permission.HOME)
def job_file(request: ConsoleRequest, job_id: int) -> FileResponse:
    """Download the file a job left behind (rejected rows, an export)."""
    job = get_object_or_404(_visible(request.actor), pk=job_id)
    root = Path(settings.MEDIA_ROOT).resolve()
    path = (root / job.error_file).resolve()
    if not job.error_file or not path.is_relative_to(root) or not path.is_file():
        raise Http404
    return FileResponse(path.open("rb"), as_attachment=True, filename=f"{job.kind}-{job.pk}{path.suffix}")
