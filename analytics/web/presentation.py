"""How conclusions are shown: words of advice, shades, links to the members behind each number."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from analytics.enums import AiplStage, RfmClass, RfmLayer, Stage
from analytics.models import RfmModel
from analytics.queries.lifecycle import Distribution
from analytics.queries.rfm import Board, Moves, Part
from analytics.rules import rfm as rules
from analytics.rules.lifecycle import Limits

CLASS_ADVICE: dict[str, str | Promise] = {
    RfmClass.CHAMPION: _(
        "Bought lately, often and for much. Reward them, offer service before others, ask for referrals."
    ),
    RfmClass.DEVELOP: _(
        "Spend much but seldom. Give a reason to come again: bundles, membership, a second-order coupon."
    ),
    RfmClass.KEEP: _("Loyal and valuable, quiet for a while. Reach out personally before they leave."),
    RfmClass.WIN_BACK: _("Once spent much, gone quiet, bought seldom. Win them back with a strong offer or a call."),
    RfmClass.GENERAL_VALUE: _("Lately and often, small baskets. Raise the basket: thresholds, recommendations."),
    RfmClass.GENERAL_DEVELOP: _("New or occasional. Welcome them and lead them to the second order."),
    RfmClass.GENERAL_KEEP: _("Used to buy often, small baskets, now quiet. Remind them with new arrivals."),
    RfmClass.GENERAL_WIN_BACK: _("Quiet, seldom, little. Reach them only by cheap channels."),
}
CLASS_TONES: dict[str, str] = {
    RfmClass.CHAMPION: "green",
    RfmClass.DEVELOP: "jade",
    RfmClass.KEEP: "violet",
    RfmClass.WIN_BACK: "red",
}
LAYER_ADVICE: dict[str, str | Promise] = {
    RfmLayer.CHAMPIONS: _("Reward them; let them be the first to know."),
    RfmLayer.LOYAL: _("Offer higher value, ask for reviews."),
    RfmLayer.POTENTIAL_LOYALIST: _("Invite into membership, recommend."),
    RfmLayer.NEW: _("Welcome them, help with the first steps."),
    RfmLayer.PROMISING: _("Build awareness, offer a trial."),
    RfmLayer.NEED_ATTENTION: _("Limited offers on what they bought."),
    RfmLayer.ABOUT_TO_SLEEP: _("Share what is worth coming back for."),
    RfmLayer.CANNOT_LOSE: _("Win them back personally, do not lose them to others."),
    RfmLayer.AT_RISK: _("Write personally, renew the relation."),
    RfmLayer.HIBERNATING: _("Relevant products, special discounts."),
    RfmLayer.LOST: _("One more try, then leave them in peace."),
    RfmLayer.PROSPECT: _("No order in the window yet: lead them to the first."),
}
STAGE_TONES: dict[str, str] = {
    Stage.PROSPECT: "grey",
    Stage.NEW: "blue",
    Stage.ACTIVE: "green",
    Stage.SLEEPING: "amber",
    Stage.LOST: "red",
    Stage.RETURNED: "violet",
}


def members_url(**narrow: str) -> str:
    """The member list narrowed down."""
    return f"{reverse('member_list')}?{urlencode(narrow)}"


def segment_url(*leaves: tuple[str, str, Any]) -> str:
    """The page that makes a segment of these conditions, all of them."""
    tree = {"all": [{"field": field, "op": op, "value": value} for field, op, value in leaves]}
    return f"{reverse('segment_new')}?{urlencode({'condition': json.dumps(tree, separators=(',', ':'))})}"


def board(found: Board, model: RfmModel, show: str, *, may_save: bool) -> dict[str, Any]:
    """The matrix (R down from 5, F rightwards), class cards and layer rows with their links.

    Segments speak of the default model only, so others offer no "save as segment".
    """
    of_model = {} if model.is_default else {"rfm_model": str(model.pk)}
    savable = may_save and model.is_default
    peak = max((getattr(part, show) for part in found.cells.values()), default=0)

    def cell(r: int, f: int) -> dict[str, Any]:
        part = found.cells[r, f]
        return {
            "r": r,
            "f": f,
            "part": part,
            "shade": _shade(getattr(part, show), peak),
            "href": members_url(rfm_r=str(r), rfm_f=str(f), **of_model),
            "segment": segment_url(("rfm.r", "eq", r), ("rfm.f", "eq", f)) if savable and part.members else "",
        }

    return {
        "matrix": [{"r": r, "cells": [cell(r, f) for f in rules.SCORES]} for r in reversed(rules.SCORES)],
        "f_scores": rules.SCORES,
        "class_cards": [
            {
                "label": class_.label,
                "key": class_.value,
                "tone": CLASS_TONES.get(class_, "grey"),
                "advice": CLASS_ADVICE[class_],
                "part": found.classes[class_.value],
                "net_share": _ratio(found.classes[class_.value], found),
                "href": members_url(rfm_class=class_.value, **of_model),
                "segment": segment_url(("rfm.class", "in", [class_.value])) if savable else "",
            }
            for class_ in RfmClass
        ],
        "layer_rows": [
            {
                "label": layer.label,
                "key": layer.value,
                "advice": LAYER_ADVICE[layer],
                "part": found.layers[layer.value],
                "net_share": _ratio(found.layers[layer.value], found),
                "href": members_url(rfm_layer=layer.value, **of_model),
                "segment": segment_url(("rfm.layer", "in", [layer.value])) if savable else "",
            }
            for layer in RfmLayer
        ],
        "dimensions": [
            {
                "name": name.upper(),
                "cuts": found.cuts.get(name, []),
                "middle": found.middles.get(name, {}).get("value"),
                "is_money": name == "m",
            }
            for name in rules.DIMENSIONS
        ],
    }


def _ratio(part: Part, found: Board) -> float:
    return part.net / found.net if found.net else 0.0


def _shade(value: int, peak: int) -> str:
    """One of six shades by the share of the largest cell; only an empty cell has the lightest."""
    if value <= 0 or peak <= 0:
        return "q0"
    return f"q{min(5, 1 + 5 * value // (peak + 1))}"


def moves(found: Moves) -> list[dict[str, Any]]:
    """The moves as a list, most members first."""
    rows: list[dict[str, Any]] = [
        {
            "before": RfmLayer(before).label,
            "after": RfmLayer(after).label,
            "members": members,
            "better": list(RfmLayer.values).index(after) < list(RfmLayer.values).index(before),
        }
        for before, counts in found.rows
        for after, members in zip(found.columns, counts, strict=True)
        if members
    ]
    return sorted(rows, key=lambda row: -row["members"])[:15]


def stages(found: Distribution, limits: Limits, *, may_save: bool) -> dict[str, Any]:
    """Stage and AIPL cards with their rule in words, and the data of the bar chart."""
    rules_in_words = {
        Stage.PROSPECT: _("No paid order yet"),
        Stage.NEW: _("First order fewer than %(days)s days ago"),
        Stage.ACTIVE: _("Ordered within %(days)s days"),
        Stage.SLEEPING: _("No order for %(days)s days or more"),
        Stage.LOST: _("No order for %(days)s days or more"),
        Stage.RETURNED: _("Came back from lost fewer than %(days)s days ago"),
        AiplStage.AWARENESS: _("Known, not active, no order"),
        AiplStage.INTEREST: _("Active within %(days)s days, no order"),
        AiplStage.PURCHASE: _("At least one paid order"),
        AiplStage.LOYALTY: _("At least %(days)s paid orders"),
    }
    days = {
        Stage.NEW: limits.new_days,
        Stage.ACTIVE: limits.sleeping_days,
        Stage.SLEEPING: limits.sleeping_days,
        Stage.LOST: limits.lost_days,
        Stage.RETURNED: limits.returned_days,
        AiplStage.INTEREST: limits.interest_days,
        AiplStage.LOYALTY: limits.loyal_orders,
    }

    def card(entry: Stage | AiplStage, count: int, key: str, field: str) -> dict[str, Any]:
        text = str(rules_in_words[entry])
        return {
            "label": entry.label,
            "key": entry.value,
            "tone": STAGE_TONES.get(entry, "grey"),
            "rule": text % {"days": days[entry]} if entry in days else text,
            "count": count,
            "share": count / found.members if found.members else None,
            "href": members_url(**{key: entry.value}),
            "segment": segment_url((field, "in", [entry.value])) if may_save else "",
        }

    return {
        "stage_cards": [card(stage, found.stages[stage.value], "stage", "lifecycle") for stage in Stage],
        "aipl_cards": [card(stage, found.aipl[stage.value], "aipl", "aipl") for stage in AiplStage],
        "chart": {
            "labels": [str(stage.label) for stage in Stage],
            "series": [{"name": str(_("Members")), "data": [found.stages[stage.value] for stage in Stage]}],
            "format": "count",
            "horizontal": True,
        },
    }
