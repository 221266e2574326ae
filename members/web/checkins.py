"""Pages of check-ins: the calendars and their form, and what a member's page shows of tasks and check-ins."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from members.models import CheckInCalendar
from members.operations import checkin_calendars
from members.operations.checkin_calendars import Content
from members.queries import checkins, profiles, tasks
from members.queries.task_words import Words
from members.web import reward_rows
from members.web.tasks import sections
from scrm.common import clock
from scrm.common.access import ConsoleRequest, Permission, page
from scrm.common.errors import DomainError, NotFound
from scrm.common.forms import refuse

_PLAIN = ("name", "enabled", "cycle_days", "makeups_per_month", "makeup_price", "back_days")


class CalendarForm(forms.Form):
    key = forms.CharField(
        max_length=32, label=gettext_lazy("Key of the calendar"),
        help_text=gettext_lazy("What other systems call it. It cannot be changed later."),
    )  # fmt: skip
    version = forms.IntegerField(required=False, min_value=1, widget=forms.HiddenInput)
    name = forms.CharField(max_length=40, label=gettext_lazy("Name"))
    enabled = forms.BooleanField(required=False, initial=True, label=gettext_lazy("Members can check in"))
    cycle_days = forms.IntegerField(
        min_value=1, max_value=31, initial=7, label=gettext_lazy("Days of a cycle"),
        help_text=gettext_lazy("After the last day the ladder begins again."),
    )  # fmt: skip
    makeups_per_month = forms.IntegerField(
        min_value=0, max_value=31, initial=2, label=gettext_lazy("Days that can be made up each month")
    )
    back_days = forms.IntegerField(
        min_value=0, max_value=366, initial=7, label=gettext_lazy("How many days back at most")
    )
    makeup_price = forms.IntegerField(
        min_value=0, max_value=10**9, initial=0, label=gettext_lazy("Price of a day in points"),
        help_text=gettext_lazy("0: only make-up cards are taken."),
    )  # fmt: skip


@page(allow=Permission.LOYALTY_VIEW)
def checkin_list(request: ConsoleRequest) -> HttpResponse:
    """The calendars with their ladders in words; some at most."""
    words = Words()
    rows = [
        {
            "calendar": one,
            "ladder": [
                {"day": number, "rewards": words.rewards(one.ladder[number - 1] if number <= len(one.ladder) else [])}
                for number in range(1, one.cycle_days + 1)
            ],
            "gift": words.rewards(one.gift),
        }
        for one in checkins.calendars()
    ]
    context = {
        "rows": rows,
        "may_manage": request.actor.may(Permission.LOYALTY_MANAGE),
        "sections": sections("checkins"),
    }
    return render(request, "members/checkin_list.html", context)


@page(allow=Permission.LOYALTY_MANAGE)
def checkin_edit(request: ConsoleRequest, calendar_id: int | None = None) -> HttpResponse:
    """The form of a calendar, with a row of rewards for each day of a cycle."""
    try:
        calendar = checkins.get(calendar_id) if calendar_id is not None else None
    except NotFound as error:
        raise Http404(str(error)) from error
    initial = {name: getattr(calendar, name) for name in (*_PLAIN, "version")} if calendar else None
    form = CalendarForm(request.POST or None, initial=initial)
    if calendar is not None:
        del form.fields["key"]
    if request.method == "POST" and form.is_valid() and _saved(request, form, calendar):
        messages.success(request, _("Saved."))
        return redirect("checkin_list")
    return render(
        request,
        "members/checkin_edit.html",
        {"form": form, "calendar": calendar, **_rows(request, form, calendar)},
        status=422 if form.errors else 200,
    )


def _rows(request: ConsoleRequest, form: CalendarForm, calendar: CheckInCalendar | None) -> dict[str, Any]:
    days = calendar.cycle_days if calendar is not None else 7
    if form.is_bound:
        given = str(form.data.get("cycle_days", ""))
        days = min(max(int(given), 1), 31) if given.isascii() and given.isdigit() and len(given) < 3 else days
    stored = calendar.ladder if calendar is not None else []
    ladder = []
    for number in range(1, days + 1):
        name = f"day{number}"
        known = stored[number - 1] if number <= len(stored) else []
        listed = reward_rows.read(request.POST, name) if form.is_bound else known
        ladder.append({"number": number, "name": name, "rows": reward_rows.shown(listed, blank=0 if listed else 1)})
    gift = reward_rows.read(request.POST, "gift") if form.is_bound else (calendar.gift if calendar else [])
    return {"ladder": ladder, "gift_rows": reward_rows.shown(gift), "reward_kinds": reward_rows.kinds(Words())}


def _saved(request: ConsoleRequest, form: CalendarForm, calendar: CheckInCalendar | None) -> bool:
    values = form.cleaned_data
    content = Content(
        **{name: values[name] for name in _PLAIN},
        ladder=[reward_rows.read(request.POST, f"day{number}") for number in range(1, values["cycle_days"] + 1)],
        gift=reward_rows.read(request.POST, "gift"),
    )
    try:
        if calendar is None:
            checkin_calendars.create(key=values["key"], content=content, now=clock.now())
        else:
            checkin_calendars.change(calendar_id=calendar.pk, version=values["version"] or 0, content=content)
    except DomainError as error:
        name = str(error.detail.get("field", ""))
        where = name.split("[")[0]
        message = f"{name}: {error}" if where in ("ladder", "gift") else str(error)
        refuse(form, error, message=message)
        return False
    return True


def panel(request: ConsoleRequest, member_id: int) -> tuple[str, dict[str, Any]] | None:
    """Tasks and check-ins on a member's page; nothing where there are none."""
    if not request.actor.may(Permission.LOYALTY_VIEW):
        return None
    now = clock.now()
    steps = [step for step in tasks.for_member(member_id=member_id, now=now) if step.fits or step.times_done]
    calendar = next((one for one in checkins.calendars() if one.enabled), None)
    if not steps and calendar is None:
        return None
    month = None
    if calendar is not None:
        member = profiles.get(member_id=member_id, actor=request.actor)
        first = checkins.first_of("", now)
        month = checkins.month(member=member, calendar=calendar, first=first, now=now)
    return "members/task_panel.html", {
        "member_id": member_id,
        "steps": steps,
        "month": month,
        "today": clock.shop_date(now),
    }
