"""Event intake over HTTP: the product beside DRF serializers with the ORM, and bare COPY.

All sides store the same events in batches of 500, each batch one durable transaction, from the same number of
clients at once. Sides take turns; the figures are medians of the rounds.

The product: the batch route behind granian, with its key, limit, checks, identities, idempotency and summaries. DRF:
the same job with serializers and the ORM (`benchmarks.intake_peer`) behind the same granian, settings and middleware.
COPY: text that was made before the clock runs, sent over one connection per client into a table made
`LIKE members_event INCLUDING ALL`: the same primary key, unique (member, source, message) and (member, time) index.
It knows the members already, answers nothing per event, and neither takes a repetition nor keeps a summary.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from members.models import EventType, Source
from scrm.common import api_keys
from scrm.common.access import SYSTEM
from scrm.common.models import ApiKey

BATCH = 500
CLIENTS = 4
ROUNDS = 5
# Batches per client and round: about a second or two of work for each side.
BATCHES = {"product": 12, "copy": 24, "drf": 2}
MEMBERS = 100_000
TYPES = [f"bench.type{number}" for number in range(20)]
START = datetime(2026, 1, 1, tzinfo=UTC)


def main(size: int) -> None:
    """Measure with up to `size` members, at most 100,000."""
    members = min(size, MEMBERS)
    durable()
    source_id, type_ids, ids = prepare(members)
    key, secret = api_keys.create(name="benchmark", scopes=["facts.write"], actor=SYSTEM)
    ApiKey.objects.filter(pk=key.pk).update(per_minute=10**9)
    randomness = random.Random(7)
    serial = iter(range(10**12))
    run = f"{time.time():.0f}"
    times: dict[str, list[float]] = {name: [] for name in BATCHES}
    with served("scrm.wsgi:application") as product, served("benchmarks.intake_peer:application") as drf:
        for turn in range(ROUNDS + 1):
            for side, count in BATCHES.items():
                batches = [[events(run, serial, ids, randomness) for _ in range(count)] for _ in range(CLIENTS)]
                if side == "copy":
                    blocks = [[rows(batch, source_id, type_ids) for batch in one] for one in batches]
                    elapsed = together([lambda one=one: copy(one) for one in blocks])  # type: ignore[misc]
                else:
                    port = product if side == "product" else drf
                    bodies = [[body(batch) for batch in one] for one in batches]
                    elapsed = together(
                        [lambda one=one, port=port: post(port, secret, one) for one in bodies]  # type: ignore[misc]
                    )
                if turn:  # the first turn warms up
                    times[side].append(elapsed / (count * CLIENTS * BATCH))
    per_event = {side: statistics.median(found) for side, found in times.items()}
    rate = {side: 1 / one for side, one in per_event.items()}
    for side, found in rate.items():
        print(f"{side:8} {found:10,.0f} events/s  ({per_event[side] * BATCH * 1e3:.2f} ms per batch of {BATCH})")
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {members:,} members, {CLIENTS} clients")
    result = {
        "name": "intake",
        "ratios": {
            "x_faster_than_drf_orm": round(rate["product"] / rate["drf"], 2),
            "of_bare_copy": round(rate["product"] / rate["copy"], 2),
        },
        "figures": {f"{side}_events_per_s": round(one) for side, one in rate.items()},
    }
    clean()
    print("BENCH " + json.dumps(result))


def prepare(members: int) -> tuple[int, dict[str, int], list[tuple[str, int]]]:
    """The members with an app user each, the source and the types; a table for the bare COPY.

    Members stay for the next run: deleting one checks every table that may name it.
    """
    clean()
    source = Source.objects.get_or_create(key="bench")[0]
    types = {key: EventType.objects.get_or_create(key=key)[0].pk for key in TYPES}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH made AS (
                INSERT INTO members_member (status, name, gender, province, city, country, language, time_zone,
                                            phone_masked, email_masked, source_id, joined_at)
                SELECT 'active', '', '', '', '', '', '', '', '', '', %s, now()
                FROM generate_series((SELECT count(*) FROM members_identity WHERE value LIKE 'bench-%%') + 1, %s)
                RETURNING id
            ), summaries AS (INSERT INTO members_membersummary (member_id) SELECT id FROM made)
            INSERT INTO members_identity (kind, value, member_id) SELECT 'app_user', 'bench-' || id, id FROM made
            """,
            [source.pk, members],
        )
        cursor.execute("CREATE TABLE bench_event (LIKE members_event INCLUDING ALL)")
        cursor.execute("VACUUM ANALYZE members_member, members_membersummary, members_identity, members_event")
        cursor.execute(
            "SELECT value, member_id FROM members_identity WHERE value LIKE 'bench-%%' ORDER BY 2 LIMIT %s", [members]
        )
        return source.pk, types, cursor.fetchall()


