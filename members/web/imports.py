"""The import pages: upload, map the columns, try the first rows, run, and see what came of it."""

from __future__ import annotations

import csv
from typing import Any

from django.contrib import messages
from django.core import signing
from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from members.enums import ImportKind, Rejection
from members.operations import imports as operations
from members.queries import imports as queries
from members.rules import mappings
from members.rules.imports import Problem
from members.rules.mappings import Definition, NamedMapping
from members.rules.tables import Layout, Row
from members.web.import_forms import FIELD_LABELS, MappingForm, UploadForm
from members.web.import_samples import SAMPLES
from scrm.common import clock, jobs
from scrm.common.access import ConsoleRequest, Permission, page
from scrm.common.errors import DomainError
from scrm.common.models import Job
from scrm.common.models.jobs import JobState
from scrm.common.pagination import paginate

_SALT = "members.import"
_TOKEN_SECONDS = 24 * 3600
TRIED_ROWS = 1000
SHOWN_PROBLEMS = 50
_SAMPLE_ROWS = 4
_OPEN = (JobState.QUEUED, JobState.RUNNING)


def _steps(current: int, failed: bool = False) -> list[dict[str, str]]:
    labels = [_("Upload"), _("Map columns"), _("Check"), _("Import")]
    states = ["done" if number < current else "current" if number == current else "todo" for number in range(4)]
    if failed:
        states[-1] = "error"
    return [{"label": label, "state": state} for label, state in zip(labels, states, strict=True)]


@page(allow=Permission.IMPORT)
def import_list(request: ConsoleRequest) -> HttpResponse:
    """Imports, newest first, and the saved mappings. Answers only the rows to an htmx "load more"."""
    found = paginate(queries.jobs_of(request.actor), order=[("id", True)], cursor=request.GET.get("cursor"), size=30)
    more = request.htmx and "cursor" in request.GET
    return render(
        request,
        "members/import_rows.html" if more else "members/import_list.html",
        {
            "rows": [_shown(job) for job in found.rows],
            "next_cursor": found.next_cursor,
            "mappings": [] if more else queries.saved_mappings(),
            "kinds": ImportKind.choices,
        },
    )


def _shown(job: Job) -> dict[str, Any]:
    counts = job.counts
    return {
        "job": job,
        "kind": ImportKind(job.params["kind"]).label,
        "is_open": job.state in _OPEN,
        "taken": sum(counts.get(name, 0) for name in ("accepted", "updated")) + counts.get("refunds.accepted", 0),
        "unchanged": counts.get("duplicate", 0) + counts.get("ignored", 0) + counts.get("refunds.duplicate", 0),
        "refunds": counts.get("refunds.accepted", 0),
        "rejected": counts.get("rejected", 0),
    }


@page(allow=Permission.IMPORT)
def import_new(request: ConsoleRequest) -> HttpResponse:
    """Take the file; what it is, is read from its content."""
    form = UploadForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        upload = form.cleaned_data["file"]
        try:
            file = operations.keep(chunks=upload.chunks())
            queries.look(file=file)
        except DomainError as error:
            form.add_error("file", str(error))
        else:
            ticket = {
                "file": file,
                "name": upload.name[:200],
                "kind": form.cleaned_data["kind"],
                "user": request.actor.ref,
            }
            return redirect("import_map", signing.dumps(ticket, salt=_SALT, compress=True))
    return render(
        request,
        "members/import_new.html",
        {"form": form, "steps": _steps(0), "kinds": ImportKind.choices},
        status=422 if form.errors else 200,
    )


@page(allow=Permission.IMPORT)
def import_map(request: ConsoleRequest, token: str) -> HttpResponse:
    """Map the columns of an uploaded file, check its first rows, and start the import."""
    try:
        ticket = signing.loads(token, salt=_SALT, max_age=_TOKEN_SECONDS)
    except signing.BadSignature:
        ticket = {}
    if ticket.get("user") != request.actor.ref:
        messages.error(request, _("This upload is no longer there. Please upload the file again."))
        return redirect("import_new")
    kind = ticket["kind"]
    try:
        layout, sample = queries.look(file=ticket["file"], sample=_SAMPLE_ROWS)
    except DomainError as error:
        messages.error(request, str(error))
        return redirect("import_new")
    chosen = _mapping(request.GET.get("mapping"), kind, layout)
    if request.method == "POST":
        form = MappingForm(request.POST, kind=kind, header=layout.header, columns={})
        if form.is_valid():
            try:
                answer = _proceed(request, form, ticket)
            except DomainError as error:
                form.add_error(None, str(error))
            else:
                if answer is not None:
                    return answer
    else:
        form = MappingForm.for_mapping(chosen, layout.header)
    return render(
        request,
        "members/import_map.html",
        {
            "form": form,
            "steps": _steps(1),
            "ticket": ticket,
            "kind_label": ImportKind(kind).label,
            "columns": list(zip(form.column_fields(), _samples(layout, sample), strict=True)),
            "mappings": [one for one in queries.saved_mappings() if one.kind == kind],
            "chosen": chosen,
            "sources": queries.source_keys(),
        },
        status=422 if form.errors else 200,
    )


