"""What time does to benefits: claims lapse, birthday gifts are given, stocks run low. Every call can be repeated."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.db import connection
from django.utils.translation import gettext_noop

from members.enums import BenefitKind, BenefitState, ClaimSource, MemberStatus
from members.models import Benefit
from members.operations import benefit_notices, benefit_rows, summaries
from members.operations.benefit_rows import NewClaim
from members.queries import benefit_stock, benefit_tiers, benefit_words, benefits
from members.rules import benefits as rules
from scrm.common import clock, conditions
from scrm.common.errors import DomainError
from scrm.common.transactions import atomic

_LOW = gettext_noop("“%(name)s” has %(count)s codes left")
_BROKEN = gettext_noop("“%(name)s” is given to nobody: its condition cannot be read any more")


def lapse(*, now: datetime, limit: int = 5_000) -> int:
    """Write down of up to `limit` unused claims that they have expired; answers how many.

    They count as expired from `expires_at` on in any case. Members whom somebody else holds are passed over.
    """
    with atomic(), connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT DISTINCT member_id FROM (
                SELECT member_id FROM members_memberbenefit
                WHERE state = 'claimed' AND expires_at <= %s ORDER BY expires_at LIMIT %s) due
            """,
            [now, limit],
        )
        held = summaries.hold([row[0] for row in cursor.fetchall()], wait=False)
        if not held:
            return 0
        cursor.execute(
            """
            UPDATE members_memberbenefit SET state = 'expired', closed_at = expires_at
            WHERE member_id = ANY(%s) AND state = 'claimed' AND expires_at <= %s RETURNING benefit_id, member_id, id
            """,
            [held, now],
        )
        lapsed: dict[int, list[tuple[int, object]]] = {}
        rows = cursor.fetchall()
        for benefit_id, member_id, claim_id in rows:
            lapsed.setdefault(benefit_id, []).append((member_id, claim_id))
        for benefit in Benefit.objects.filter(pk__in=lapsed).order_by("pk"):
            benefit_rows.note(benefit, "benefit.expired", lapsed[benefit.pk], now=now)
        return len(rows)


def birthday_benefits(*, now: datetime) -> list[int]:
    """The birthday gifts in use."""
    return [
        benefit.pk
        for benefit in benefits.active()
        if benefit.kind == BenefitKind.BIRTHDAY_GIFT and not benefit_words.closed_words(benefit, now)
    ]


def give_birthday_gifts(
    *, benefit_id: int, after: int = 0, limit: int = 5_000, now: datetime
) -> tuple[int, int | None]:
    """Give a birthday gift to those of the next `limit` members (by id, after `after`) whose birthday's window it is.

    Once per birthday, whoever asks and however often. Answers how many were given, and the last member looked at: None
    when there are no more.
    """
    with atomic():
        benefit = Benefit.objects.prefetch_related("rules").get(pk=benefit_id)
        if benefit_words.closed_words(benefit, now) or not benefit.rules.all():
            return 0, None
        today, window = clock.shop_date(now), str(benefit.parameters["window"])
        try:
            found = _candidates(benefit, window, today, after, limit, now)
        except DomainError:
            # Its condition names something that is gone: nobody is entitled, as the pages say, until it is mended.
            benefit_notices.once_a_day(
                message=_BROKEN, values={"name": benefit.name}, url=f"/benefits/{benefit.pk}/#who", now=now
            )
            return 0, None
        if not found:
            return 0, None
        standings = benefit_tiers.standings([member_id for member_id, _ in found], now=now)
        rows = []
        for member_id, born in found:
            span = rules.birthday_span(window, born, today)
            if span is not None and benefits.entitled_by_tier(benefit, standings.get(member_id)):
                rows.append(NewClaim(member_id, span, 1, 1, f"{span.key}:{benefit.pk}"))
        summaries.hold([row.member_id for row in rows])
        made = benefit_rows.insert(benefit=benefit, rows=rows, source=ClaimSource.BIRTHDAY.value, now=now)
        return len(made), found[-1][0] if len(found) == limit else None


def _candidates(
    benefit: Benefit, window: str, today: date, after: int, limit: int, now: datetime
) -> list[tuple[int, date]]:
    """Active members with a birthday in the window who fulfil the condition and have not got the gift: (id, born)."""
    condition = conditions.Sql("TRUE")
    if benefit.condition is not None:
        condition = conditions.compile_condition(conditions.parse(benefit.condition), as_of=now)
    spans = rules.span(window, today)
    assert spans.first is not None  # noqa: S101  # months, weeks and days have ends
    assert spans.after is not None  # noqa: S101  # as above
    days = [spans.first + timedelta(days=number) for number in range((spans.after - spans.first).days)]
    codes = {day.month * 100 + day.day for day in days}
    if 228 in codes:
        codes.add(229)  # checked by the rule, which knows leap years
    years = sorted({day.year for day in days})
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT m.id, m.birth_on FROM members_member m
            WHERE (EXTRACT(month FROM m.birth_on) * 100 + EXTRACT(day FROM m.birth_on))::integer = ANY(%s)
              AND m.birth_on IS NOT NULL AND m.status = %s AND m.id > %s
              AND NOT EXISTS (SELECT FROM members_memberbenefit b
                              WHERE b.member_id = m.id AND b.reference = ANY(%s))
              AND NOT EXISTS (SELECT FROM members_memberbenefit b
                              WHERE b.member_id = m.id AND b.benefit_id = %s AND b.period = ANY(%s)
                                AND b.state NOT IN ('voided', 'returned'))
              AND ({condition.text})
            ORDER BY m.id LIMIT %s
            """,
            [
                sorted(codes), MemberStatus.ACTIVE.value, after,
                [f"birthday:{year}:{benefit.pk}" for year in years], benefit.pk,
                [f"birthday:{year}" for year in years], *condition.params, limit,
            ],
        )  # fmt: skip
        rows: list[tuple[int, date]] = cursor.fetchall()
        return rows


def tell_of_low_stock(*, now: datetime) -> list[str]:
    """Tell administrators of partner codes that run out, once until there are enough again; answers the keys."""
    with atomic():
        watched = list(
            Benefit.objects.filter(kind=BenefitKind.PARTNER_CODE, state=BenefitState.ACTIVE, low_stock__gt=0)
            .order_by("pk")
            .select_for_update()
        )
        left = benefit_stock.free_up_to({benefit.pk: benefit.low_stock for benefit in watched}, now=now)
        again = [one.pk for one in watched if one.low_stock_at is not None and left[one.pk] >= one.low_stock]
        Benefit.objects.filter(pk__in=again).update(low_stock_at=None)
        low = [one for one in watched if one.low_stock_at is None and left[one.pk] < one.low_stock]
        Benefit.objects.filter(pk__in=[one.pk for one in low]).update(low_stock_at=now)
        for one in low:
            benefit_notices.tell(
                message=_LOW,
                values={"name": one.name, "count": left[one.pk]},
                url=f"/benefits/{one.pk}/",
                now=now,
            )
        return [one.key for one in low]
