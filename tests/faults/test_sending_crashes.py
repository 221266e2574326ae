"""A worker that is killed between the claim and the record: nobody is written to twice, nobody is forgotten.

The worker is a process of its own that kills itself with SIGKILL at a chosen point, as the kernel would.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.db import connection

from campaigns.models import Campaign, SandboxMessage
from campaigns.operations import claims
from scrm.common import clock
from tests.campaigns import building
from tests.campaigns.building import Sink, mail_server

pytestmark = pytest.mark.django_db(transaction=True)

# Sends a chunk; SIGKILLs itself when it is about to record for the n-th time, or after the n-th hand-over.
WORKER = """
import os, signal, sys
import django
django.setup()
from campaigns.channels import base
from campaigns.operations import outcomes, sending
campaign, number, deaths = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
record, calls = outcomes.record, [0]
def dying(**values):
    calls[0] += 1
    if calls[0] == deaths:
        os.kill(os.getpid(), signal.SIGKILL)
    return record(**values)
outcomes.record = dying
sending.outcomes.record = dying
sending.send_chunk(campaign_id=campaign, number=number)
"""


def kill_a_worker(campaign: Campaign, *, at_record: int) -> None:
    # The same server as this test, but the test's own database.
    parts = urlsplit(os.environ["DATABASE_URL"])
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "scrm.settings.test",
        "DATABASE_URL": parts._replace(path=f"/{connection.settings_dict['NAME']}").geturl(),
    }
    died = subprocess.run(
        [sys.executable, "-c", WORKER, str(campaign.pk), "0", str(at_record)],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert died.returncode == -9, died.stderr[-2000:]


def sweep_up(campaign: Campaign) -> Campaign:
    """What the sweep does once the lease has lapsed."""
    return building.send_all(campaign, clock.now() + claims.LEASE + timedelta(seconds=1))


def test_where_the_provider_deduplicates_nothing_is_lost_and_nothing_doubled() -> None:
    members = building.make_audience(40)
    campaign = building.start(building.make_campaign(members), clock.now())
    kill_a_worker(campaign, at_record=1)
    assert building.states(campaign) == {"claimed": 40}
    assert SandboxMessage.objects.count() == 40  # handed over, but nobody noted it
    assert sweep_up(campaign).state == "finished"
    assert building.states(campaign) == {"handed": 40}
    assert SandboxMessage.objects.count() == 40


def test_by_mail_what_is_in_doubt_is_unknown_and_nobody_gets_it_twice() -> None:
    sink = Sink()
    members = building.make_audience(50, channel="email")
    with mail_server(sink) as port:
        campaign = building.start(building.make_campaign(members, account=building.mail_account(port)), clock.now())
        kill_a_worker(campaign, at_record=2)  # the first batch of 20 is recorded, the second handed over
        assert building.states(campaign) == {"handed": 20, "claimed": 30}
        assert sweep_up(campaign).state == "finished"
    # Only the batch that was under way is in doubt; the last ten were never tried and are sent now.
    assert building.states(campaign) == {"handed": 30, "unknown:lost": 20}
    assert len(sink.mails) == 50
    assert max(Counter(sink.addresses).values()) == 1
    assert sum(building.states(campaign).values()) == campaign.audience_size == 50
