"""Events in: who they belong to, what is answered, what is kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from members.models import Event, Identity, Member, MemberSummary, MergeCandidate
from members.operations import intake, summaries, timeline
from members.rules.intake import EventIn, Outcome, read_item
from tests.factories import NOW, make_member

pytestmark = pytest.mark.django_db
AT = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)


def event(message_id: str, **values: Any) -> EventIn:
    values.setdefault("member", {"app_user": "u1"})
    values.setdefault("type", "page.viewed")
    values.setdefault("occurred_at", AT.isoformat())
    return read_item(EventIn, {"message_id": message_id, **values})


def land(*items: EventIn) -> list[Outcome]:
    outcomes = intake.land_events(items=items, now=NOW)
    assert summaries.rebuild() == 0
    return outcomes


def statuses(outcomes: list[Outcome]) -> list[str]:
    return [f"{one.status} {one.code} {one.field}".strip() for one in outcomes]


def test_an_unknown_identity_makes_the_member_with_summary_and_identity() -> None:
    outcomes = land(event("1", amount="12.30", properties={"page": "首页"}, member={"phone": "138 0000 0001"}))
    assert statuses(outcomes) == ["accepted"]
    member = Member.objects.get()
    assert (member.phone_masked, member.joined_at, member.name) == ("138****0001", AT, "")
    stored = Event.objects.get()
    assert (stored.member_id, stored.amount, stored.properties) == (member.pk, 1230, {"page": "首页"})
    assert (stored.occurred_at, stored.received_at, stored.message_id) == (AT, NOW, "1")
    assert Identity.objects.get().kind == "phone"
    summary = MemberSummary.objects.get()
    assert (summary.event_count, summary.last_event_at, summary.order_count) == (1, AT, 0)


def test_the_same_phone_in_any_writing_is_the_same_member() -> None:
    land(
        event("1", member={"phone": "13800000001"}),
        event("2", member={"phone": "+86 138-0000-0001"}),
        event("3", member={"identities": [{"kind": "phone", "value": "008613800000001"}]}),
    )
    assert Member.objects.count() == 1
    assert MemberSummary.objects.get().event_count == 3


def test_sending_an_event_again_changes_nothing() -> None:
    assert statuses(land(event("1"), event("1"), event("2"))) == ["accepted", "duplicate", "accepted"]
    assert statuses(land(event("3"), event("1"), event("2"))) == ["accepted", "duplicate", "duplicate"]
    assert statuses(land(event("1", source="other"))) == ["accepted"]
    assert MemberSummary.objects.get().event_count == 4


def test_a_late_event_is_kept_at_its_time_and_moves_no_latest_time_back() -> None:
    land(event("1"))
    land(event("2", occurred_at=(AT - timedelta(days=400)).isoformat()))
    summary = MemberSummary.objects.get()
    assert (summary.event_count, summary.last_event_at) == (2, AT)


def test_seven_days_ahead_is_taken_and_a_second_more_is_not() -> None:
    edge = NOW + timedelta(days=7)
    outcomes = land(
        event("1", occurred_at=edge.isoformat()),
        event("2", occurred_at=(edge + timedelta(seconds=1)).isoformat()),
    )
    assert statuses(outcomes) == ["accepted", "rejected in_future occurred_at"]


def test_a_member_id_has_to_exist_and_a_merged_one_leads_to_the_survivor() -> None:
    survivor = make_member()
    merged = make_member(status="merged", merged_into=survivor)
    erased = make_member(status="erased")
    outcomes = land(
        event("1", member={"member_id": survivor.pk}),
        event("2", member={"member_id": merged.pk}),
        event("3", member={"member_id": erased.pk}),
        event("4", member={"member_id": 10**12}),
    )
    unknown = "rejected unknown_member member.member_id"
    assert statuses(outcomes) == ["accepted", "accepted", unknown, unknown]
    assert list(Event.objects.values_list("member_id", flat=True)) == [survivor.pk] * 2


def test_identities_named_together_belong_together() -> None:
    land(event("1", member={"phone": "13800000001"}))
    land(event("2", member={"phone": "13800000001", "email": "Li.Hua@Example.COM", "app_user": "7"}))
    land(event("3", member={"email": "li.hua@example.com"}), event("4", member={"app_user": "7"}))
    member = Member.objects.get()
    assert (member.phone_masked, member.email_masked) == ("138****0001", "l***@example.com")
    assert MemberSummary.objects.get().event_count == 4


def test_two_members_in_one_fact_become_a_merge_candidate_and_the_strong_one_gets_it() -> None:
    by_app = make_member()
    Identity.objects.create(kind="app_user", value="7", member=by_app)
    by_phone = make_member(phone="+8613800000001")
    land(event("1", member={"app_user": "7", "phone": "13800000001"}))
    assert Event.objects.get().member_id == by_phone.pk
    candidate = MergeCandidate.objects.get()
    assert (candidate.first_id, candidate.second_id, candidate.strong) == (by_app.pk, by_phone.pk, True)
    assert candidate.evidence["fact"] == "event api 1"
    assert candidate.evidence["identities"] == [["phone", by_phone.pk], ["app_user", by_app.pk]]


def test_members_made_in_one_batch_and_named_together_later_in_it_are_a_candidate() -> None:
    land(
        event("1", member={"phone": "13800000001"}),
        event("2", member={"app_user": "7"}),
        event("3", member={"phone": "13800000001", "app_user": "7"}),
    )
    assert Member.objects.count() == 2
    assert MergeCandidate.objects.count() == 1


def test_a_shared_device_only_suggests() -> None:
    land(event("1", member={"device": "d1"}))
    land(event("2", member={"device": "d1"}))
    assert Member.objects.count() == 1
    land(event("3", member={"device": "d1", "phone": "13800000001"}))
    assert Member.objects.count() == 2
    assert MergeCandidate.objects.get().strong is False


def test_what_the_product_notes_is_no_activity_and_cannot_be_forged() -> None:
    member = make_member()
    rows = [(member.pk, "m1", AT, {"campaign": 7}), (member.pk, "m2", AT, {})]
    assert timeline.append(source="campaigns", type="message.sent", rows=rows, now=NOW) == 2
    assert timeline.append(source="campaigns", type="message.sent", rows=rows, now=NOW) == 0
    assert MemberSummary.objects.get().event_count == 0
    outcomes = land(event("1", source="scrm.campaigns"))
    assert statuses(outcomes) == ["rejected invalid source"]
