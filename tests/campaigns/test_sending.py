"""From an audience to outcomes: every member ends in exactly one state with a reason, and the timeline tells it."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest

from campaigns.models import Campaign, CampaignChunk, Message, SandboxMessage
from campaigns.operations import campaigns, claims, outcomes, preparing, sending
from campaigns.queries import work
from members.models import Event
from scrm.common.errors import Conflict
from tags.models import SegmentMember
from tests import factories
from tests.campaigns import building
from tests.campaigns.building import NOW

pytestmark = pytest.mark.django_db


def test_everybody_gets_the_message_once_and_the_timeline_says_so() -> None:
    members = building.make_audience(3)
    campaign = building.run(building.make_campaign(members))
    assert (campaign.state, campaign.audience_size) == ("finished", 3)
    assert building.states(campaign) == {"handed": 3}
    assert SandboxMessage.objects.count() == 3
    body = SandboxMessage.objects.get(member=members[0]).body
    assert body.startswith(f"{members[0].name}，看看 http://127.0.0.1:8000/t/c/")
    assert Event.objects.filter(type__key="message.sent").count() == 3


def test_each_reason_to_skip() -> None:
    fine, silent, withdrawn, gone, erased = building.make_audience(5)
    building.allow([silent, withdrawn], state="withdrawn", at=NOW + timedelta(seconds=1))
    campaign = building.start(building.make_campaign([fine, silent, withdrawn, gone, erased]))
    SegmentMember.objects.filter(segment=campaign.segment, member=gone).delete()
    type(erased).objects.filter(pk=erased.pk).update(status="erased")
    building.send_all(campaign)
    assert building.state_of(campaign, fine) == "handed"
    assert building.state_of(campaign, silent) == "skipped:no_consent"
    assert building.state_of(campaign, withdrawn) == "skipped:no_consent"
    assert building.state_of(campaign, gone) == "skipped:left_audience"
    assert building.state_of(campaign, erased) == "skipped:left_audience"
    assert sum(building.states(campaign).values()) == campaign.audience_size == 5


def test_a_member_without_an_address_is_skipped() -> None:
    member = factories.make_member()
    building.allow([member], "email")
    campaign = building.run(building.make_campaign([member], account=building.mail_account(9)))
    assert building.states(campaign) == {"skipped:no_address": 1}


def test_the_control_group_is_stable_and_gets_nothing() -> None:
    members = building.make_audience(200)
    campaign = building.run(building.make_campaign(members, control_percent=50))
    counts = building.states(campaign)
    assert set(counts) == {"handed", "skipped:control"}
    assert 70 <= counts["skipped:control"] <= 130
    assert counts["handed"] == SandboxMessage.objects.count()
    assert sum(counts.values()) == campaign.audience_size == 200


def test_a_missing_value_is_blank_or_skips_as_the_campaign_says() -> None:
    named, nameless = building.make_audience(2)
    type(nameless).objects.filter(pk=nameless.pk).update(name="")
    blank = building.run(building.make_campaign([named, nameless], body="Hi {{ member.name }}!"))
    assert building.states(blank) == {"handed": 2}
    assert SandboxMessage.objects.get(member=nameless).body == "Hi !"
    skip = building.run(building.make_campaign([named, nameless], body="Hi {{ member.name }}!", missing_value="skip"))
    assert building.state_of(skip, nameless) == "skipped:missing_value"
    assert Message.objects.get(campaign=skip, member=nameless).detail == "member.name"


def test_the_cap_counts_touches_over_all_campaigns_in_calendar_days_of_the_shop() -> None:
    member, fresh = building.make_audience(2)
    # 23:30 in Shanghai, six calendar days before NOW: the first instant that still counts is that day's midnight.
    old, counted = datetime(2026, 2, 23, 15, 30, tzinfo=UTC), datetime(2026, 2, 23, 16, 30, tzinfo=UTC)
    for at in (old, counted, counted):
        building.run(building.make_campaign([member]), at)
    third = building.run(building.make_campaign([member, fresh], cap_touches=3))
    assert building.states(third) == {"handed": 2}
    fourth = building.run(building.make_campaign([member, fresh], cap_touches=3))
    assert building.state_of(fourth, member) == "skipped:capped"
    assert building.state_of(fourth, fresh) == "handed"
    # What was skipped does not count, and a campaign may disregard the cap.
    exempt = building.run(building.make_campaign([member], cap_touches=1, respects_cap=False))
    assert building.states(exempt) == {"handed": 1}


def test_quiet_hours_hold_in_the_members_own_zone_and_release_exactly_at_their_end() -> None:
    here, there, nowhere = building.make_audience(3)
    type(there).objects.filter(pk=there.pk).update(time_zone="America/New_York")
    type(nowhere).objects.filter(pk=nowhere.pk).update(time_zone="Mars/Base")
    campaign = building.make_campaign([here, there, nowhere], quiet_from=time(22), quiet_until=time(8))
    building.run(campaign)  # noon in Shanghai, 23:00 in New York
    assert building.state_of(campaign, here) == "handed"
    assert building.state_of(campaign, nowhere) == "handed"
    assert building.state_of(campaign, there) == "pending"
    chunk = CampaignChunk.objects.get(campaign=campaign)
    assert (chunk.state, chunk.not_before) == ("ready", datetime(2026, 3, 2, 13, 0, tzinfo=UTC))
    assert work.claimable(now=datetime(2026, 3, 2, 12, 59, 59, tzinfo=UTC)) == []
    assert work.claimable(now=chunk.not_before) == [(campaign.pk, 0)]
    assert building.send_all(campaign, chunk.not_before).state == "finished"
    assert building.states(campaign) == {"handed": 3}


def test_what_is_held_over_night_is_checked_again_in_the_morning() -> None:
    members = building.make_audience(2)
    night, morning = datetime(2026, 3, 2, 15, 0, tzinfo=UTC), datetime(2026, 3, 3, 0, 0, tzinfo=UTC)
    campaign = building.make_campaign(members, quiet_from=time(22), quiet_until=time(8))
    building.run(campaign, night)
    assert building.states(campaign) == {"pending": 2}
    building.allow(members[:1], state="withdrawn", at=night)
    building.send_all(campaign, morning)
    assert building.states(campaign) == {"skipped:no_consent": 1, "handed": 1}


def test_quiet_hours_may_skip_instead() -> None:
    members = building.make_audience(1)
    campaign = building.make_campaign(members, quiet_from=time(8), quiet_until=time(22), quiet_action="skip")
    building.run(campaign)
    assert building.states(campaign) == {"skipped:quiet_hours": 1}


def test_a_doubled_start_and_doubled_chunks_change_nothing() -> None:
    members = building.make_audience(4)
    campaign = building.start(building.make_campaign(members))
    assert preparing.prepare(campaign_id=campaign.pk, now=NOW) is False
    assert sending.send_chunk(campaign_id=campaign.pk, number=0, tick=building.tick) == 4
    assert sending.send_chunk(campaign_id=campaign.pk, number=0, tick=building.tick) == 0
    assert Message.objects.filter(campaign=campaign).count() == 4
    assert Event.objects.filter(type__key="message.sent").count() == 4


def test_a_live_lease_is_not_taken_and_a_lapsed_one_hands_over_again_where_that_is_safe() -> None:
    members = building.make_audience(2)
    campaign = building.start(building.make_campaign(members))
    assert claims.claim(campaign_id=campaign.pk, number=0, now=NOW) is not None
    assert claims.claim(campaign_id=campaign.pk, number=0, now=NOW + claims.LEASE) is None
    later = NOW + claims.LEASE + timedelta(seconds=1)
    assert work.claimable(now=later) == [(campaign.pk, 0)]
    building.send_all(campaign, later)
    assert building.states(campaign) == {"handed": 2}
    assert SandboxMessage.objects.count() == 2


def test_a_worker_that_lost_its_lease_writes_nothing_over_the_new_one() -> None:
    members = building.make_audience(1)
    campaign = building.start(building.make_campaign(members))
    old = claims.claim(campaign_id=campaign.pk, number=0, now=NOW)
    assert old is not None
    later = NOW + claims.LEASE + timedelta(seconds=1)
    new = claims.claim(campaign_id=campaign.pk, number=0, now=later)
    assert new is not None
    assert new.lease == old.lease + 1
    row = outcomes.Row(old.messages[0][0], members[0].pk, outcomes.MessageState.FAILED, "refused")
    going_on = outcomes.record(campaign_id=campaign.pk, number=0, lease=old.lease, rows=[row], now=later)
    assert going_on is False
    assert building.states(campaign) == {"claimed": 1}


def test_after_a_crash_one_who_withdrew_meanwhile_is_not_written_to_again() -> None:
    members = building.make_audience(2)
    campaign = building.start(building.make_campaign(members))
    claims.claim(campaign_id=campaign.pk, number=0, now=NOW)
    later = NOW + claims.LEASE + timedelta(seconds=1)
    building.allow(members[:1], state="withdrawn", at=later)
    building.send_all(campaign, later)
    # Whether the lost worker had handed it over is not known, so it is not called skipped either.
    assert building.state_of(campaign, members[0]) == "unknown:lost"
    assert building.state_of(campaign, members[1]) == "handed"
    assert not SandboxMessage.objects.filter(member=members[0]).exists()


def test_paused_holds_and_resumed_goes_on() -> None:
    campaign = building.start(building.make_campaign(building.make_audience(2)))
    campaigns.pause(campaign_id=campaign.pk)
    assert work.claimable(now=NOW) == []
    building.send_all(campaign)
    assert building.states(campaign) == {"pending": 2}
    campaigns.resume(campaign_id=campaign.pk)
    assert building.send_all(campaign).state == "finished"
    assert building.states(campaign) == {"handed": 2}


def test_stopped_skips_what_is_left() -> None:
    campaign = building.start(building.make_campaign(building.make_audience(2)))
    campaigns.stop(campaign_id=campaign.pk, reason="错价", now=NOW)
    assert work.claimable(now=NOW) == [(campaign.pk, 0)]
    assert building.send_all(campaign).state == "stopped"
    assert building.states(campaign) == {"skipped:stopped": 2}
    assert work.claimable(now=NOW) == []


def test_paused_before_the_audience_is_fixed_goes_on_preparing() -> None:
    campaign = building.make_campaign(building.make_audience(1))
    campaigns.schedule(campaign_id=campaign.pk, at=None, now=NOW)
    Campaign.objects.filter(pk=campaign.pk).update(state="preparing")
    campaigns.pause(campaign_id=campaign.pk)
    assert preparing.prepare(campaign_id=campaign.pk, now=NOW) is False
    assert campaigns.resume(campaign_id=campaign.pk).state == "preparing"
    assert preparing.prepare(campaign_id=campaign.pk, now=NOW) is True


def test_it_starts_when_due_not_before_and_without_an_audience_ends_at_once() -> None:
    campaign = building.make_campaign([])
    campaigns.schedule(campaign_id=campaign.pk, at=NOW + timedelta(hours=1), now=NOW)
    assert work.to_prepare(now=NOW) == []
    assert preparing.prepare(campaign_id=campaign.pk, now=NOW) is False
    later = NOW + timedelta(hours=1)
    assert work.to_prepare(now=later) == [campaign.pk]
    assert preparing.prepare(campaign_id=campaign.pk, now=later) is True
    assert work.to_finish() == [campaign.pk]
    assert outcomes.finish_campaign(campaign_id=campaign.pk, now=later) is True


ACTS = {
    "schedule": lambda pk: campaigns.schedule(campaign_id=pk, at=None, now=NOW),
    "unschedule": lambda pk: campaigns.unschedule(campaign_id=pk),
    "pause": lambda pk: campaigns.pause(campaign_id=pk),
    "resume": lambda pk: campaigns.resume(campaign_id=pk),
    "stop": lambda pk: campaigns.stop(campaign_id=pk, now=NOW),
}
ALLOWED = {
    ("draft", "schedule"): "scheduled",
    ("scheduled", "unschedule"): "draft",
    ("scheduled", "stop"): "stopped",
    ("preparing", "pause"): "paused",
    ("preparing", "stop"): "stopped",
    ("sending", "pause"): "paused",
    ("sending", "stop"): "stopped",
    ("paused", "resume"): "sending",
    ("paused", "stop"): "stopped",
}


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize(
    "state", ["draft", "scheduled", "preparing", "sending", "paused", "finished", "stopped", "failed"]
)
def test_the_whole_table_of_states(state: str, act: str) -> None:
    campaign = building.make_campaign([])
    Campaign.objects.filter(pk=campaign.pk).update(state=state, scheduled_at=NOW, audience_size=0)
    if (state, act) in ALLOWED:
        ACTS[act](campaign.pk)
        expected = ALLOWED[state, act]
    else:
        with pytest.raises(Conflict) as caught:
            ACTS[act](campaign.pk)
        assert caught.value.code == "wrong_state"
        expected = state
    campaign.refresh_from_db()
    assert campaign.state == expected


def test_a_change_of_a_scheduled_campaign_makes_it_a_draft_and_an_old_form_is_a_conflict() -> None:
    campaign = building.make_campaign([])
    plan = campaigns.Plan(name="新名", segment_id=campaign.segment_id, account_id=campaign.account_id, body="hi")
    campaigns.schedule(campaign_id=campaign.pk, at=None, now=NOW)
    changed = campaigns.update(campaign_id=campaign.pk, plan=plan, version=1)
    assert (changed.state, changed.version, changed.name) == ("draft", 2, "新名")
    with pytest.raises(Conflict) as caught:
        campaigns.update(campaign_id=campaign.pk, plan=plan, version=1)
    assert caught.value.code == "stale"
