"""A member's own pages: the card, points, benefits, tasks and check-in, opened by a signed link, made for a phone.

Who holds the link is the member. Nothing here needs a login or a script; personal data beyond the name is not shown.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from members.models import Member, TierScheme
from members.queries import member_links, points, points_ledger, points_lots, points_words, tier_schemes, tiers
from scrm.common import clock
from scrm.common.access import page
from scrm.common.errors import DomainError, NotFound

TABS = (
    {"name": "my_card", "label": _("Card"), "icon": "id-badge-2"},
    {"name": "my_points", "label": _("Points"), "icon": "coins"},
    {"name": "my_benefits", "label": _("Benefits"), "icon": "gift"},
    {"name": "my_tasks", "label": _("Tasks"), "icon": "checklist"},
)
EXPIRING_DAYS = 60
_PAGE = 30

View = Callable[..., HttpResponse]  # (request, Mine, what the address names more)


class Mine:
    """Whose pages these are, and the link they were opened by."""

    def __init__(self, request: HttpRequest, member: Member, token: str) -> None:
        self.request, self.member, self.token = request, member, token

    def show(self, template: str, tab: str, context: dict[str, Any]) -> HttpResponse:
        """A page with the bar of tabs below."""
        tabs = [{**one, "url": self.url(str(one["name"])), "active": one["name"] == tab} for one in TABS]
        return render(self.request, template, {"member": self.member, "token": self.token, "tabs": tabs, **context})

    def url(self, name: str, *more: Any) -> str:
        return reverse(name, args=[self.token, *more])

    def act(self, back: str, said: Any, work: Callable[[], object]) -> HttpResponse:
        """Do what a button asks for, say how it went, and go back to a page."""
        try:
            work()
            messages.success(self.request, said)
        except DomainError as error:
            messages.error(self.request, str(error))
        return redirect(self.url(back))


def own(view: View) -> Callable[..., HttpResponseBase]:
    """A page for whoever holds a link to it; others learn no more than that there is nothing here, or no longer."""

    @page(allow=None)
    @functools.wraps(view)
    def opened(request: HttpRequest, token: str, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            member = member_links.member_of(token=token, now=clock.now())
        except (NotFound, member_links.LinkEnded) as error:
            ended = isinstance(error, member_links.LinkEnded)
            response = render(request, "members/my/gone.html", {"ended": ended}, status=error.status)
        else:
            response = view(request, Mine(request, member, token), *args, **kwargs)
        add_never_cache_headers(response)
        # Other sites never see the address; with "no-referrer" browsers would hide from us where a form came from.
        response["Referrer-Policy"] = "same-origin"
        response["X-Robots-Tag"] = "noindex"
        return response

    return opened


@require_safe
@own
def my_card(request: HttpRequest, mine: Mine) -> HttpResponse:
    """The card: tier with progress, points, what expires soon; and the ladder."""
    now = clock.now()
    kind = points.currency()
    standing = tiers.standing(mine.member.pk, now=now)
    balance = points.balance(member_id=mine.member.pk, currency_id=kind.pk, as_of=now)
    soon = points_lots.expiring(member_id=mine.member.pk, currency_id=kind.pk, as_of=now, days=EXPIRING_DAYS)
    scheme = tier_schemes.row_in_effect(now) if standing is not None else None
    return mine.show(
        "members/my/card.html",
        "my_card",
        {
            "kind": kind,
            "standing": standing,
            "balance": balance,
            "soon": soon[0] if soon else None,
            "ladder": _ladder(scheme),
        },
    )


def _ladder(scheme: TierScheme | None) -> list[dict[str, Any]]:
    """Every tier from the lowest, with what reaches it."""
    if scheme is None:
        return []
    return [
        {"tier": step.tier, "reached_by": tiers.reached_by(scheme.basis, step.threshold) if step.threshold else ""}
        for step in tier_schemes.steps(scheme)
    ]


@require_safe
@own
def my_points(request: HttpRequest, mine: Mine) -> HttpResponse:
    """Points: what there is, what expires when, and how each movement came about."""
    now = clock.now()
    kinds = points.every()
    kind = next((one for one in kinds if one.key == request.GET.get("kind")), kinds[0])
    member_id = mine.member.pk
    balances = points.balances(member_id=member_id, as_of=now)
    found = points_ledger.of_member(
        member_id=member_id, currency_id=kind.pk, cursor=request.GET.get("cursor"), size=_PAGE
    )
    numbers = points_ledger.order_numbers(found.rows)
    return mine.show(
        "members/my/points.html",
        "my_points",
        {
            "kind": kind,
            "kinds": [one for one in kinds if one.pk in balances or one.key == kind.key],
            "balance": balances.get(kind.pk, points.NOTHING),
            "lots": points_lots.open_lots(member_id=member_id, currency_id=kind.pk, as_of=now),
            "entries": [
                {
                    "label": entry.reason or points_words.about(entry, numbers) or entry.get_kind_display(),
                    "effect": points_words.effect(entry),
                    "amount": entry.amount,
                    "at": entry.occurred_at,
                    "lines": points_words.explain(entry, versions=False),
                }
                for entry in found.rows
            ],
            "next_cursor": found.next_cursor,
        },
    )
