"""The points ledger beside pgbench and beside the ORM, one member that everybody credits, and a grant to everybody.

SQL: earnings and spendings of random members in equal shares, each one call of the ledger's function, and pgbench's
tpcb-like script, with the same clients of the same pgbench in turns; every transaction of both is on disk when it is
answered. Python: `members.operations.points` beside the same job with ORM rows (`benchmarks.points_peer`), threads in
equal number, in turns. Hot member: 64 clients credit one member; the figure is the slowest second after the one in
which they connect. Grant: the background job, to every member.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from django.db import connection

from benchmarks import points_peer
from benchmarks.intake import durable
from members.models import Member, PointsAccount
from members.operations import currencies, points, points_grants
from members.queries import points_check
from members.rules import points as rules
from scrm.common import clock, jobs
from scrm.common.access import SYSTEM

# Short turns, and many: the machine's speed drifts.
CLIENTS, TURNS, SECONDS = 8, 12, 5
HOT_CLIENTS, HOT_SECONDS = 64, 12
THREADS, CALLS, ROUNDS = 8, 40, 3
EARN = """
SELECT * FROM points_earn({member}, {currency}, 100, 'earn', 'e' || :r, 'order:' || :r, now(), now(),
                          timestamptz '{expires}', '', '{{}}', now());
"""
SPEND = "SELECT * FROM points_spend({member}, {currency}, 10, 'spend', 's' || :r, '', '', '{{}}', now());"


def main(size: int) -> None:
    """Measure with `size` members."""
    durable()
    pgbench = shutil.which("pgbench")
    if pgbench is None:
        raise SystemExit("pgbench is not here: the embedded PostgreSQL has none, apt install postgresql-client does")
    first, last = prepare(size)
    grant_s, granted = grant()
    with tempfile.TemporaryDirectory() as folder:
        version = subprocess.run([pgbench, "--version"], capture_output=True, text=True, check=True).stdout.strip()
        ours, tpcb = against_tpcb(pgbench, Path(folder), first, last)
        hot = hot_member(pgbench, Path(folder), first)
    product, orm = against_orm(first, last)
    findings = [str(one) for one in points_check.check()] + points_check.unbalanced()
    assert findings == [], findings[:5]
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {size:,} members, {version}")
    print(f"SQL      {statistics.median(ours):10,.0f} movements/s, tpcb-like {statistics.median(tpcb):,.0f}/s")
    print(f"Python   {statistics.median(product):10,.0f} movements/s, ORM rows {statistics.median(orm):,.0f}/s")
    print(f"hot      {min(hot):10,.0f} credits of one member in the slowest second; all: {[round(one) for one in hot]}")
    print(f"grant    {granted:,} members in {grant_s:.1f} s")
    result = {
        "name": "points",
        "ratios": {
            "of_pgbench_tpcb": round(statistics.median(ours) / statistics.median(tpcb), 2),
            "x_faster_than_orm_rows": round(statistics.median(product) / statistics.median(orm), 2),
        },
        "figures": {
            "hot_member_per_s": round(min(hot)),
            "hot_member_mean_per_s": round(statistics.mean(hot)),
            "movements_per_s": round(statistics.median(ours)),
            "tpcb_per_s": round(statistics.median(tpcb)),
            "python_per_s": round(statistics.median(product)),
            "orm_rows_per_s": round(statistics.median(orm)),
            "grant_members": granted,
            "grant_s": round(grant_s, 1),
            "load": round(os.getloadavg()[0], 1),
        },
    }
    print(f"BENCH {json.dumps(result)}")


def prepare(size: int) -> tuple[int, int]:
    """Members, of whom the first and the last id are answered; they stay for the next run."""
    currencies.get(currencies.POINTS)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH made AS (
                INSERT INTO members_member (status, name, gender, province, city, country, language, time_zone,
                                            phone_masked, email_masked, joined_at)
                SELECT 'active', '', '', '', '', '', '', '', '', '', now()
                FROM generate_series((SELECT count(*) FROM members_member) + 1, %s) RETURNING id
            ) INSERT INTO members_membersummary (member_id) SELECT id FROM made
            """,
            [size],
        )
        cursor.execute("VACUUM ANALYZE members_member, members_membersummary")
    ids = Member.objects.order_by("pk")
    return ids.values_list("pk", flat=True)[0], ids.values_list("pk", flat=True)[size - 1]


def grant() -> tuple[float, int]:
    """A grant to everybody, as the worker runs it."""
    job = points_grants.start(grant=f"bench {time.time()}", amount=1_000, actor=SYSTEM, now=clock.now())
    started = time.perf_counter()
    jobs.run(job_id=job.pk, handler=lambda _id, progress: points_grants.run(params=job.params, progress=progress))
    elapsed = time.perf_counter() - started
    job.refresh_from_db()
    assert job.state == "succeeded", job.error
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE members_pointsaccount, members_pointsentry, members_pointslot")
    return elapsed, job.counts["granted"]


