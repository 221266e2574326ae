"""What the <condition-builder> of a page is given: fields, words, addresses. See templates/console/README.md."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from scrm.common import conditions
from scrm.common.access import ConsoleRequest, Permission
from tags.web import builder_words

Faults = list[dict[str, str]]


def context(
    request: ConsoleRequest,
    *,
    condition: str,
    faults: Faults | None = None,
    draft: str = "",
    exclude: bool = False,
    unsaved: bool = False,
    segment_id: int | None = None,
) -> dict[str, Any]:
    """The variable `builder` of tags/condition_builder.html.

    `condition`: the tree as JSON text, or "". `faults`: of a refused save. `draft`: the name under which the browser
    keeps what is not saved. `exclude`: with the panel of excluded segments. `unsaved`: the page shows what was refused.
    `segment_id`: whose condition it is, so that one that contains itself is noticed at once.
    """
    may_explain = request.actor.may(Permission.MEMBERS_VIEW) and request.actor.may(Permission.SEGMENTS_VIEW)
    return {
        "condition": condition,
        "fields": conditions.describe_fields(),
        "words": builder_words.words(),
        "faults": faults or [],
        "draft": f"{draft}-{request.actor.id}" if draft else "",
        "exclude": exclude,
        "unsaved": unsaved,
        "preview_url": reverse("segment_preview") + (f"?segment={segment_id}" if segment_id else ""),
        "counts_url": reverse("segment_counts"),
        "explain_url": reverse("segment_explain") if may_explain else "",
        "members_url": reverse("segment_members_found") if may_explain else "",
    }
