"""Two things at once: a withdrawal against a claim, two campaigns against one cap, two workers against one chunk."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from django.db import connection, transaction

from campaigns.models import Campaign, Message, SandboxMessage
from campaigns.operations import sending
from members.models import Consent, Member
from tests.campaigns import building

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*calls: Callable[[], object]) -> None:
    """Run each call in a thread with its own connection, let go together; the first error is raised."""
    barrier, errors = threading.Barrier(len(calls)), []

    def work(call: Callable[[], object]) -> None:
        try:
            barrier.wait(timeout=10)
            call()
        except Exception as error:  # told to the test
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    if errors:
        raise errors[0]


def send(campaign: Campaign) -> Callable[[], object]:
    return lambda: sending.send_chunk(campaign_id=campaign.pk, number=0, tick=building.tick)


def test_a_withdrawal_that_committed_before_the_claim_always_wins() -> None:
    """Each of 100 members withdraws while chunks of ten are claimed: nobody is claimed who had already said no."""
    members = building.make_audience(100)
    campaigns = [building.start(building.make_campaign(members[start : start + 10])) for start in range(0, 100, 10)]
    order: list[tuple[str, int]] = []
    lock = threading.Lock()

    def withdraw(chosen: list[Member]) -> None:
        for member in chosen:
            building.allow([member], state="withdrawn")
            with lock:
                order.append(("withdrawn", member.pk))

    def send_noting(campaign: Campaign) -> None:
        with lock:
            before = {pk for what, pk in order if what == "withdrawn"}
        send(campaign)()
        claimed = set(
            Message.objects.filter(campaign=campaign).exclude(claimed_at=None).values_list("member_id", flat=True)
        )
        assert claimed & before == set()

    for number, campaign in enumerate(campaigns):
        chosen = members[number * 10 : number * 10 + 10]
        at_once(lambda c=chosen: withdraw(c), lambda c=campaign: send_noting(c))  # type: ignore[misc]
    counted = building.states(campaigns[0])
    assert sum(counted.values()) == 10
    assert Consent.objects.filter(state="withdrawn", channel="sandbox").count() == 100
    after = building.run(building.make_campaign(members, respects_cap=False))
    assert building.states(after) == {"skipped:no_consent": 100}


def test_a_withdrawal_in_flight_is_waited_for_and_seen() -> None:
    """The claim starts while the withdrawal has written but not committed: it waits, then skips."""
    (member,) = building.make_audience(1)
    campaign = building.start(building.make_campaign([member]))
    written, claiming = threading.Event(), threading.Event()

    def withdraw() -> None:
        with transaction.atomic():
            building.allow([member], state="withdrawn")
            written.set()
            claiming.wait(timeout=10)
            wait_until_blocked()

    def claim() -> None:
        written.wait(timeout=10)
        claiming.set()
        send(campaign)()

    at_once(withdraw, claim)
    assert building.states(campaign) == {"skipped:no_consent": 1}
    assert not SandboxMessage.objects.exists()


def wait_until_blocked() -> None:
    """Return when another session waits for a lock that this one holds."""
    for _ in range(2_000):
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))")
            if cursor.fetchone()[0]:
                return
            # Within a transaction the view would stay as it was first seen.
            cursor.execute("SELECT pg_stat_clear_snapshot(), pg_sleep(0.005)")
    raise AssertionError("nobody waited")


def test_two_campaigns_at_once_do_not_count_each_other_out_of_the_cap() -> None:
    members = building.make_audience(20)
    first, second = (building.start(building.make_campaign(members, cap_touches=1)) for _ in range(2))
    at_once(send(first), send(second))
    assert Message.objects.filter(state="handed").count() == 20
    assert Message.objects.filter(reason="capped").count() == 20


def test_one_chunk_and_many_workers_send_it_once() -> None:
    campaign = building.start(building.make_campaign(building.make_audience(50)))
    at_once(*[send(campaign)] * 6)
    assert building.states(campaign) == {"handed": 50}
    assert SandboxMessage.objects.count() == 50
