"""What is stored of a member's check-ins, for those who write it. The member is held."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from django.db import connection

from members.models import CheckIn, CheckInReward
from scrm.common import clock

# The unbroken days on both sides of a day, by hops through the primary key: a streak of years is few hops a year.
_AROUND = """
    WITH RECURSIVE back (day) AS (
        SELECT c.day FROM members_checkin c WHERE c.member_id = %(member)s AND c.calendar_id = %(calendar)s
            AND c.day IN (%(day)s::date, %(day)s::date - 1)
        UNION
        SELECT c.day FROM back b JOIN members_checkin c ON c.day = b.day - 1
            AND c.member_id = %(member)s AND c.calendar_id = %(calendar)s
    ), forth (day) AS (
        SELECT c.day FROM members_checkin c WHERE c.member_id = %(member)s AND c.calendar_id = %(calendar)s
            AND c.day = %(day)s::date + 1
        UNION
        SELECT c.day FROM forth f JOIN members_checkin c ON c.day = f.day + 1
            AND c.member_id = %(member)s AND c.calendar_id = %(calendar)s
    )
    SELECT day FROM back UNION SELECT day FROM forth ORDER BY day
"""


def days_around(member_id: int, calendar_id: int, day: date) -> list[date]:
    """The days checked in that are joined to `day`, or would be if it were checked in; itself when it is."""
    with connection.cursor() as cursor:
        cursor.execute(_AROUND, {"member": member_id, "calendar": calendar_id, "day": day})
        return [row[0] for row in cursor.fetchall()]


def made_up_in_month(member_id: int, calendar_id: int, today: date) -> int:
    """How many days the member has made up since the first of this month, whichever days those were."""
    first = clock.day_start(today.replace(day=1))
    return CheckIn.objects.filter(
        member_id=member_id, calendar_id=calendar_id, made_up=True, booked_at__gte=first
    ).count()


def given(member_id: int, calendar_id: int, first: date, last: date) -> list[int]:
    """The steps of the ladder that were given on these days."""
    found = CheckInReward.objects.filter(
        member_id=member_id, calendar_id=calendar_id, day__range=(first, last), set_off=False
    )
    return list(found.values_list("step", flat=True))


def set_off(member_id: int, calendar_id: int, first: date, last: date, steps: list[int]) -> None:
    """Note that so many steps given on these days, the latest first, were counted against others."""
    rows = CheckInReward.objects.filter(
        member_id=member_id, calendar_id=calendar_id, day__range=(first, last), set_off=False, step__in=steps
    )
    left = list(steps)
    for row in rows.order_by("-day", "-number"):
        if row.step in left:
            left.remove(row.step)
            row.set_off = True
            row.save(update_fields=["set_off"])


def store_streaks(member_id: int, calendar_id: int, streaks: Mapping[date, int]) -> None:
    """Streaks that have become longer."""
    if not streaks:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE members_checkin c SET streak = v.streak FROM unnest(%s::date[], %s::int[]) AS v (day, streak)
            WHERE c.member_id = %s AND c.calendar_id = %s AND c.day = v.day
            """,
            [list(streaks), list(streaks.values()), member_id, calendar_id],
        )
