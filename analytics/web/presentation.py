"""How conclusions are shown: words of advice, shades, links to the members behind each number."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from analytics.enums import AiplStage, RfmClass, RfmLayer, Stage
from analytics.models import LifecycleVersion
from analytics.queries.lifecycle import Distribution
from analytics.queries.lifecycle_moves import Preview, Transition
from analytics.rules.lifecycle import Limits
from analytics.rules.moves import Matrix
from analytics.rules.rfm_layers import CLASS_TONES as CLASS_TONES

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


def segment_url(*leaves: tuple[str, str, Any], model: int | None = None) -> str:
    """The page that makes a segment of these conditions, all of them; by scores of a model unless of the default."""
    named: dict[str, Any] = {} if model is None else {"with": {"model": model}}
    tree = {"all": [{"field": field, "op": op, "value": value, **named} for field, op, value in leaves]}
    return f"{reverse('segment_new')}?{urlencode({'condition': json.dumps(tree, separators=(',', ':'))})}"


def cell_style(value: int, peak: int) -> str:
    """One of six shades by the share of the largest cell; only an empty cell has the lightest."""
    if value <= 0 or peak <= 0:
        return "q0"
    return f"q{min(5, 1 + 5 * value // (peak + 1))}"


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
        part = "stages" if isinstance(entry, Stage) else "aipl"
        net, days_in = (found.net or {}).get(part, {}), (found.days or {}).get(part, {})
        whole = sum(net.values())
        text = str(rules_in_words[entry])
        return {
            "label": entry.label,
            "key": entry.value,
            "tone": STAGE_TONES.get(entry, "grey"),
            "rule": text % {"days": days[entry]} if entry in days else text,
            "count": count,
            "share": count / found.members if found.members else None,
            "net": net.get(entry.value),
            "net_share": net.get(entry.value, 0) / whole if whole else None,
            "days": days_in.get(entry.value),
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


def lifecycle_tabs(active: str) -> list[dict[str, Any]]:
    """The parts of the lifecycle page."""
    pages = [
        ("stages", _("Stages"), reverse("lifecycle")),
        ("moves", _("Transitions"), reverse("lifecycle_moves")),
    ]
    return [{"label": label, "href": href, "active": key == active} for key, label, href in pages]


def stage_label(kind: str, key: str) -> str:
    """The stage in the reader's language; "" is who was not a member yet."""
    if not key:
        return str(_("Not a member yet"))
    return str(Stage(key).label if kind == "lifecycle" else AiplStage(key).label)


def transition(found: Transition) -> dict[str, Any]:
    """The transition matrix with rates and links, and its Sankey diagram."""
    matrix, kind = found.matrix, found.kind
    used = [key for key in matrix.keys if matrix.before[key] or matrix.after[key]]

    def href(before: str, after: str) -> str:
        return members_url(stage_moved=f"{found.earlier.pk}.{found.later.pk}.{kind}.{before}.{after}")

    return {
        "rows": [
            {
                "label": stage_label(kind, before),
                "total": matrix.before[before],
                "cells": [
                    {
                        "members": matrix.counts.get((before, after), 0),
                        "share": matrix.share(before, after),
                        "href": href(before, after) if before or before != after else "",
                        "stays": before == after,
                    }
                    for after in used
                ],
            }
            for before in used
        ],
        "columns": [{"label": stage_label(kind, key), "total": matrix.after[key]} for key in used],
        "moved": matrix.moved,
        "stayed": matrix.stayed,
        "sankey": sankey([(stage_label(kind, key), key) for key in used], matrix.counts),
    }


def lifecycle_preview(found: Preview) -> dict[str, Any]:
    """Members per stage before and after, and who would move."""

    def part(kind: str, matrix: Matrix) -> dict[str, Any]:
        rows = [
            {
                "label": stage_label(kind, key),
                "before": matrix.before[key],
                "after": matrix.after[key],
                "change": (matrix.after[key] - matrix.before[key]) / matrix.before[key] if matrix.before[key] else None,
            }
            for key in matrix.keys
            if key
        ]
        return {"heading": "AIPL" if kind == "aipl" else _("Stages"), "rows": rows, "moved": matrix.moved}

    return {"preview": found, "parts": [part("lifecycle", found.stages), part("aipl", found.aipl)]}


def limit_versions(rows: Sequence[LifecycleVersion]) -> list[dict[str, Any]]:
    """Versions of the limits, newest first, each with what it changed."""
    found = []
    for row, former in zip(rows, [*rows[1:], None], strict=True):
        changes = [
            {"label": LIMIT_LABELS[name], "before": former.content.get(name), "after": value}
            for name, value in row.content.items()
            if former is not None and former.content.get(name) != value and name in LIMIT_LABELS
        ]
        found.append({"version": row, "changes": changes})
    return found


def sankey(names: list[tuple[str, str]], counts: Mapping[tuple[str, str], int]) -> dict[str, Any]:
    """Data of a Sankey diagram: each name left as it was, right as it is (told apart by an invisible character)."""
    labels = {key: text for text, key in names}
    left = [key for key in labels if any(counts.get((key, other)) for other in labels)]
    right = [key for key in labels if any(counts.get((other, key)) for other in labels)]
    return {
        "nodes": [{"name": labels[key]} for key in left] + [{"name": labels[key] + "\u200b"} for key in right],
        "links": [
            {"source": labels[before], "target": labels[after] + "\u200b", "value": members}
            for (before, after), members in counts.items()
            if members and before in labels and after in labels
        ],
        "format": "count",
    }


LIMIT_LABELS: dict[str, str | Promise] = {
    "new_days": _("New customer: days since the first order, fewer than"),
    "sleeping_days": _("Sleeping: days without an order, from"),
    "lost_days": _("Lost: days without an order, from"),
    "returned_days": _("Returned: days since coming back from lost, fewer than"),
    "loyal_orders": _("Loyalty (AIPL): paid orders, from"),
    "interest_days": _("Interest (AIPL): days since the last activity, fewer than"),
    "activity_types": _("Interest (AIPL): which events show it"),
}
