"""How points, their policies and their ledger are said on pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from members.enums import EntryKind, ExpiryKind, ReversalPolicy
from members.models import PointsCurrency, PointsEntry
from members.queries import points_ledger, points_lots, points_words
from scrm.common import display, money

TONES: dict[str, str] = {
    EntryKind.EARN: "green", EntryKind.REFUND: "green", EntryKind.SPEND: "blue", EntryKind.POST: "blue",
    EntryKind.EXPIRE: "amber", EntryKind.REVERSE: "red", EntryKind.ADJUST: "violet", EntryKind.MOVE: "violet",
}  # fmt: skip
_MONTHS = range(1, 13)


def rows(entries: Sequence[PointsEntry]) -> list[dict[str, Any]]:
    """Entries with their effect and two sides, what they are about, how they came about, which lots they touched."""
    lots = points_ledger.lots_of(entries)
    numbers = points_ledger.order_numbers(entries)
    names = points_ledger.actor_names({entry.actor for entry in entries})
    return [
        {
            "entry": entry,
            "tone": TONES.get(entry.kind, "grey"),
            "effect": points_words.effect(entry),
            "signed": signed(points_words.effect(entry)),
            "explanation": points_words.explain(entry),
            "about": points_words.about(entry, numbers),
            "order_id": found if (found := entry.source.removeprefix("order:")) in numbers else "",
            "lots": [
                {
                    "lot": one.lot,
                    "amount": display.integer(abs(one.amount)),
                    "gave": one.amount < 0,
                    "set_aside": one.set_aside,
                    "earned_at": one.earned_at,
                    "last_day": points_lots.last_day(one.expires_at) if one.expires_at else None,
                }
                for one in lots.get(points_ledger.key_of(entry), [])
            ],
            "actor": _("the system") if entry.actor == "system" else names.get(entry.actor, entry.actor),
        }
        for entry in entries
    ]


def signed(amount: int) -> str:
    """+1,234, −1,234 or, for what only changes its place, nothing."""
    if amount == 0:
        return ""
    return f"{'+' if amount > 0 else '−'}{display.integer(abs(amount))}"


def policies(currency: PointsCurrency) -> list[tuple[str, str]]:
    """What a kind of points says, as (topic, sentence)."""
    found = [
        (_("Becomes available"), _available(currency)),
        (pgettext("points", "Expires"), _expiry(currency)),
        (_("When its order is refunded"), str(ReversalPolicy(currency.reversal).label)),
    ]
    if currency.spendable:
        found.append((_("Given back after expiry"), _grace(currency)))
        found.append(
            (
                _("A hold lasts"),
                ngettext("%(n)s minute", "%(n)s minutes", currency.hold_minutes)
                % {"n": display.integer(currency.hold_minutes)},
            )
        )
    if currency.warn_days:
        days = display.listed(str(day) for day in sorted(currency.warn_days, reverse=True))
        found.append((_("Members are warned"), _("%(days)s days before expiry") % {"days": days}))
    found.append((_("Cost of 1,000 points"), display.money(currency.cost_per_1000)))
    found.append((_("Adjusted by one person up to"), display.integer(currency.adjust_limit)))
    return found


def cost(currency: PointsCurrency, amount: int) -> int:
    """Minor units."""
    return amount * currency.cost_per_1000 // 1_000


def _available(currency: PointsCurrency) -> str:
    if not currency.pending_days:
        return _("at once")
    n = currency.pending_days
    return ngettext("%(n)s day after earning", "%(n)s days after earning", n) % {"n": n}


def _expiry(currency: PointsCurrency) -> str:
    n = currency.expiry_count
    day = {"n": n, "month": currency.expiry_month, "day": currency.expiry_day}
    match currency.expiry:
        case ExpiryKind.DAYS:
            return ngettext("%(n)s day after earning", "%(n)s days after earning", n) % day
        case ExpiryKind.MONTHS:
            return ngettext("%(n)s month after earning", "%(n)s months after earning", n) % day
        case ExpiryKind.MONTH_END:
            later = ngettext(
                "at the end of the month, %(n)s month later", "at the end of the month, %(n)s months later", n
            )
            return later % day if n else _("at the end of the month")
        case ExpiryKind.QUARTER_END:
            later = ngettext(
                "at the end of the quarter, %(n)s quarter later", "at the end of the quarter, %(n)s quarters later", n
            )
            return later % day if n else _("at the end of the quarter")
        case ExpiryKind.YEAR_END:
            later = ngettext("at the end of the year, %(n)s year later", "at the end of the year, %(n)s years later", n)
            return later % day if n else _("at the end of the year")
        case ExpiryKind.FIXED_DAY:
            if n:
                later = ngettext(
                    "on the next %(month)s-%(day)s, %(n)s year later",
                    "on the next %(month)s-%(day)s, %(n)s years later",
                    n,
                )
                return later % day
            return _("on the next %(month)s-%(day)s") % day
        case ExpiryKind.INACTIVITY:
            return ngettext("after %(n)s day without activity", "after %(n)s days without activity", n) % day
    return pgettext("points", "never")


def _grace(currency: PointsCurrency) -> str:
    n = currency.grace_days
    if not n:
        return _("lapses at once")
    return ngettext("can be used for %(n)s more day", "can be used for %(n)s more days", n) % {"n": n}


def amount_field(minor: int) -> str:
    """Minor units as a form shows them."""
    return money.to_decimal(minor)
