"""Correcting a balance by hand, and deciding about what others proposed."""

from __future__ import annotations

import secrets
from typing import Any

from django import forms
from django.contrib import messages
from django.http import FileResponse, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from members.enums import AdjustmentState
from members.filtersets import AdjustmentFilterSet
from members.operations import adjustments as operations
from members.queries import adjustments, points, points_ledger, profiles
from members.web.points_pages import kinds, sections
from members.web.points_presentation import signed
from scrm.common import clock, downloads
from scrm.common.access import ConsoleRequest, Permission, page
from scrm.common.errors import DomainError, NotFound
from scrm.common.forms import refuse
from scrm.common.pagination import paginate

PAGE_SIZE = 50
TONES = {AdjustmentState.PROPOSED: "amber", AdjustmentState.REJECTED: "red", AdjustmentState.BOOKED: "green"}


class AdjustmentForm(forms.Form):
    """`reference` is made with the page, so that a form sent twice is booked once."""

    reference = forms.CharField(max_length=120, widget=forms.HiddenInput)
    currency = forms.ChoiceField(label=gettext_lazy("Kind of points"))
    direction = forms.ChoiceField(
        choices=[("credit", gettext_lazy("Credit")), ("debit", gettext_lazy("Take away"))],
        widget=forms.RadioSelect,
        initial="credit",
        label=gettext_lazy("Direction"),
    )
    amount = forms.IntegerField(min_value=1, max_value=10**12, label=gettext_lazy("Amount of points"))
    reason = forms.CharField(
        max_length=200,
        label=gettext_lazy("Reason"),
        help_text=gettext_lazy("Shown with the entry in the ledger, for good."),
    )
    attachment = forms.FileField(
        required=False,
        label=gettext_lazy("Attachment"),
        help_text=gettext_lazy("A PDF, PNG or JPEG of at most 5 MB that shows why."),
        widget=forms.ClearableFileInput(attrs={"accept": "application/pdf,image/png,image/jpeg"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["currency"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  # declared above
        field.choices = [(kind.key, kind.name) for kind in kinds()]

    @property
    def signed_amount(self) -> int:
        amount = int(self.cleaned_data["amount"])
        return amount if self.cleaned_data["direction"] == "credit" else -amount


@page(allow=Permission.POINTS_ADJUST)
def points_adjust(request: ConsoleRequest, member_id: int) -> HttpResponse:
    """The form; above the kind's limit it makes a proposal."""
    member = profiles.get(member_id=member_id, actor=request.actor)
    initial = {
        "reference": f"console:{secrets.token_hex(8)}",
        "currency": request.GET.get("currency") or kinds()[0].key,
        "direction": "credit",
    }
    form = AdjustmentForm(request.POST or None, request.FILES or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            made = _propose(request, member.pk, form)
        except NotFound:
            raise
        except DomainError as error:
            refuse(form, error, otherwise="amount")
        else:
            if made.state == AdjustmentState.BOOKED:
                messages.success(request, _("Booked."))
            else:
                messages.success(request, _("Proposed. It is booked when a second person approves it."))
            return redirect(f"{reverse('member_points', args=[member.pk])}?currency={made.currency.key}")
    balances = points.balances(member_id=member.pk, as_of=clock.now())
    context = {
        "member": member,
        "form": form,
        "kinds": [
            {
                "name": kind.name,
                "available": balances.get(kind.pk, points.NOTHING).available,
                "limit": kind.adjust_limit,
            }
            for kind in kinds()
        ],
    }
    return render(request, "members/points_adjust.html", context, status=422 if form.errors else 200)


def _propose(request: ConsoleRequest, member_id: int, form: AdjustmentForm) -> Any:
    data = form.cleaned_data
    upload = data["attachment"]
    kept = operations.keep(name=upload.name, chunks=upload.chunks()) if upload else None
    try:
        made, known = operations.propose(
            actor=request.actor,
            member_id=member_id,
            currency=data["currency"],
            amount=form.signed_amount,
            reason=data["reason"],
            reference=data["reference"],
            attachment=kept,
            now=clock.now(),
        )
    except BaseException:
        if kept is not None:
            operations.discard(kept)
        raise
    if known and kept is not None:
        operations.discard(kept)
    return made


@page(allow=Permission.LOYALTY_VIEW)
def adjustment_list(request: ConsoleRequest) -> HttpResponse:
    """What waits first (`?state=proposed`), or all of it."""
    actor = request.actor
    cursor = request.GET.get("cursor") or None
    params = request.GET.copy()
    state = params.get("state", AdjustmentState.PROPOSED)
    params["state"] = "" if state == "all" else state
    filters = AdjustmentFilterSet(params, queryset=adjustments.visible(actor), request=request)
    rows = filters.qs if filters.is_valid() else adjustments.visible(actor)
    found = paginate(rows, order=(("id", True),), cursor=cursor, size=PAGE_SIZE)
    names = points_ledger.actor_names({ref for row in found.rows for ref in (row.asked_by, row.decided_by)})
    context: dict[str, Any] = {
        "rows": [
            {
                "adjustment": row,
                "signed": signed(row.amount),
                "tone": TONES.get(AdjustmentState(row.state), "grey"),
                "asked_by": names.get(row.asked_by, row.asked_by),
                "decided_by": names.get(row.decided_by, row.decided_by),
                "is_own": row.asked_by == actor.ref,
                "may_decide": row.state == AdjustmentState.PROPOSED
                and actor.may(Permission.POINTS_ADJUST)
                and row.asked_by != actor.ref,
            }
            for row in found.rows
        ],
        "next_cursor": found.next_cursor,
        "may_open": actor.may(Permission.POINTS_ADJUST),
    }
    if request.htmx and cursor:
        return render(request, "members/adjustment_rows.html", context)
    states = [*AdjustmentState.choices, ("all", _("All"))]
    context |= {
        "sections": sections(actor, "adjustment_list"),
        "states": [{"label": label, "href": f"?state={key}", "active": key == state} for key, label in states],
        "state": state,
    }
    return render(request, "members/adjustment_list.html", context)


@require_POST
@page(allow=Permission.POINTS_ADJUST)
def adjustment_decide(request: ConsoleRequest, adjustment_id: int, decision: str) -> HttpResponse:
    """Approve or reject, as the second person."""
    try:
        if decision == "approve":
            operations.approve(actor=request.actor, adjustment_id=adjustment_id, now=clock.now())
            messages.success(request, _("Approved and booked."))
        else:
            operations.reject(
                actor=request.actor,
                adjustment_id=adjustment_id,
                answer=request.POST.get("answer", "").replace("\0", ""),
                now=clock.now(),
            )
            messages.success(request, _("Rejected. Whoever proposed it is told why."))
    except NotFound:
        raise
    except DomainError as error:
        messages.error(request, str(error))
    return redirect("adjustment_list")


@page(allow=Permission.POINTS_ADJUST)
def adjustment_file(request: ConsoleRequest, adjustment_id: int) -> FileResponse:
    """What was attached, always for saving and never shown in place."""
    adjustment = adjustments.get(adjustment_id, actor=request.actor)
    return downloads.answer(
        adjustments.attachment_path(adjustment), name=adjustment.file_name, content_type=adjustment.file_type
    )
