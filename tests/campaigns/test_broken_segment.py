"""A campaign whose segment can no longer be used stops with a reason, tells its author, and reaches nobody."""

from __future__ import annotations

from typing import Any

import pytest

from campaigns.models import Campaign, Message
from campaigns.operations import campaigns, preparing, sending
from scrm.common.models import Notification
from tags.models import Segment
from tags.operations import segments as operations
from tests.campaigns.building import NOW, allow, make_campaign, send_all, start, states, tick
from tests.factories import client_as, make_member, make_user

pytestmark = pytest.mark.django_db

SHANGHAI = {"all": [{"field": "city", "op": "eq", "value": "上海"}]}
BROKEN = {"all": [{"field": "attribute.gone", "op": "eq", "value": "x"}]}


def make_dynamic_campaign(condition: Any = SHANGHAI) -> tuple[Campaign, Segment]:
    people = [make_member(city="上海") for _ in range(3)]
    allow(people)
    segment = operations.create(name="上海", condition=condition, now=NOW)
    campaign = make_campaign(people)
    author = make_user()
    Campaign.objects.filter(pk=campaign.pk).update(segment_id=segment.pk, created_by_id=author.pk)
    campaign.refresh_from_db()
    return campaign, segment


def break_it(segment: Segment, condition: Any = BROKEN) -> None:
    """As if what the condition names had been removed since it was saved."""
    Segment.objects.filter(pk=segment.pk).update(condition=condition)


def told(campaign: Campaign) -> list[tuple[int, str, str]]:
    return list(Notification.objects.values_list("user_id", "level", "url"))


def test_broken_before_it_is_prepared_nobody_gets_a_message() -> None:
    campaign, segment = make_dynamic_campaign()
    campaigns.schedule(campaign_id=campaign.pk, at=None, now=NOW)
    break_it(segment)
    assert preparing.prepare(campaign_id=campaign.pk, now=NOW) is False
    campaign.refresh_from_db()
    assert (campaign.state, campaign.stop_code) == ("failed", "broken_segment")
    assert "上海" in campaign.stop_reason
    assert not Message.objects.exists()
    assert told(campaign) == [(campaign.created_by_id, "danger", f"/campaigns/{campaign.pk}/")]


def test_broken_between_preparing_and_claiming_it_is_held_until_the_segment_is_repaired() -> None:
    campaign, segment = make_dynamic_campaign()
    start(campaign)
    assert states(campaign) == {"pending": 3}
    break_it(segment)
    for _ in range(2):  # workers come again
        assert sending.send_chunk(campaign_id=campaign.pk, number=0, tick=tick) == 0
    campaign.refresh_from_db()
    assert (campaign.state, campaign.stop_code) == ("paused", "broken_segment")
    assert "上海" in campaign.stop_reason
    assert states(campaign) == {"pending": 3}
    assert told(campaign) == [(campaign.created_by_id, "danger", f"/campaigns/{campaign.pk}/")]

    break_it(segment, SHANGHAI)
    resumed = campaigns.resume(campaign_id=campaign.pk)
    assert (resumed.stop_reason, resumed.stop_code) == ("", "")
    assert states(send_all(campaign)) == {"handed": 3}


@pytest.mark.parametrize(
    "broken", [None, [], {}, {"all": []}, BROKEN, {"field": "segment", "op": "any_of", "value": [0]}]
)
def test_however_it_is_broken_nobody_is_reached(broken: Any) -> None:
    campaign, segment = make_dynamic_campaign()
    start(campaign)
    if broken is None:  # the rows of a list cannot break; a circle can
        broken = {"field": "segment", "op": "any_of", "value": [segment.pk]}
    break_it(segment, broken)
    assert sending.send_chunk(campaign_id=campaign.pk, number=0, tick=tick) == 0
    campaign.refresh_from_db()
    assert campaign.state == "paused"
    assert states(campaign) == {"pending": 3}


def test_a_broken_segment_inside_the_segment_stops_it_too() -> None:
    make_member(city="上海")
    inner = operations.create(name="内", condition=SHANGHAI, now=NOW)
    campaign, _outer = make_dynamic_campaign({"field": "segment", "op": "any_of", "value": [inner.pk]})
    start(campaign)
    break_it(inner)
    assert sending.send_chunk(campaign_id=campaign.pk, number=0, tick=tick) == 0
    campaign.refresh_from_db()
    assert (campaign.state, campaign.stop_code) == ("paused", "broken_segment")


def test_an_excluded_segment_that_breaks_never_lets_its_members_through() -> None:
    """Were the broken exclusion ignored, the message would reach exactly those whom it must not reach."""
    complained = operations.create(name="投诉", condition=SHANGHAI, now=NOW)
    campaign, _segment = make_dynamic_campaign(
        {"all": [{"field": "city", "op": "set"}, {"field": "segment", "op": "none_of", "value": [complained.pk]}]}
    )
    break_it(complained)
    campaigns.schedule(campaign_id=campaign.pk, at=None, now=NOW)
    assert preparing.prepare(campaign_id=campaign.pk, now=NOW) is False
    assert not Message.objects.exists()


def test_the_pages_say_what_is_wrong() -> None:
    campaign, segment = make_dynamic_campaign()
    break_it(segment)
    client = client_as()
    for step in ("audience", "content", "schedule", "check"):
        page = client.get(f"/campaigns/{campaign.pk}/edit/{step}/")
        assert page.status_code == 200
        assert step == "schedule" or segment.name in page.content.decode()
    assert client.get("/campaigns/reach/", {"segment_id": segment.pk}).status_code == 200