def _mapping(name: str | None, kind: str, layout: Layout) -> NamedMapping:
    """The mapping asked for, else the saved one that fits the header, else a guess (which has no name)."""
    saved = queries.saved_mappings()
    if name is not None:
        for one in saved:
            if one.name == name and one.kind == kind:
                return one
    elif (fitting := mappings.fitting(layout.header, kind, saved)) is not None:
        return fitting
    return NamedMapping("", kind, "import", Definition(columns=mappings.guess(kind, layout.header)))


def _samples(layout: Layout, rows: list[Row]) -> list[list[str]]:
    """The first values of each column that are not blank; what cannot be shown is replaced."""
    found: list[list[str]] = []
    for index in range(len(layout.header)):
        cells = [row.cells[index].strip() for row in rows if index < len(row.cells)]
        found.append([cell.encode("utf-8", "replace").decode()[:60] for cell in cells if cell][:3])
    return found


def _proceed(request: ConsoleRequest, form: MappingForm, ticket: dict[str, str]) -> HttpResponse | None:
    """Check or run, by the button that was pressed. None goes back to the mapping."""
    definition = form.definition()
    source = form.cleaned_data["source"]
    action = request.POST.get("action")
    if action == "run":
        job = operations.create(
            kind=ticket["kind"],
            source_key=source,
            definition=definition,
            file=ticket["file"],
            label=ticket["name"],
            actor=request.actor,
            save_as=form.cleaned_data["save_as"].strip(),
        )
        return redirect("import_detail", job.pk)
    if action != "check":
        return None
    trial = queries.try_out(
        file=ticket["file"],
        kind=ticket["kind"],
        source_key=source,
        definition=definition,
        rows=TRIED_ROWS,
        now=clock.now(),
    )
    return render(
        request,
        "members/import_check.html",
        {
            "form": form,
            "kept": [
                (name, value) for name, value in request.POST.items() if name not in {"action", "csrfmiddlewaretoken"}
            ],
            "steps": _steps(2),
            "ticket": ticket,
            "kind": ticket["kind"],
            "trial": trial,
            "problems": [_problem(one) for one in trial.problems[:SHOWN_PROBLEMS]],
            "problem_count": len(trial.problems),
            "mapped": [
                (column, FIELD_LABELS.get(key, _("Kept under its own name")))
                for column, key in definition.columns.items()
            ],
        },
    )


def _problem(problem: Problem) -> dict[str, Any]:
    text = " | ".join(problem.row.cells).encode("utf-8", "replace").decode()
    return {
        "line": problem.row.line,
        "column": problem.column,
        "label": Rejection(problem.code).label,
        "text": text if len(text) <= 160 else f"{text[:159]}…",
    }


@page(allow=Permission.IMPORT)
def import_detail(request: ConsoleRequest, job_id: int) -> HttpResponse:
    """One import: progress while it runs (htmx polls the same address), then what came of it."""
    job = _job(request, job_id)
    context = _shown(job) | {
        "steps": _steps(4 if job.state == JobState.SUCCEEDED else 3, job.state == JobState.FAILED),
        "reasons": queries.rejected_rows(job),
        "members_url": _members_url(job),
        "is_order_file": job.params["kind"] == ImportKind.ORDERS,
        "source": job.params["source"],
    }
    response = render(
        request, "members/import_progress.html" if request.htmx else "members/import_detail.html", context
    )
    # When the work ends, the page around the progress (buttons, steps) changes as well.
    if request.htmx and not context["is_open"]:
        response.headers["HX-Refresh"] = "true"
    return response


def _members_url(job: Job) -> str:
    source_id = queries.source_id(job.params["source"])
    return reverse("member_list") + (f"?source={source_id}" if source_id else "")


def _job(request: ConsoleRequest, job_id: int) -> Job:
    try:
        return queries.job_of(request.actor, job_id)
    except DomainError as error:
        raise Http404 from error


@require_POST
@page(allow=Permission.IMPORT)
def import_cancel(request: ConsoleRequest, job_id: int) -> HttpResponse:
    """Ask an import to stop; what it has taken so far stays."""
    jobs.request_cancel(job_id=_job(request, job_id).pk)
    return redirect("import_detail", job_id)


@page(allow=Permission.IMPORT)
def import_errors(request: ConsoleRequest, job_id: int) -> FileResponse:
    """Download the rows that were not taken."""
    job = _job(request, job_id)
    if not job.error_file:
        raise Http404
    try:
        path = queries.path_of(job.error_file)
    except DomainError as error:
        raise Http404 from error
    return FileResponse(path.open("rb"), as_attachment=True, filename=f"import-{job.pk}-errors.csv")


@page(allow=Permission.IMPORT)
def import_template(request: ConsoleRequest, kind: str) -> HttpResponse:
    """An example file with the columns that are recognised by themselves."""
    if kind not in SAMPLES:
        raise Http404
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{kind}.csv"'
    response.write("\ufeff")
    csv.writer(response).writerows(SAMPLES[kind])
    return response


@require_POST
@page(allow=Permission.IMPORT)
def import_mapping_delete(request: ConsoleRequest) -> HttpResponse:
    """Forget a saved mapping."""
    try:
        operations.delete_mapping(name=request.POST.get("name", ""))
    except DomainError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The mapping is deleted."))
    return redirect("import_list")
