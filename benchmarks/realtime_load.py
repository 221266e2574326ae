"""The load of the benchmark `realtime`, in a process of its own: `python -m benchmarks.realtime_load PLAN.json`.

Sends batches on an open schedule over kept connections; after each answer asks PostgreSQL for the probe's tag until it
is there. Prints one line of JSON: the latencies in milliseconds and the rate that was reached.
"""

from __future__ import annotations

import http.client
import json
import queue
import random
import socket
import statistics
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.realtime_plan import CONNECTIONS, PROBE, RATE, TYPES, WORDS

LONGEST_WAIT_S = 30


def main(path: str) -> None:
    """Send the plan's batches and print what was seen."""
    plan = json.loads(Path(path).read_text())
    due: queue.Queue[tuple[float, bytes, int] | None] = queue.Queue()
    latencies: list[float] = []
    failures: list[BaseException] = []
    gate = threading.Barrier(CONNECTIONS + 1)
    threads = [threading.Thread(target=work, args=(plan, due, latencies, failures, gate)) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    bodies = [(body(plan, index, name), member_id) for index, (name, member_id) in enumerate(plan["probes"])]
    gate.wait()
    started = time.perf_counter()
    for index, (content, member_id) in enumerate(bodies):
        at = started + index * plan["batch"] / RATE
        if (wait := at - time.perf_counter()) > 0:
            time.sleep(wait)
        due.put((at, content, member_id))
    for _ in threads:
        due.put(None)
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    elapsed = time.perf_counter() - started
    cuts = statistics.quantiles(latencies, n=100)
    answer = {
        "batches": len(latencies),
        "events_per_s": len(latencies) * plan["batch"] / elapsed,
        "p50": cuts[49],
        "p99": cuts[98],
        "longest": max(latencies),
    }
    print(json.dumps(answer))


def body(plan: dict[str, Any], index: int, probe: str) -> bytes:
    """A batch: ordinary events of random members, and the probe's in the middle."""
    randomness = random.Random(f"{plan['run']} {index}")
    now = datetime.now(UTC)
    events = []
    for number in range(plan["batch"]):
        is_probe = number == plan["batch"] // 2
        kind = PROBE if is_probe else randomness.choice(TYPES)
        events.append(
            {
                "source": "bench",
                "message_id": f"{plan['run']}-{index}-{number}",
                "type": kind,
                "occurred_at": (now - timedelta(seconds=randomness.randrange(864_000))).isoformat(),
                "member": {"app_user": probe if is_probe else randomness.choice(plan["people"])},
                "properties": {"title": f"{randomness.choice(WORDS)}必读 {number}", "page": f"/a/{number}"},
            }
        )
    return json.dumps(events).encode()


def work(
    plan: dict[str, Any],
    due: queue.Queue[tuple[float, bytes, int] | None],
    latencies: list[float],
    failures: list[BaseException],
    gate: threading.Barrier,
) -> None:
    """One kept connection to the server and one to the database."""
    headers = {"Authorization": f"Api-Key {plan['secret']}", "Content-Type": "application/json"}
    client = http.client.HTTPConnection("127.0.0.1", plan["port"], timeout=60)
    client.connect()
    client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        with psycopg.connect(**plan["conninfo"], autocommit=True) as database:
            gate.wait()
            while (job := due.get()) is not None:
                at, content, member_id = job
                client.request("POST", "/api/v1/events/batch", content, headers)
                response = client.getresponse()
                answer = response.read()
                if response.status != 200 or answer.count(b'"status":"accepted"') != plan["batch"]:
                    raise RuntimeError(f"{response.status}: {answer[:500]!r}")
                until = time.perf_counter() + LONGEST_WAIT_S
                while not tagged(database, member_id, plan["tag"]):
                    if time.perf_counter() > until:
                        raise RuntimeError(f"member {member_id} was never tagged")
                latencies.append((time.perf_counter() - at) * 1000)
    except BaseException as error:
        failures.append(error)
        raise
    finally:
        client.close()


def tagged(database: psycopg.Connection[Any], member_id: int, tag_id: int) -> bool:
    """Whether another session sees the tag on the member."""
    found = database.execute(
        "SELECT 1 FROM tags_membertag WHERE member_id = %s AND tag_id = %s", [member_id, tag_id], prepare=True
    ).fetchone()
    return found is not None


if __name__ == "__main__":
    main(sys.argv[1])
