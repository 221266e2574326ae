"""An entry of the ledger in words that a member can read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from members.enums import EntryKind
from members.models import PointsEntry
from scrm.common.display import integer, money
from scrm.common.money import to_decimal

_OWN = frozenset({"pending", "available", "held"})
# Points per so much money: "2/1.00".
_RATE = re.compile(r"([0-9]+)/([0-9]+(?:\.[0-9]+)?)")
_MOST_LINES = 20


def effect(entry: PointsEntry) -> int:
    """What the movement gives the member (above 0) or takes (below 0); 0 when it only changes where points stand."""
    if entry.debit not in _OWN:
        return entry.amount
    return 0 if entry.credit in _OWN else -entry.amount


def about(entry: PointsEntry, numbers: Mapping[str, str]) -> str:
    """What the movement is about, where the product itself said so: an order by the number that others know it by.

    `numbers` are those of orders, by their id (`points_ledger.order_numbers`). Empty for sources of others.
    """
    kind, _colon, rest = entry.source.partition(":")
    if kind == "order":
        return _("Order %(number)s") % {"number": numbers[rest]} if rest in numbers else ""
    return {
        "event": _("Event"), "task": _("Task"), "checkin": _("Check-in"), "tier": _("Tier"),
    }.get(kind, "") if rest else ""  # fmt: skip


def explain(entry: PointsEntry, *, versions: bool = True) -> list[str]:
    """How the movement came about, a sentence each: the rules that gave, what was given back, what ended.

    Without `versions` rules are named and no more, as for members.
    """
    detail = entry.detail if isinstance(entry.detail, Mapping) else {}
    found = [_rule(line, versions) for line in _lines(detail)]
    if entry.kind == EntryKind.REFUND and detail.get("spent"):
        found.append(_("Given back of what was spent under %(reference)s") % {"reference": detail["spent"]})
    if entry.kind == EntryKind.REVERSE and isinstance(detail.get("asked"), int):
        found.append(_("%(points)s were to be taken back") % {"points": integer(detail["asked"])})
    if entry.kind == EntryKind.RELEASE and detail.get("timeout"):
        found.append(_("The hold ended by itself"))
    if entry.kind == EntryKind.EXPIRE:
        found.append(_("What was left of an earlier credit was not used in time"))
    if entry.kind == EntryKind.ACTIVATE:
        found.append(_("The waiting time after earning is over"))
    return found


def _lines(detail: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    lines = detail.get("lines")
    return [line for line in lines[:_MOST_LINES] if isinstance(line, Mapping)] if isinstance(lines, list) else []


def _rule(line: Mapping[str, Any], versions: bool) -> str:
    """ "+120 = ¥60.00 × 2 · 双倍积分日 ×2 · 消费积分 v3"."""
    points = integer(line.get("points"))
    if "refund" in line:
        return _("%(points)s for ¥%(amount)s given back") % {"points": points, "amount": to_decimal(line["refund"])}
    parts = [f"+{points}"]
    per = _RATE.fullmatch(str(line.get("rate", "")))
    if per and line.get("base") is not None:
        each = Decimal(per[2])
        times = f"× {per[1]}" if each == 1 else f"÷ {each.normalize():f} × {per[1]}"
        parts = [f"+{points} = {money(line['base'])} {times}"]
    factors = line.get("times")
    parts += [str(one) for one in factors] if isinstance(factors, list) else []
    if line.get("wanted"):
        parts.append(_("limited from %(points)s") % {"points": integer(line["wanted"])})
    if line.get("rule") and versions:
        parts.append(_("rule %(rule)s v%(version)s") % {"rule": line["rule"], "version": line.get("version", "?")})
    elif line.get("rule"):
        parts.append(str(line["rule"]))
    return " · ".join(parts)
