"""A campaign by mail while its workers die: real Celery processes, a real broker, SIGKILL and SIGSTOP from outside.

Whatever happens, no mail is handed over twice, and every member of the audience ends in exactly one state.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
from django.db import connection

from campaigns.models import Campaign, Message
from campaigns.operations import preparing
from members.models import Identity, Member, MemberSummary
from scrm.common import clock, encryption
from tests.campaigns import building
from tests.campaigns.building import Sink, mail_server

pytestmark = pytest.mark.django_db(transaction=True)

LONG = os.environ.get("SCRM_LONG") == "1"
AUDIENCE = 12_000 if LONG else 2_000
CHUNK = AUDIENCE // 10
# A database of the broker that no other test uses.
BROKER = urlsplit(os.environ["REDIS_URL"])._replace(path="/9").geturl()
# The product's own worker and beat, with a lease that a test can wait for.
BOOT = """
import datetime, sys
from campaigns.operations import claims
claims.LEASE = datetime.timedelta(seconds=3)
from scrm.celery import app
app.start(sys.argv[1:])
"""
WORKER = ["worker", "--loglevel", "warning", "--concurrency", "2", "--queues", "sending", "--without-mingle"]


def launch(arguments: list[str], log: Path) -> subprocess.Popen[bytes]:
    """A Celery process at the head of a group of its own, on the test's database."""
    parts = urlsplit(os.environ["DATABASE_URL"])
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "scrm.settings.test",
        "DATABASE_URL": parts._replace(path=f"/{connection.settings_dict['NAME']}").geturl(),
        "REDIS_URL": BROKER,
    }
    code = "import django; django.setup()\n" + BOOT
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-c", code, *arguments], env=environment, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill the whole group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def children(process: subprocess.Popen[bytes]) -> list[int]:
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(number) for number in listed]


def until(holds: Callable[[], bool], what: str, *, seconds: float = 120) -> None:
    """Wait for other processes; what they do shows only in what they leave behind."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not holds():
        assert time.monotonic() < deadline, f"never: {what}"
        pause.wait(0.02)


def audience(count: int) -> list[Member]:
    members = Member.objects.bulk_create(
        Member(name=f"会员{number}", joined_at=building.NOW) for number in range(count)
    )
    MemberSummary.objects.bulk_create(MemberSummary(member=member) for member in members)
    addresses = {member.pk: f"m{member.pk}@example.com" for member in members}
    Identity.objects.bulk_create(
        Identity(
            kind="email", value=encryption.blind_index("email", address), sealed=encryption.seal(address),
            member_id=member_id,
        )
        for member_id, address in addresses.items()
    )  # fmt: skip
    building.allow(members, "email")
    return members


@contextmanager
def running(log: Path) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """A worker and a beat; whatever stands in the dictionary at the end is ended."""
    beat = ["beat", "--loglevel", "warning", "--schedule", str(log.parent / "beat")]
    found = {"worker": launch(WORKER, log), "beat": launch(beat, log)}
    try:
        yield found
    finally:
        for process in found.values():
            end(process)


def test_nobody_gets_a_mail_twice_and_nobody_is_forgotten(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sink = Sink()
    log = tmp_path / "celery.log"
    members = audience(AUDIENCE)
    monkeypatch.setattr(preparing, "CHUNK_SIZE", CHUNK)
    broker = redis.Redis.from_url(BROKER)

    def sent(share: float) -> Callable[[], bool]:
        return lambda: len(sink.mails) >= AUDIENCE * share

    with mail_server(sink) as port, running(log) as alive:
        account = building.mail_account(port)
        campaign = building.start(building.make_campaign(members, account=account, respects_cap=False), clock.now())

        until(sent(0.1), "the first mails")
        os.kill(children(alive["worker"])[-1], signal.SIGKILL)

        until(sent(0.25), "mails after a child was killed")
        end(alive["worker"])
        alive["worker"] = launch(WORKER, log)

        until(sent(0.4), "mails after the worker was killed")
        broker.flushdb()  # every hint is lost
        end(alive["beat"])
        alive["beat"] = launch(["beat", "--loglevel", "warning", "--schedule", str(tmp_path / "beat2")], log)

        until(sent(0.55), "mails after the broker forgot everything")
        frozen = alive["worker"]
        os.killpg(frozen.pid, signal.SIGSTOP)  # long enough for its leases to lapse
        alive["other"] = launch(WORKER, log)
        until(sent(0.7), "mails by the worker that took over")
        os.killpg(frozen.pid, signal.SIGCONT)

        until(lambda: Campaign.objects.get(pk=campaign.pk).state == "finished", "the end of the campaign")
        # What the frozen worker still had in hand it hands over late, and tells.
        until(lambda: not broker.llen("sending"), "an empty queue")

    states = building.states(campaign)
    assert sum(states.values()) == campaign.audience_size == AUDIENCE
    assert set(states) <= {"handed", "unknown:lost"}, states
    assert max(Counter(sink.addresses).values()) == 1
    got = set(sink.addresses)
    handed = {
        f"m{member_id}@example.com"
        for member_id in Message.objects.filter(campaign=campaign, state="handed").values_list("member_id", flat=True)
    }
    assert handed <= got
    # In doubt is only what was under way when a process died: a batch of twenty for each of its two hands.
    assert states.get("unknown:lost", 0) <= 20 * 2 * 4
