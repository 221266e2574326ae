"""What analytics shows on the pages of others: the scores of a member, and its models in the palette."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from analytics.queries import rfm, scores
from analytics.web import model_tags
from analytics.web.presentation import STAGE_TONES
from scrm.common import palette, panels
from scrm.common.access import Actor, ConsoleRequest, Permission


def member_scores(request: ConsoleRequest, member_id: int) -> tuple[str, dict[str, Any]] | None:
    """R, F, M, class, layer and stages with the reasons; the page has checked that the actor may see the member."""
    found = scores.of_member(member_id)
    if not found.scores and found.stage is None:
        return None
    return "analytics/member_scores.html", {
        "found": found,
        "stage_tone": STAGE_TONES.get(found.stage, "grey") if found.stage else "",
        "may_open": request.actor.may(Permission.ANALYTICS_VIEW),
    }


def find_models(actor: Actor, query: str) -> list[palette.Entry]:
    if not actor.may(Permission.ANALYTICS_VIEW):
        return []
    return [
        palette.Entry(model.name, f"{reverse('rfm')}?model={model.pk}", "grid-dots", "RFM")
        for model in rfm.models()
        if query.casefold() in model.name.casefold()
    ][:5]


panels.register("member", "scores", member_scores)
panels.register("member", "models", model_tags.member_values)
palette.register(find_models)
