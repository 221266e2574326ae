"""The member's own page of tasks: the map, check-in, and making up missed days."""

from __future__ import annotations

from datetime import date

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from members.operations import checkins as checkin_acts
from members.operations import tasks as task_acts
from members.queries import checkins, tasks
from members.queries.checkins import Day, Month
from members.queries.tasks import Standing
from members.web.my_pages import Mine, own
from scrm.common import clock
from scrm.common.errors import Invalid

SOURCE = "page"


@require_safe
@own
def my_tasks(request: HttpRequest, mine: Mine) -> HttpResponse:
    """Today's check-in and its month, then what there is to do, what waits, and what is done."""
    now = clock.now()
    calendar = next((one for one in checkins.calendars() if one.enabled), None)
    month = (
        None
        if calendar is None
        else checkins.month(member=mine.member, calendar=calendar, first=clock.shop_date(now).replace(day=1), now=now)
    )
    steps = [step for step in tasks.for_member(member_id=mine.member.pk, now=now) if step.fits]
    order = (Standing.CLAIMABLE, Standing.OPEN, Standing.LOCKED, Standing.DONE)
    return mine.show(
        "members/my/tasks.html",
        "my_tasks",
        {
            "month": month,
            "today": clock.shop_date(now),
            "weekdays": _("Mo Tu We Th Fr Sa Su").split(),
            "paid_days": _paid_days(month),
            "steps": [step for standing in order for step in steps if step.standing == standing],
        },
    )


def _paid_days(month: Month | None) -> list[Day]:
    """The missed days that points make up for: where the calendar has a price for it, and no card is there."""
    if month is None or not month.calendar.makeup_price or month.cards or not month.makeups_left:
        return []
    return [one for one in month.days if one.can_make_up]


@require_POST
@own
def my_check_in(request: HttpRequest, mine: Mine) -> HttpResponse:
    """Check in for today; pressing twice checks in once."""
    return mine.act(
        "my_tasks",
        _("You have checked in."),
        lambda: checkin_acts.check_in(member_id=mine.member.pk, source=SOURCE, now=clock.now()),
    )


@require_POST
@own
def my_make_up(request: HttpRequest, mine: Mine) -> HttpResponse:
    """Make up a missed day with a card, or with points when there is no card."""

    def work() -> object:
        try:
            day = date.fromisoformat(request.POST.get("day", ""))
        except ValueError as error:
            raise Invalid(_("This is no day."), code="bad_day", field="day") from error
        return checkin_acts.make_up(
            member_id=mine.member.pk, day=day, pay=request.POST.get("pay", ""), source=SOURCE, now=clock.now()
        )

    return mine.act("my_tasks", _("The day is made up."), work)


@require_POST
@own
def my_task_claim(request: HttpRequest, mine: Mine, task_id: int) -> HttpResponse:
    """Fetch the reward of a finished task."""
    return mine.act(
        "my_tasks",
        _("The reward is yours."),
        lambda: task_acts.claim(member_id=mine.member.pk, task_id=task_id, now=clock.now()),
    )