def against_tpcb(pgbench: str, folder: Path, first: int, last: int) -> tuple[list[float], list[float]]:
    """Movements and tpcb-like transactions a second, turn by turn."""
    scripts = []
    for name, text in (("earn", EARN), ("spend", SPEND)):
        path = folder / f"{name}.sql"
        drawn = f"\\set m random({first}, {last})\n\\set r random(1, 1000000000000000)\n"
        path.write_text(drawn + text.format(member=":m", **policy()))
        scripts += ["-f", str(path)]
    run(pgbench, "-i", "-s", "20", "-q")
    ours, tpcb = [], []
    try:
        for _ in range(TURNS + 1):
            common = ["-n", "-M", "prepared", "-c", str(CLIENTS), "-j", "2", "-T", str(SECONDS)]
            ours.append(rate(run(pgbench, *common, *scripts)))
            tpcb.append(rate(run(pgbench, *common, "-b", "tpcb-like")))
            print(f"SQL      {ours[-1]:,.0f} movements/s, tpcb-like {tpcb[-1]:,.0f}/s", flush=True)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE pgbench_accounts, pgbench_branches, pgbench_tellers, pgbench_history")
    return ours[1:], tpcb[1:]  # the first turn warms up


def policy() -> dict[str, object]:
    """The currency, and when what is earned now expires: as what was granted does, by the currency's policy."""
    currency = currencies.get(currencies.POINTS)
    return {
        "currency": currency.pk,
        "expires": rules.expiry(currencies.policy(currency), clock.now(), clock.shop_zone()),
    }


def hot_member(pgbench: str, folder: Path, member: int) -> list[float]:
    """Credits of one member, second by second, each on disk when it is answered: as `points_calls.durable` does it."""
    path = folder / "hot.sql"
    credit = EARN.format(member=member, **policy())
    flush = "SELECT pg_logical_emit_message(false, 'scrm', '', true);"
    path.write_text(f"\\set r random(1, 1000000000000000)\n{credit}{flush}\n")
    options = ["-n", "-M", "prepared", "-c", str(HOT_CLIENTS), "-j", "2", "-T", str(HOT_SECONDS), "-P", "1"]
    told = run(pgbench, *options, "-f", str(path), settings="-c synchronous_commit=off")
    return [float(one) for one in re.findall(r"progress: .*?, ([\d.]+) tps", told)][1:]


def against_orm(first: int, last: int) -> tuple[list[float], list[float]]:
    """Movements a second of the product and of the peer, from threads, round by round."""
    sides: dict[str, list[float]] = {"product": [], "orm": []}
    for turn in range(ROUNDS + 1):
        for name, module in (("product", points), ("orm", points_peer)):

            def client(thread: int, module: object = module, turn: int = turn, name: str = name) -> None:
                for call in range(CALLS):
                    member = first + (thread * 7_919 + call * 104_729 + turn * 31) % (last - first + 1)
                    reference = f"{name}-{turn}-{thread}-{call}-{time.time_ns()}"
                    act = module.earn if call % 2 else module.spend  # type: ignore[attr-defined]
                    act(member_id=member, amount=10, reference=reference, now=clock.now())

            elapsed = together([lambda number=number: client(number) for number in range(THREADS)])  # type: ignore[misc]
            if turn:  # the first turn warms up
                sides[name].append(THREADS * CALLS / elapsed)
    return sides["product"], sides["orm"]


def together(works: list[Callable[[], None]]) -> float:
    """Seconds until all are done, each in a thread with a connection that is open already."""
    gate, failures = threading.Barrier(len(works) + 1), []

    def begin(work: Callable[[], None]) -> None:
        try:
            PointsAccount.objects.first()
            gate.wait()
            work()
        except BaseException as error:
            failures.append(error)
            gate.abort()
        finally:
            connection.close()

    threads = [threading.Thread(target=begin, args=(work,)) for work in works]
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


def run(pgbench: str, *options: str, settings: str = "") -> str:
    """What pgbench said, on both its outputs."""
    environment = {**os.environ, "PGOPTIONS": settings}
    done = subprocess.run(
        [pgbench, *options, os.environ["DATABASE_URL"]], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode or "-i" not in options and "number of failed transactions: 0 " not in done.stdout:
        raise SystemExit(f"pgbench: {done.stderr[-2000:]}{done.stdout[-500:]}")
    return done.stdout + done.stderr


def rate(told: str) -> float:
    """Transactions a second without connecting."""
    found = re.search(r"tps = ([\d.]+) \(without", told)
    assert found is not None, told
    return float(found[1])
