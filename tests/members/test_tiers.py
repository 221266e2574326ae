"""Tiers in the database: what facts, time and people do to members, and what follows from it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from members.models import Event, Member, MemberTier, PointsAccount, TierMove
from members.operations import currencies, points, points_due, tier_days, tier_schemes, tiers
from members.operations.tier_schemes import Content, StepContent
from members.queries import tier_preview
from members.queries import tier_schemes as ladders
from members.queries import tiers as queries
from scrm.common import clock
from scrm.common.access import SYSTEM
from scrm.common.errors import Conflict, Invalid, NotFound
from scrm.common.models import Job
from tests.factories import NOW, make_member, make_order

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
GIFT = [{"kind": "points", "currency": "points", "amount": 200}]


def ladder(*, version: int = 0, now: datetime = NOW - 400 * DAY, applied: bool = True, **values: Any) -> dict[str, int]:
    """Basic, silver at 1,000 (kept by 800), gold at 5,000 (kept by 4,000) with 200 points; answers their ids by key."""
    known = {tier.key: pk for pk, tier in ladders.tiers().items()}
    steps = values.pop("steps", None) or [("basic", 0, 0, []), ("silver", 1_000, 800, []), ("gold", 5_000, 4_000, GIFT)]
    values = {"window": "rolling", "window_months": 12, "validity": "months", "validity_months": 12} | values
    tier_schemes.save(
        content=Content(
            steps=[
                StepContent(
                    name=key.title(), key=key, tier_id=known.get(key), threshold=threshold, retention=kept, gifts=gifts
                )
                for key, threshold, kept, gifts in steps
            ],
            **values,
        ),
        version=version, actor=SYSTEM, now=now,
    )  # fmt: skip
    if applied:
        tiers.evaluate_everyone(now=now)
    return {tier.key: pk for pk, tier in ladders.tiers().items()}


@pytest.fixture
def member() -> Member:
    currencies.get("growth")
    currencies.get("points")
    return make_member()


def grow(member: Member, amount: int, *, at: datetime = NOW, now: datetime | None = None) -> None:
    reference = f"g{at.timestamp()}:{amount}"
    points.earn(
        member_id=member.pk, currency="growth", amount=amount, reference=reference, source=reference, occurred_at=at,
        now=now or at,
    )  # fmt: skip


def take_back(member: Member, amount: int, *, of: datetime, earned: int, now: datetime = NOW) -> None:
    points.reverse(
        member_id=member.pk, currency="growth", source=f"g{of.timestamp()}:{earned}", amount=amount,
        reference=f"r{now.timestamp()}", now=now,
    )  # fmt: skip


def tier_of(member: Member) -> str:
    row = MemberTier.objects.filter(member=member).select_related("tier").first()
    return row.tier.key if row is not None else "basic"


def moves(member: Member) -> list[tuple[str, str]]:
    return list(TierMove.objects.filter(member=member).order_by("number").values_list("kind", "reason"))


def told(member: Member) -> list[str]:
    return list(
        Event.objects.filter(member=member, type__key__startswith="tier.")
        .order_by("occurred_at", "id")
        .values_list("type__key", flat=True)
    )


def test_growth_lifts_in_the_transaction_that_books_it(member: Member) -> None:
    ladder()
    grow(member, 999)
    assert tier_of(member) == "basic"
    grow(member, 1, at=NOW + DAY)
    row = MemberTier.objects.get(member=member)
    assert (row.tier.key, row.source, row.cycle) == ("silver", "earned", 1)
    assert row.since == NOW + DAY
    assert row.expires_at == clock.day_end(clock.shop_date(NOW + DAY).replace(year=2027))
    assert moves(member) == [("upgraded", "reached")]
    assert told(member) == ["tier.upgraded"]
    facts = TierMove.objects.get(member=member).facts
    assert (facts["value"], facts["needed"], facts["basis"]) == (1_000, 1_000, "growth")


def test_without_a_ladder_nobody_has_a_tier(member: Member) -> None:
    grow(member, 5_000)
    assert not MemberTier.objects.exists()
    assert queries.standing(member.pk, now=NOW) is None


def test_gifts_come_once_for_each_time_a_tier_is_reached(member: Member) -> None:
    ladder()
    grow(member, 5_000)
    tiers.evaluate(member_ids=[member.pk], now=NOW)
    tiers.evaluate_everyone(now=NOW)
    assert PointsAccount.objects.get(member=member, currency__key="points").available == 200


def test_a_tier_expires_and_the_sweep_takes_it(member: Member) -> None:
    ladder(notice_days=30)
    grow(member, 5_000)
    row = MemberTier.objects.get(member=member)
    assert row.expires_at is not None
    assert row.next_check_at == row.expires_at - 30 * DAY
    assert tiers.evaluate_due(now=row.next_check_at - timedelta(seconds=1)) == 0
    assert tiers.evaluate_due(now=row.next_check_at) == 1
    assert told(member) == ["tier.upgraded", "tier.expiring"]
    warned = Event.objects.get(member=member, type__key="tier.expiring").properties
    # Growth of a year ago has left the window by then: everything is lacking.
    assert (warned["tier"], warned["value"], warned["lacking"]) == ("Gold", 0, 4_000)
    tiers.evaluate_due(now=row.expires_at)
    assert tier_of(member) == "basic"
    assert moves(member)[-1] == ("downgraded", "expired")
    assert told(member)[-1] == "tier.downgraded"
    assert tiers.evaluate_due(now=row.expires_at + DAY) == 0


def test_a_tier_that_was_kept_says_so(member: Member) -> None:
    ladder()
    grow(member, 5_000)
    grow(member, 4_500, at=NOW + 200 * DAY)
    end = MemberTier.objects.get(member=member).expires_at
    assert end is not None
    tiers.evaluate_due(now=end)
    row = MemberTier.objects.get(member=member)
    assert (row.tier.key, row.cycle, row.since) == ("gold", 2, NOW)
    assert told(member)[-1] == "tier.retained"


def test_a_refund_leaves_the_tier_by_default_and_takes_it_where_the_ladder_says_so(member: Member) -> None:
    ladder()
    grow(member, 5_000)
    take_back(member, 5_000, of=NOW, earned=5_000, now=NOW + DAY)
    assert tier_of(member) == "gold"
    ladder(version=1, now=NOW + 2 * DAY, on_refund="at_once")
    other = make_member()
    grow(other, 5_000, at=NOW + 3 * DAY)
    assert PointsAccount.objects.get(member=other, currency__key="points").available == 200
    take_back(other, 3_500, of=NOW + 3 * DAY, earned=5_000, now=NOW + 4 * DAY)
    assert (tier_of(other), moves(other)[-1]) == ("silver", ("downgraded", "refund"))
    # What gold had brought is taken back with it.
    assert PointsAccount.objects.get(member=other, currency__key="points").available == 0


def test_a_late_fact_gives_a_tier_back(member: Member) -> None:
    """The year ends without what keeps gold; on 3 January growth of 20 December comes in."""
    ladder(window="calendar", period="year", validity="next_period_end")
    grow(member, 5_000, at=NOW)
    december = datetime.fromisoformat("2027-12-20T12:00:00+08:00")
    january = datetime.fromisoformat("2028-01-03T12:00:00+08:00")
    tiers.evaluate_due(now=january - 2 * DAY)
    assert tier_of(member) == "basic"
    grow(member, 4_000, at=december, now=january)
    row = MemberTier.objects.get(member=member)
    assert (row.tier.key, moves(member)[-1]) == ("gold", ("upgraded", "late"))
    assert row.expires_at == datetime.fromisoformat("2029-01-01T00:00:00+08:00")


def test_expired_growth_still_kept_the_tier_it_was_earned_for(member: Member) -> None:
    """Growth expires with the year; the tier is decided on a moment later."""
    currencies.change(key="growth", content=currencies.Content(name="成长值", expiry="year_end", expiry_count=0))
    ladder(window="calendar", period="year", validity="next_period_end")
    grow(member, 5_000, at=NOW)
    grow(member, 4_000, at=datetime.fromisoformat("2027-06-01T12:00:00+08:00"))
    points_due.book_due(now=datetime.fromisoformat("2028-01-01T00:00:05+08:00"))
    tiers.evaluate_due(now=datetime.fromisoformat("2028-01-01T00:00:06+08:00"))
    assert (tier_of(member), moves(member)[-1]) == ("gold", ("retained", "retention"))


def test_spend_and_orders_can_be_what_counts(member: Member) -> None:
    ladder(basis="spend", steps=[("basic", 0, 0, []), ("silver", 100_000, 80_000, [])])
    make_order(member, amount=99_999)
    tiers.evaluate(member_ids=[member.pk], now=NOW)
    assert tier_of(member) == "basic"
    make_order(member, amount=1)
    tiers.evaluate(member_ids=[member.pk], now=NOW)
    assert tier_of(member) == "silver"
    ladder(version=1, now=NOW, basis="orders", steps=[("basic", 0, 0, []), ("silver", 2, 1, []), ("gold", 3, 1, [])])
    make_order(member, amount=1)
    tiers.evaluate(member_ids=[member.pk], now=NOW)
    assert tier_of(member) == "gold"


def test_introducing_a_ladder_places_everybody_quietly(member: Member) -> None:
    grow(member, 5_000)
    ladder(now=NOW + DAY)
    assert (tier_of(member), moves(member), told(member)) == ("gold", [("introduced", "reached")], [])
    assert PointsAccount.objects.filter(member=member, currency__key="points").count() == 0


def test_a_change_downgrades_nobody_and_lifts_those_who_reach_more(member: Member) -> None:
    ladder()
    grow(member, 5_000)
    other = make_member()
    grow(other, 900)
    dearer = [("basic", 0, 0, []), ("silver", 500, 400, []), ("gold", 9_000, 8_000, GIFT)]
    ladder(version=1, now=NOW + DAY, steps=dearer)
    assert (tier_of(member), tier_of(other)) == ("gold", "silver")
    # Nothing is written again.
    assert tiers.evaluate_everyone(now=NOW + DAY) == 0


def test_gifts_of_a_change_are_given_only_when_asked_for(member: Member) -> None:
    ladder()
    grow(member, 3_000)
    cheaper = [("basic", 0, 0, []), ("silver", 1_000, 800, []), ("gold", 2_000, 1_000, GIFT)]
    ladder(version=1, now=NOW + DAY, steps=cheaper)
    assert tier_of(member) == "gold"
    assert not PointsAccount.objects.filter(member=member, currency__key="points").exists()
    other = make_member()
    grow(other, 1_500, at=NOW + DAY)
    cheapest = [("basic", 0, 0, []), ("silver", 1_000, 800, []), ("gold", 1_500, 1_000, GIFT)]
    ladder(version=2, now=NOW + 2 * DAY, steps=cheapest, gifts_on_change=True)
    assert PointsAccount.objects.get(member=other, currency__key="points").available == 200


def test_a_version_of_the_future_waits(member: Member) -> None:
    ids = ladder()
    grow(member, 600)
    content = tier_schemes.content_of(ladders.newest())
    cheaper = Content(
        **{name: getattr(content, name) for name in tier_schemes.SETTINGS},
        steps=[content.steps[0], StepContent(name="Silver", tier_id=ids["silver"], threshold=500)],
    )
    tier_schemes.save(content=cheaper, version=1, effective_from=NOW + 10 * DAY, actor=SYSTEM, now=NOW)
    assert not tier_schemes.take_effect(now=NOW + 9 * DAY, actor=SYSTEM)
    assert tier_schemes.take_effect(now=NOW + 10 * DAY, actor=SYSTEM)
    assert not tier_schemes.take_effect(now=NOW + 10 * DAY, actor=SYSTEM)
    assert Job.objects.filter(kind="tiers", params__version=2).count() == 1
    tiers.evaluate_everyone(now=NOW + 10 * DAY)
    assert tier_of(member) == "silver"
    gold = ladders.tiers()[ids["gold"]]
    assert gold.retired_at == NOW + 10 * DAY
    assert gold.level == 2


@pytest.mark.parametrize(
    ("change", "code", "where"),
    [
        ({"steps": [("basic", 1, 0, [])]}, "lowest_is_free", "steps[0].threshold"),
        ({"steps": [("basic", 0, 0, []), ("silver", 0, 0, [])]}, "thresholds_rise", "steps[1].threshold"),
        ({"steps": [("basic", 0, 0, []), ("silver", -5, 0, [])]}, "thresholds_rise", "steps[1].threshold"),
        ({"steps": [("basic", 0, 0, []), ("silver", 10**13, 0, [])]}, "thresholds_rise", "steps[1].threshold"),
        ({"steps": [("basic", 0, 0, []), ("silver", 10, 11, [])]}, "retention_above_threshold", "steps[1].retention"),
        ({"steps": [("basic", 0, 0, []), ("Silver!", 10, 1, [])]}, "bad_key", "steps[1].key"),
        ({"steps": [("basic", 0, 0, []), ("basic", 10, 1, [])]}, "taken", "steps[1].key"),
        ({"steps": [("basic", 0, 0, [{"kind": "cash"}])]}, "unknown_kind", "steps[0].gifts[0].kind"),
        ({"window_months": 0}, "out_of_range", "window_months"),
        ({"grace_days": 367}, "out_of_range", "grace_days"),
        ({"basis": "luck"}, "unknown_value", "basis"),
    ],
)
def test_what_is_no_ladder_is_refused(change: dict[str, Any], code: str, where: str) -> None:
    with pytest.raises(Invalid) as caught:
        ladder(**change)
    assert caught.value.code == code
    assert str(caught.value.detail["field"]).startswith(where.rpartition(".")[0] if code == "unknown_kind" else where)


def test_two_editors_do_not_overwrite_each_other() -> None:
    ladder()
    with pytest.raises(Conflict) as caught:
        ladder(version=0, now=NOW)
    assert caught.value.code == "stale_version"


def test_a_tier_set_by_hand_counts_until_its_day(member: Member) -> None:
    ids = ladder()
    grow(member, 1_000)
    tiers.set_by_hand(member_id=member.pk, tier_id=ids["gold"], until=NOW + 10 * DAY, reason="投诉补偿", now=NOW + DAY)
    row = MemberTier.objects.get(member=member)
    assert (row.tier.key, row.source, row.expires_at) == ("gold", "hand", NOW + 10 * DAY)
    assert row.next_check_at == NOW + 10 * DAY
    assert TierMove.objects.filter(member=member).latest("number").facts["why"] == "投诉补偿"
    tiers.evaluate_due(now=NOW + 10 * DAY)
    assert (tier_of(member), moves(member)[-1]) == ("silver", ("downgraded", "hand_ended"))
    assert told(member) == ["tier.upgraded", "tier.upgraded", "tier.downgraded"]


def test_set_by_hand_below_what_is_earned_counts_too_and_can_be_ended(member: Member) -> None:
    ids = ladder()
    grow(member, 5_000)
    tiers.set_by_hand(member_id=member.pk, tier_id=ids["basic"], until=NOW + 10 * DAY, reason="黄牛", now=NOW)
    assert tier_of(member) == "basic"
    tiers.end_by_hand(member_id=member.pk, now=NOW + DAY)
    assert (tier_of(member), moves(member)[-1]) == ("gold", ("upgraded", "hand_ended"))


def test_refusals_by_hand_are_typed(member: Member) -> None:
    ids = ladder()
    known = {"member_id": member.pk, "tier_id": ids["gold"], "until": NOW + DAY, "reason": "r", "now": NOW}
    for change, code in (
        ({"reason": " "}, "reason_missing"), ({"reason": "x" * 201}, "bad_reason"), ({"until": NOW}, "in_past"),
        ({"until": NOW + 5_000 * DAY}, "too_far"), ({"tier_id": 10**9}, "unknown_tier"),
    ):  # fmt: skip
        with pytest.raises(Invalid) as caught:
            tiers.set_by_hand(**(known | change))
        assert caught.value.code == code
    with pytest.raises(NotFound):
        tiers.set_by_hand(**(known | {"member_id": 10**9}))


def test_history_cannot_be_rewritten(member: Member) -> None:
    ladder()
    grow(member, 1_000)
    for change in ("UPDATE members_tiermove SET reason = 'late'", "DELETE FROM members_tiermove"):
        with pytest.raises(DatabaseError), transaction.atomic():
            transaction.get_connection().cursor().execute(change)


def test_where_a_member_stands(member: Member) -> None:
    ladder()
    grow(member, 1_680)
    stand = queries.standing(member.pk, now=NOW)
    assert stand is not None
    assert (stand.tier.key, stand.value, stand.next and stand.next.amount, stand.progress) == (
        "silver", 1_680, 3_320, 33,
    )  # fmt: skip
    # What keeps it is earned in the twelve months to its end: today was the day before.
    assert stand.keeping is not None
    assert (stand.keeping.needed, stand.keeping.amount) == (800, 800)
    grow(member, 300, at=NOW + DAY)
    later = queries.standing(member.pk, now=NOW + DAY)
    assert later is not None
    assert later.keeping is not None
    assert (later.value, later.keeping.amount) == (1_980, 500)
    assert queries.tier_of([member.pk, 10**9], now=NOW) == {member.pk: stand.tier.pk, 10**9: stand.tier.pk - 1}


def test_the_past_is_played_again_from_what_is_known_now(member: Member) -> None:
    ladder()
    grow(member, 1_000, at=NOW)
    grow(member, 4_000, at=NOW + 30 * DAY)
    before = queries.replay(member.pk, at=NOW + DAY)
    after = queries.replay(member.pk, at=NOW + 31 * DAY)
    assert before.tier is not None
    assert after.tier is not None
    assert (before.tier.key, after.tier.key, len(after.moves)) == ("silver", "gold", 2)
    take_back(member, 1_000, of=NOW, earned=1_000, now=NOW + 40 * DAY)
    known_now = queries.replay(member.pk, at=NOW + DAY)
    assert known_now.tier is not None
    assert known_now.tier.key == "basic"
    assert [item.after.key for item in queries.history(member.pk)] == ["gold", "silver"]


def test_a_preview_says_who_moves_and_what_gifts_cost(member: Member) -> None:
    ids = ladder()
    grow(member, 5_000)
    others = [make_member() for _ in range(3)]
    for other in others:
        grow(other, 1_500)
    make_member()
    content = tier_schemes.content_of(ladders.newest())
    cheaper = [
        content.steps[0],
        StepContent(name="Silver", tier_id=ids["silver"], threshold=1_000),
        StepContent(name="Gold", tier_id=ids["gold"], threshold=1_500, gifts=GIFT),
        StepContent(name="Black", key="black", threshold=4_000, gifts=GIFT),
    ]
    settings = {name: getattr(content, name) for name in tier_schemes.SETTINGS}
    proposed = Content(steps=cheaper, **settings | {"gifts_on_change": True})
    found = tier_preview.migration(
        scheme=tier_schemes.scheme_of(proposed, now=NOW), gifts=tier_schemes.checked(proposed), now=NOW
    )
    assert found.exact
    assert found.members == 5
    # (level before, level after, members)
    assert found.moves == [(1, 1, 1), (2, 3, 3), (3, 4, 1)]
    assert (found.gifts, found.cost) == (4, 4 * 200)  # 200 points at 10.00 for 1,000: 2.00 each
    assert MemberTier.objects.filter(tier_id=ids["gold"]).count() == 1


def test_the_structure_is_noted_day_by_day(member: Member) -> None:
    ids = ladder()
    grow(member, 1_000)
    make_member()
    tier_days.count(now=NOW + DAY)
    tier_days.count(now=NOW + DAY)
    found = queries.structure_over_time(days=30, now=NOW + DAY)
    assert [day.isoformat() for day in found.days] == ["2026-11-21"]
    assert (found.counts[ids["basic"]], found.counts[ids["silver"]]) == ([1], [1])
