"""The mapping to the company's tags in WeCom: as a table, as a file out, as a file in."""

from __future__ import annotations

import csv
import io

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from scrm.common.access import ConsoleRequest, Permission, page
from scrm.common.errors import DomainError, Invalid
from tags.operations import mirroring
from tags.queries import tagging
from tags.rules.mapping_file import COLUMNS, BadFile, read_mapping
from tags.web.sections import sections

_MESSAGES = {
    "not_text": gettext_lazy("This is not a CSV file in UTF-8."),
    "missing_columns": gettext_lazy("The file needs the columns tag_id and wecom_tag_id, as the downloaded one."),
    "bad_tag_id": gettext_lazy("A tag_id is not a number."),
    "too_many_rows": gettext_lazy("The file has too many rows."),
    "no_rows": gettext_lazy("The file has a header but no rows."),
}
MOST_BYTES = 5 << 20


class MappingForm(forms.Form):
    file = forms.FileField(label=gettext_lazy("Mapping file (CSV)"))


@page(allow=Permission.TAGS_VIEW)
def tag_mapping(request: ConsoleRequest) -> HttpResponse:
    """Which tags are mirrored, how much room is left, and where a file comes in."""
    return _page(request, MappingForm(), [])


@page(allow=Permission.TAGS_VIEW)
def tag_mapping_file(request: ConsoleRequest) -> HttpResponse:
    """Every tag in use with its ids in WeCom, as CSV that can be filled in and read back."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    for tag in tagging.in_use():
        writer.writerow([tag.pk, tag.group.name, tag.name, tag.group.wecom_group_id, tag.wecom_tag_id])
    answer = HttpResponse(buffer.getvalue().encode("utf-8-sig"), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="wecom-tags.csv"'
    return answer


@page(allow=Permission.TAGS_MANAGE)
def tag_mapping_load(request: ConsoleRequest) -> HttpResponse:
    """Read a mapping file back: all of it, or nothing with what is wrong row by row."""
    form = MappingForm(request.POST or None, request.FILES or None)
    problems: list[mirroring.Problem] = []
    if request.method == "POST" and form.is_valid():
        upload = form.cleaned_data["file"]
        try:
            if upload.size > MOST_BYTES:
                raise Invalid(_("The file is larger than %(limit)s MiB.") % {"limit": MOST_BYTES >> 20})
            rows = read_mapping(upload.read())
            changed = mirroring.load(
                rows=[mirroring.Mapped(row.line, row.tag_id, row.wecom_tag_id, row.wecom_group_id) for row in rows]
            )
        except BadFile as error:
            form.add_error("file", str(_MESSAGES[error.code]))
        except DomainError as error:
            form.add_error("file", str(error))
            problems = error.detail.get("problems", [])
        else:
            text = ngettext("%(count)s change was taken over.", "%(count)s changes were taken over.", changed)
            messages.success(request, text % {"count": changed})
            return redirect("tag_mapping")
    return _page(request, form, problems)


def _page(request: ConsoleRequest, form: MappingForm, problems: list[mirroring.Problem]) -> HttpResponse:
    tags = list(tagging.in_use())
    mirrored = [tag for tag in tags if tag.wecom_tag_id]
    context = {
        "form": form,
        "problems": problems[:50],
        "more_problems": max(len(problems) - 50, 0),
        "mirrored": mirrored,
        "total": len(tags),
        "most": mirroring.MOST_TAGS,
        "room": max(mirroring.MOST_TAGS - len(mirrored), 0),
        "too_long": [tag for tag in tags if len(tag.name) > mirroring.LONGEST_TAG],
        "may_manage": request.actor.may(Permission.TAGS_MANAGE),
        "sections": sections(request.actor, "wecom"),
    }
    return render(request, "tags/tag_mapping.html", context, status=422 if form.errors else 200)
