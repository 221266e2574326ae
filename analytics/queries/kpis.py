"""The key figures as cards: each with its definition, its change against the period before, and its trend.

A card links to the members behind it only where the list shows exactly those.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from analytics.queries.summary import SourceRow
from scrm.common.money import to_decimal


def cards(figures: dict[str, Any], row: SourceRow | None, *, period: int) -> list[dict[str, Any]]:
    """One card per figure. `figures` is what analytics.queries.dashboard counts over periods of `period` days."""
    totals, current, former = figures["totals"], figures["current"], figures["former"]
    joined = figures["joined"]
    daily = figures["daily"][-period:]
    members_url = reverse("member_list")
    all_time = _("All time")
    aov, former_aov = _ratio(current["gmv"], current["orders"]), _ratio(former["gmv"], former["orders"])
    repeat = _ratio(current["repeated"], current["buyers"])
    former_repeat = _ratio(former["repeated"], former["buyers"])
    first_day = date.fromisoformat(figures["until"]) - timedelta(days=period - 1)
    return [
        {
            "key": "members",
            "label": _("Members"),
            "value": f"{figures['members']:,}",
            "raw": figures["members"],
            "delta": _change(sum(joined[period:]), sum(joined[:period])),
            "note": _("%(count)s new in 30 days") % {"count": f"{sum(joined[period:]):,}"},
            "spark": joined[period:],
            "definition": _(
                "Active members, merged and erased ones left out. The change compares those who joined in the last"
                " 30 days with the 30 days before."
            ),
            "href": f"{members_url}?source={row.id}" if row else members_url,
        },
        {
            "key": "buyers",
            "label": _("Buyers"),
            "value": f"{totals['buyers']:,}",
            "raw": totals["buyers"],
            "delta": _change(current["buyers"], former["buyers"]),
            "note": all_time,
            "spark": [orders for orders, _gmv in daily],
            "definition": _(
                "Members with at least one paid order that was not refunded whole, all time. The change compares the"
                " buyers of the last 30 days with the 30 days before; the line shows orders per day."
            ),
            "href": None if row else f"{members_url}?orders_min=1",
        },
        {
            "key": "orders",
            "label": _("Orders"),
            "value": f"{totals['orders']:,}",
            "raw": totals["orders"],
            "delta": _change(current["orders"], former["orders"]),
            "note": all_time,
            "spark": [orders for orders, _gmv in daily],
            "definition": _("Paid orders that were not refunded whole, all time."),
            "href": None,
        },
        {
            "key": "revenue",
            "label": _("Revenue"),
            "value": _amount(totals["revenue"], figures["currency"]),
            "raw": totals["revenue"],
            "delta": _change(current["gmv"], former["gmv"]),
            "note": all_time,
            "spark": [gmv for _orders, gmv in daily],
            "definition": _("The amounts of all paid orders, gross: refunds are not subtracted."),
            "href": None,
        },
        {
            "key": "gmv_30d",
            "label": _("GMV, 30 days"),
            "value": _amount(current["gmv"], figures["currency"]),
            "raw": current["gmv"],
            "delta": _change(current["gmv"], former["gmv"]),
            "note": "",
            "spark": [gmv for _orders, gmv in daily],
            "definition": _("Gross amount of the orders paid in the last 30 shop days, against the 30 days before."),
            "href": None,
        },
        {
            "key": "orders_30d",
            "label": _("Orders, 30 days"),
            "value": f"{current['orders']:,}",
            "raw": current["orders"],
            "delta": _change(current["orders"], former["orders"]),
            "note": _("%(count)s buyers") % {"count": f"{current['buyers']:,}"},
            "spark": [orders for orders, _gmv in daily],
            "definition": _("Orders paid in the last 30 shop days, against the 30 days before."),
            "href": None if row or figures["is_past"] else f"{members_url}?last_order_after={first_day.isoformat()}",
        },
        {
            "key": "aov",
            "label": _("Average order value"),
            "value": _amount(round(aov), figures["currency"]) if aov is not None else None,
            "raw": aov,
            "delta": _change(aov or 0, former_aov or 0),
            "note": "",
            "spark": [gmv / orders if orders else None for orders, gmv in daily],
            "definition": _("GMV of the last 30 days divided by its orders."),
            "href": None,
        },
        {
            "key": "repurchase",
            "label": _("Repurchase rate"),
            "value": f"{repeat * 100:.1f}%" if repeat is not None else None,
            "raw": repeat,
            "delta": _change(repeat or 0, former_repeat or 0),
            "note": "",
            "spark": None,
            "definition": _("Of the buyers of the last 30 days, the share who paid at least two orders in them."),
            "href": None,
        },
    ]


def _amount(minor: int, currency: str) -> str:
    whole, cents = to_decimal(minor).rsplit(".", 1)
    sign = {"CNY": "¥", "GBP": "£", "USD": "$", "EUR": "€"}.get(currency, f"{currency} ")
    return f"{sign}{int(whole):,}.{cents}"


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _change(now: float, before: float) -> float | None:
    """The relative change; None when there was nothing before."""
    return (now - before) / before if before else None
