"""The page of model tags, and their panel on a member's page."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from analytics.enums import ModelKey
from analytics.operations import model_tags as operations
from analytics.queries import model_board, model_words
from analytics.queries.model_board import ModelBoard
from analytics.queries.model_filters import UNKNOWN
from analytics.web.presentation import members_url, segment_url
from scrm.common import clock
from scrm.common.access import ConsoleRequest, Permission, page
from scrm.common.errors import DomainError

# Written so that the build of icons finds them.
LOOKS = {
    ModelKey.PRICE: {"icon": "coin-yuan"},
    ModelKey.PROMOTION: {"icon": "discount"},
    ModelKey.CATEGORY: {"icon": "category"},
    ModelKey.HOUR: {"icon": "clock-hour-4"},
    ModelKey.CHANNEL: {"icon": "route"},
    ModelKey.CHURN: {"icon": "user-minus"},
}
TONES = {
    ModelKey.PRICE: {"high": "amber", "middle": "grey", "low": "green"},
    ModelKey.PROMOTION: {"high": "pink", "middle": "grey", "low": "green"},
    ModelKey.CHURN: {"high": "red", "middle": "amber", "low": "green"},
}
# What the rate of the held-out weeks is, in words.
MEASURES = {
    ModelKey.PRICE: gettext_lazy("place of the prices they paid then (0% cheapest, 100% dearest)"),
    ModelKey.PROMOTION: gettext_lazy("share of their orders then with a discount"),
    ModelKey.CATEGORY: gettext_lazy("share of what they bought then in that category"),
    ModelKey.HOUR: gettext_lazy("share of what they did then within an hour of it"),
    ModelKey.CHANNEL: gettext_lazy("share of what they did then through it"),
}
CHARTED = 14  # bars of a chart


@page(allow=Permission.ANALYTICS_VIEW)
def model_tags(request: ConsoleRequest) -> HttpResponse:
    """Six cards: how each model is computed, how fresh it is, what it found, how good it is."""
    may_save = request.actor.may(Permission.SEGMENTS_EDIT)
    boards = model_board.boards(actor=request.actor)
    last = model_board.last_day()
    context = {
        "cards": [_card(board, may_save=may_save) for board in boards],
        "as_of": last[0] if last else None,
        "published_at": last[1] if last else None,
        "open_run": model_board.open_run(),
        "runs": [(run, ModelKey(run.model).label) for run in model_board.runs()],
        "may_run": request.actor.may(Permission.ANALYTICS_RUN),
    }
    return render(request, "analytics/model_tags.html", context)


@require_POST
@page(allow=Permission.ANALYTICS_RUN)
def model_tags_run(request: ConsoleRequest, model: str = "") -> HttpResponse:
    """Queue a run of one model, or of all."""
    if model and model not in ModelKey.values:
        raise Http404
    now = clock.now()
    try:
        operations.start(
            models=[ModelKey(model)] if model else None,
            as_of=clock.shop_date(now),
            actor=request.actor,
            now=now,
        )
        messages.success(request, _("Model tags are being computed. Follow it in the task centre."))
    except DomainError as error:
        messages.error(request, str(error))
    return redirect("model_tags")


def _card(board: ModelBoard, *, may_save: bool) -> dict[str, Any]:
    key = board.key
    found = board.run.quality if board.run else {}
    held_out = found.get("held_out") or {}
    # What the last weeks said of each value: of the churn model, how its forecasts came out.
    tested = {row["value"]: row for row in (held_out.get("values") or found.get("calibration") or [])}
    rows = [
        {
            "label": share.label,
            "members": share.members,
            "tone": TONES.get(key, {}).get(share.value, "jade"),
            "href": members_url(**{f"model_{key.value}": share.value}),
            "segment": segment_url(_leaf(key, share.value)) if may_save else "",
            "tested": tested.get(share.value),
        }
        for share in board.values
    ]
    return {
        "key": key.value,
        "label": key.label,
        **LOOKS[key],
        "description": model_words.DESCRIPTIONS[key],
        "minimum": model_words.unknown(key),
        "board": board,
        "rows": rows,
        "unknown_href": members_url(**{f"model_{key.value}": UNKNOWN}),
        "chart": {
            "labels": [row["label"] for row in rows[:CHARTED]],
            "series": [{"name": str(_("Members")), "data": [row["members"] for row in rows[:CHARTED]]}],
            "format": "count",
            "horizontal": key in (ModelKey.CATEGORY, ModelKey.CHANNEL),
        },
        "chart_id": f"model-{key.value}",
        "held_out": held_out,
        "held_out_since": date.fromisoformat(held_out["since"]) if held_out else None,
        # Of several prices or discounts no sum can be hit or missed.
        "summed": held_out if key not in model_words.BY_LEVEL else None,
        "measure": MEASURES.get(key, ""),
        "churn": found if "auc" in found else None,
        "untaught": board.run is not None and key == ModelKey.CHURN and "auc" not in found,
    }


def _leaf(key: ModelKey, value: str) -> tuple[str, str, Any]:
    return f"model.{key.value}", "any_of" if key == ModelKey.CATEGORY else "in", [value]


def member_values(request: ConsoleRequest, member_id: int) -> tuple[str, dict[str, Any]] | None:
    """What each model says of a member, and why; the page has checked that the actor may see the member."""
    found = model_board.of_member(member_id)
    if not found:
        return None
    return "analytics/member_models.html", {
        "rows": [
            {"value": row, "label": row.key.label, "tone": TONES.get(row.key, {}).get(row.value, "jade")}
            for row in found
        ],
        "as_of": min((row.as_of for row in found if row.as_of), default=None),
        "may_open": request.actor.may(Permission.ANALYTICS_VIEW),
    }
