"""Applying rules to orders that are there already: for the time in which a rule was let count afterwards."""

from __future__ import annotations

from datetime import datetime

from django.db import connection
from django.utils.translation import gettext as _

from members.models import EarningRule
from members.operations import earning, earning_gate, summaries
from members.queries import earning_facts
from scrm.common import clock, jobs
from scrm.common.access import Actor
from scrm.common.errors import NotFound
from scrm.common.jobs import Progress
from scrm.common.models import Job
from scrm.common.transactions import atomic

KIND = "earning.backfill"
_MEMBERS = 2_000  # in one transaction
_FAR = datetime.max.replace(tzinfo=clock.shop_zone())


def queue(*, rule_id: int, actor: Actor) -> Job | None:
    """Look, in the background, at the orders that were paid since the rule's newest period began.

    None when that is still to come. Whatever was booked already stays as it is, so it may be queued again.
    Raises `NotFound`.
    """
    rule = EarningRule.objects.filter(pk=rule_id).first()
    if rule is None:
        raise NotFound(_("There is no such rule."), code="unknown_rule")
    period = rule.periods.order_by("-starts_at").first()
    if period is None or period.starts_at > clock.now():
        return None
    params = {"since": period.starts_at.isoformat(), "until": period.ends_at.isoformat() if period.ends_at else None}
    label = _("Points for past orders: %(rule)s") % {"rule": rule.name}
    return jobs.create(kind=KIND, label=label, params=params, actor=actor)


def run(*, progress: Progress) -> None:
    """The job: range by range of members, each one transaction; it goes on where it stopped."""
    params = progress.job.params
    since = datetime.fromisoformat(params["since"])
    until = datetime.fromisoformat(params["until"]) if params["until"] else _FAR
    last = newest_member()
    first = int(progress.checkpoint.get("first", 1))
    booked = int(progress.checkpoint.get("booked", 0))
    progress.report(done=first - 1, total=last)
    while first <= last:
        until_id = min(first + _MEMBERS - 1, last)
        booked += settle_members(first, until_id, since=since, until=until, now=clock.now())
        first = until_id + 1
        progress.report(
            done=until_id, counts={"booked": booked}, checkpoint={"first": first, "booked": booked}
        )  # fmt: skip


def settle_members(first: int, last: int, *, since: datetime, until: datetime, now: datetime) -> int:
    """Bring the points of these members' orders to what they are to be. One transaction; answers how many movements."""
    with atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT DISTINCT member_id FROM members_order WHERE member_id BETWEEN %s AND %s", [first, last]
            )
            summaries.hold([member_id for (member_id,) in cursor.fetchall()])
        known = earning_gate.GATE.enter(now=now)
        found = earning_facts.orders_of_members(
            first, last, since=since, until=until, lines=known.looks_at_lines, currency=earning_facts.shop_currency()
        )
        with connection.cursor() as cursor:
            # What is booked for each round is little beside what there is.
            cursor.execute(earning_facts.FEW)
        return earning.book(found, known=known, now=now)


def newest_member() -> int:
    """The highest id: members are dense."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT COALESCE(max(id), 0) FROM members_member")
        return int(cursor.fetchone()[0])
