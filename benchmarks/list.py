"""The member list at one page of 50: the console beside the stock Django admin over the same rows.

Both are asked for in-process through the whole middleware stack, logged in as the same superuser, in turns; the answers
are complete pages as a browser gets them. The admin shows the same columns of the same members in the same order.
"""

from __future__ import annotations

import gzip
import json
import os
import statistics
import time

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client

from members.operations import demo
from members.queries import criteria
from scrm.common import clock

REPETITIONS = 40
CONSOLE = "/members/"
ADMIN = "/admin/members/member/"
# A store's own list, a name, a value: what operators ask all day.
FILTERED = ("/members/?q=王", "/members/?sort=-net", "/members/?orders_min=3&sort=-net", "/members/?city={city}")


def main(size: int) -> None:
    """Measure with `size` members."""
    prepare(size)
    client = logged_in()
    cities = criteria.city_options()
    pages = [CONSOLE, *(page.format(city=cities[0][0] if cities else "") for page in FILTERED)]
    for page in (*pages, ADMIN):
        for _ in range(3):
            fetch(client, page)
    console: list[float] = []
    filtered: list[float] = []
    admin: list[float] = []
    for number in range(REPETITIONS):
        console.append(fetch(client, CONSOLE)[0])
        filtered.append(fetch(client, pages[1 + number % len(FILTERED)])[0])
        if number % 4 == 0:  # the slow side is asked less often, in the same stretch of time
            admin.append(fetch(client, ADMIN)[0])
    body = fetch(client, CONSOLE)[1]
    kilobytes = len(gzip.compress(body, 6)) / 1000
    ours, theirs = statistics.median(console), statistics.median(admin)
    print(f"{size:,} members, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"console   median {ours:.1f} ms, p99 {p99(console):.1f} ms")
    print(f"filtered  median {statistics.median(filtered):.1f} ms")
    print(f"admin     median {theirs:.1f} ms")
    print(f"page      {len(body) / 1000:.1f} kB, {kilobytes:.1f} kB compressed")
    result = {
        "name": "list",
        "ratios": {"x_faster_than_stock_admin": round(theirs / ours, 1)},
        "figures": {
            "server_ms": round(ours, 1),
            "server_p99_ms": round(p99(console), 1),
            "filtered_ms": round(statistics.median(filtered), 1),
            "admin_ms": round(theirs, 1),
            "page_kb": round(kilobytes, 1),
        },
    }
    print(f"BENCH {json.dumps(result)}")


def prepare(size: int) -> None:
    """The demo brand with `size` members, unless it is there."""
    if demo.is_empty():
        demo.load(members=size, seed=1, now=clock.now(), orders_per_member=5.0, report=lambda line: print(line))
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM members_member")
        (members,) = cursor.fetchone()
        if members < size:
            raise SystemExit(f"the benchmark's database has {members:,} members; `make clean` makes room for {size:,}")
        for table in ("members_member", "members_membersummary", "members_store", "members_staff"):
            cursor.execute(f"VACUUM ANALYZE {table}")


def logged_in() -> Client:
    user, _ = get_user_model().objects.get_or_create(
        username="benchmark", defaults={"role": "admin", "is_staff": True, "is_superuser": True}
    )
    if "*" not in settings.ALLOWED_HOSTS:
        settings.ALLOWED_HOSTS.append("testserver")
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def fetch(client: Client, address: str) -> tuple[float, bytes]:
    """Milliseconds and body of one answer."""
    started = time.perf_counter()
    answer = client.get(address)
    elapsed = (time.perf_counter() - started) * 1000
    if answer.status_code != 200:
        raise RuntimeError(f"{address} answered {answer.status_code}")
    return elapsed, answer.content


def p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[98]
