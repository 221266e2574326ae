"""Pages of the catalogue of benefits: list, one benefit with its uses, the editor, deliveries of codes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_POST

from members.enums import BenefitKind, BenefitState
from members.filtersets import BenefitFilterSet
from members.models import Benefit, BenefitRule
from members.operations import benefit_catalogue as operations
from members.operations import benefit_stock as stock_acts
from members.operations import imports
from members.queries import benefit_catalogue as queries
from members.queries import benefit_claims, benefit_stock, benefit_tiers, benefit_words
from members.web.benefit_forms import BenefitForm, StockForm
from scrm.common import clock, condition_editors, conditions, pagination
from scrm.common.access import ConsoleRequest, DataScope, Permission, page
from scrm.common.errors import DomainError, NotFound

USED_DAYS = 30
PAGE_SIZE = 15
TONES = {BenefitState.DRAFT: "grey", BenefitState.ACTIVE: "green", BenefitState.ENDED: "amber"}


@page(allow=Permission.LOYALTY_VIEW)
def benefit_list(request: ConsoleRequest) -> HttpResponse:
    """The catalogue with what was used in the last thirty days; some dozens, five hundred at most."""
    filters = BenefitFilterSet(request.GET, queryset=queries.every().order_by("state", "pk"))
    found = list(filters.qs)
    now = clock.now()
    uses = queries.uses([one.pk for one in found], since=now - timedelta(days=USED_DAYS), until=now)
    names = benefit_tiers.names()
    context = {
        "rows": [
            {
                "benefit": one,
                "who": benefit_words.rules_words(list(one.rules.all()), names),
                "use": uses[one.pk],
                "tone": TONES[BenefitState(one.state)],
            }
            for one in found
        ],
        "filters": filters,
        "kinds": BenefitKind.choices,
        "states": BenefitState.choices,
        "is_filtered": any(request.GET.get(name) for name in ("q", "kind", "state")),
        "sees_everybody": request.actor.scope == DataScope.ALL,
        **_may(request),
    }  # fmt: skip
    return render(request, "members/benefit_list.html", context)


@page(allow=Permission.LOYALTY_VIEW)
def benefit_detail(request: ConsoleRequest, benefit_id: int) -> HttpResponse:
    """One benefit: who gets it, how it is used and what it costs, its stock, its claims."""
    benefit, now = _benefit(benefit_id), clock.now()
    claims = pagination.paginate(
        benefit_claims.of_benefit(benefit.pk, actor=request.actor),
        order=[("claimed_at", True), ("id", True)], cursor=request.GET.get("cursor") or None, size=PAGE_SIZE,
    )  # fmt: skip
    context: dict[str, Any] = {
        "benefit": benefit,
        "claims": benefit_claims.shown(claims.rows, now=now),
        "next_cursor": claims.next_cursor,
    }
    if request.htmx and "cursor" in request.GET:
        return render(request, "members/benefit_claim_rows.html", context)
    sees_everybody = request.actor.scope == DataScope.ALL
    days = queries.by_day(benefit.pk, days=USED_DAYS, now=now) if sees_everybody else []
    context |= {
        "who": benefit_words.sentence(benefit, list(benefit.rules.all())),
        "tone": TONES[BenefitState(benefit.state)],
        "use": queries.uses([benefit.pk], since=now - timedelta(days=USED_DAYS), until=now)[benefit.pk],
        "chart": {
            "labels": [f"{day:%m-%d}" for day, _claimed, _used in days],
            "series": [
                {"name": pgettext("benefit", "Claimed"), "data": [claimed for _day, claimed, _used in days]},
                {"name": _("Used"), "data": [used for _day, _claimed, used in days]},
            ],
            "format": "count",
        },
        "sees_everybody": sees_everybody,
        "stock": benefit_stock.of(benefit.pk, now=now) if benefit.kind == BenefitKind.PARTNER_CODE else None,
        "stock_form": StockForm(),
        "stores": [row.store.name for row in benefit.stores.all()],
        "audit_url": f"{reverse('audit_list')}?object_type=members_benefit&object_id={benefit.pk}"
        if request.actor.may(Permission.AUDIT_VIEW)
        else "",
        **_may(request),
    }
    return render(request, "members/benefit_detail.html", context)


@page(allow=Permission.LOYALTY_MANAGE)
def benefit_new(request: ConsoleRequest) -> HttpResponse:
    """A new benefit, as a draft."""
    return _edit(request, None)


@page(allow=Permission.LOYALTY_MANAGE)
def benefit_edit(request: ConsoleRequest, benefit_id: int) -> HttpResponse:
    """Change a benefit; what was claimed keeps its expiry and its cost."""
    return _edit(request, _benefit(benefit_id))


def _edit(request: ConsoleRequest, benefit: Benefit | None) -> HttpResponse:
    form = BenefitForm(request.POST or None, benefit=benefit)
    faults: condition_editors.Faults = ()
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            content = form.content(condition_editors.built(data["condition"]))
            if benefit is None:
                saved = operations.create(key=data["key"], kind=data["kind"], content=content)
            else:
                saved = operations.change(
                    benefit_id=benefit.pk, content=content, version=data["version"], now=clock.now()
                )  # fmt: skip
        except conditions.BadCondition as error:
            faults = error.detail["errors"]
            form.add_error(None, str(error))
        except DomainError as error:
            form.refuse(error)
        else:
            messages.success(request, _("Saved."))
            return redirect("benefit_detail", saved.pk)
    context = {
        "form": form,
        "benefit": benefit,
        "builder": condition_editors.of_form(
            request, form, stored=benefit.condition if benefit else None, faults=faults
        ),
        "who": benefit_words.sentence(benefit, list(benefit.rules.all())) if benefit is not None else "",
    }
    return render(request, "members/benefit_edit.html", context, status=422 if form.errors else 200)


@require_POST
@page(allow=Permission.LOYALTY_MANAGE)
def benefit_sentence(request: ConsoleRequest) -> HttpResponse:
    """Who would get it, in words, while somebody edits."""
    form = BenefitForm(request.POST)
    form.is_valid()
    draft = Benefit(kind=form.cleaned_data.get("kind") or BenefitKind.OTHER)
    try:
        draft.condition = condition_editors.built(form.cleaned_data.get("condition", ""))
        if draft.condition is not None:
            conditions.parse(draft.condition)
    except conditions.BadCondition:
        draft.condition = None  # its faults are shown where it is built
    rules = [operations.counted(draft.kind, rule) for rule in form.rules()]
    given = [BenefitRule(tier=rule.tier, quota=rule.quota, period=rule.period) for rule in rules]
    return render(request, "members/benefit_sentence.html", {"who": benefit_words.sentence(draft, given)})


@require_POST
@page(allow=Permission.LOYALTY_MANAGE)
def benefit_act(request: ConsoleRequest, benefit_id: int, act: str) -> HttpResponse:
    """Put a benefit into use, or take it out."""
    operation = {"activate": operations.activate, "end": operations.end}.get(act)
    if operation is None:
        raise Http404
    try:
        operation(benefit_id=benefit_id, now=clock.now())
    except NotFound as error:
        raise Http404 from error
    except DomainError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("It is in use.") if act == "activate" else _("It has ended."))
    return redirect("benefit_detail", benefit_id)


@require_POST
@page(allow=Permission.LOYALTY_MANAGE)
def benefit_codes(request: ConsoleRequest, benefit_id: int) -> HttpResponse:
    """Take a file of partner codes into the stock, in the background."""
    benefit = _benefit(benefit_id)
    form = StockForm(request.POST, request.FILES)
    if not form.is_valid():
        messages.error(request, _("Choose a file."))
        return redirect("benefit_detail", benefit_id)
    upload = form.cleaned_data["file"]
    try:
        file = imports.keep(chunks=upload.chunks())
        job = stock_acts.start(
            benefit_id=benefit.pk, file=file, label=_("Codes for “%(name)s”") % {"name": benefit.name},
            actor=request.actor,
        )  # fmt: skip
    except DomainError as error:
        messages.error(request, str(error))
        return redirect("benefit_detail", benefit_id)
    return redirect("job_detail", job.pk)


def _benefit(benefit_id: int) -> Benefit:
    try:
        return queries.get(benefit_id)
    except NotFound as error:
        raise Http404 from error


def _may(request: ConsoleRequest) -> dict[str, bool]:
    return {
        "may_manage": request.actor.may(Permission.LOYALTY_MANAGE),
        "may_redeem": request.actor.may(Permission.BENEFITS_REDEEM),
    }