def durable() -> None:
    """Refuse to measure on a server that would lose commits."""
    with connection.cursor() as cursor:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            cursor.execute(f"SHOW {setting}")
            assert cursor.fetchone() == ("on",), setting


def clean() -> None:
    """Remove the events and the key of this benchmark, also those of a run that was ended."""
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS bench_event")
        cursor.execute(
            "DELETE FROM members_event WHERE source_id IN (SELECT id FROM members_source WHERE key = 'bench')"
        )
        cursor.execute("DELETE FROM common_apikey WHERE name = 'benchmark'")


def events(run: str, serial: Any, ids: list[tuple[str, int]], randomness: random.Random) -> list[dict[str, Any]]:
    """One batch of new events of random members."""
    return [
        {
            "source": "bench",
            "message_id": f"{run}-{next(serial):012}",
            "type": randomness.choice(TYPES),
            "occurred_at": (START + timedelta(seconds=randomness.randrange(20_000_000))).isoformat(),
            "member": randomness.choice(ids),
            "amount": f"{randomness.randrange(1, 100_000) / 100:.2f}",
            "properties": {"page": f"/product/{randomness.randrange(10_000)}", "from": "mini", "seconds": 12},
        }
        for _ in range(BATCH)
    ]


def body(batch: list[dict[str, Any]]) -> bytes:
    """The batch as a client sends it."""
    return json.dumps([one | {"member": {"app_user": one["member"][0]}} for one in batch]).encode()


def rows(batch: list[dict[str, Any]], source_id: int, type_ids: dict[str, int]) -> bytes:
    """The batch as COPY takes it."""
    return "".join(
        f"{one['member'][1]}\t{source_id}\t{type_ids[one['type']]}\t{one['message_id']}\t{one['occurred_at']}\t"
        f"{one['amount'].replace('.', '')}\t{json.dumps(one['properties'])}\n"
        for one in batch
    ).encode()


def copy(blocks: list[bytes]) -> None:
    """Write each block in a transaction of its own."""
    with connection.cursor() as cursor:
        for block in blocks:
            with cursor.copy(
                "COPY bench_event (member_id, source_id, type_id, message_id, occurred_at, amount, properties) "
                "FROM STDIN"
            ) as stream:
                stream.write(block)


def post(port: int, secret: str, bodies: list[bytes]) -> None:
    """Send each body over one kept connection, and check that all of it was taken."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    client.connect()
    client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    headers = {"Authorization": f"Api-Key {secret}", "Content-Type": "application/json"}
    for one in bodies:
        client.request("POST", "/api/v1/events/batch", one, headers)
        response = client.getresponse()
        answer = response.read()
        assert response.status == 200, (port, answer[:500])
        assert answer.count(b'"status":"accepted"') == BATCH, answer[:500]
    client.close()


def together(works: list[Callable[[], None]]) -> float:
    """Seconds until all of the works, started at once in threads, are done."""
    gate = threading.Barrier(len(works) + 1)
    failures: list[BaseException] = []

    def run(work: Callable[[], None]) -> None:
        try:
            connection.ensure_connection()
            gate.wait()
            work()
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    gate.wait()
    started = time.perf_counter()
    for thread in threads:
        thread.join()
    elapsed = time.perf_counter() - started
    if failures:
        raise failures[0]
    return elapsed


@contextmanager
def served(application: str) -> Any:
    """A granian with one process per core, on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [
                sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port),
                "--workers", str(os.cpu_count() or 1), "--blocking-threads", "2", "--no-access-log", application,
            ],
            stdout=log,
            stderr=log,
        )  # fmt: skip
        try:
            until = time.monotonic() + 60
            while True:
                try:
                    client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                    client.request("GET", "/api/v1/nowhere")
                    client.getresponse().read()
                    break
                except OSError:
                    if process.poll() is not None or time.monotonic() > until:
                        log.seek(0)
                        raise RuntimeError(log.read().decode()[-2000:]) from None
                    time.sleep(0.1)
            yield port
        finally:
            process.terminate()
            process.wait()
