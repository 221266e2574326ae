"""Accept → tag visible: 2,000 events a second over HTTP for a minute with 50 tag rules, at rest and beside RFM runs.

Events go in batches, of 50 and then of 25, to the product's own route behind granian, on an open schedule: a batch
that is late because the one before was slow counts with its delay. In each batch one event makes a member fulfil a
rule for the first time; as soon as the batch is answered another connection asks for that tag until it sees it. A
latency reaches from the moment at which the batch was due to be sent to the moment at which the tag was seen.

What the product's clock does every second and every two runs beside it, as in production: the sweep that evaluates
what time alone turns, and the folding of bitmaps. The load, the probes, the web server and PostgreSQL share the
machine.
"""

from __future__ import annotations

import functools
import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

from django.db import connection

from analytics.operations import rfm, rfm_models
from benchmarks import intake
from benchmarks import rfm as rfm_benchmark
from benchmarks.realtime_plan import BATCHES, PROBE, RATE, TYPES, WORDS
from members.models import EventType, Source
from scrm.common import api_keys, clock
from scrm.common.access import SYSTEM
from scrm.common.bitmaps import folding
from scrm.common.models import ApiKey
from tags.models import Tag, TagGroup
from tags.operations import automatic, watch_runs, watches

SECONDS = int(os.environ.get("SECONDS", "60"))
WARM_UP = 5  # seconds
RULES = 50
ACTIVE = 50_000  # members who are browsing
HISTORY = 20  # events that each of them left behind in the ten days before


def main(size: int) -> None:
    """Measure with `size` members and five orders each."""
    intake.durable()
    clean()
    rfm_benchmark.prepare(size)
    people = prepare()
    key, secret = api_keys.create(name="benchmark", scopes=["facts.write"], actor=SYSTEM)
    ApiKey.objects.filter(pk=key.pk).update(per_minute=10**9)
    probe_tag, enabled = make_rules()
    for table in ("members_member", "members_event", "members_membersummary", "tags_watchmember", "tags_watchflip"):
        rfm_benchmark.vacuum(table)
    probes = iter(people[::-1])
    folding.fold_everything()
    with intake.served("scrm.wsgi:application") as port, Clock() as ticks:
        send = functools.partial(drive, port, secret, people, probes, probe_tag)
        send(batch=BATCHES[0], seconds=WARM_UP)
        figures: dict[str, Any] = {f"batches_of_{batch}": measure(send, batch) for batch in BATCHES}
    print(f"meanwhile {ticks.swept:,} answers were swept and {ticks.folded:,} members folded into bitmaps")
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {size:,} members, {enabled} rules enabled")
    clean()
    figures |= {"rules": enabled, "active_members": ACTIVE, "members": size}
    print("BENCH " + json.dumps({"name": "realtime", "ratios": {}, "figures": figures}))


def measure(send: Callable[..., dict[str, float]], batch: int) -> dict[str, Any]:
    """Send in batches of this size, at rest and then beside RFM runs."""
    rest = send(batch=batch, seconds=SECONDS)
    with RfmRuns() as runs:
        busy = send(batch=batch, seconds=SECONDS)
    for name, found in (("at rest", rest), (f"beside {runs.count} RFM runs", busy)):
        print(
            f"{name}: {found['events_per_s']:,.0f} events/s, {found['batches']:,} batches of {batch}, "
            f"p50 {found['p50']:.1f} ms, p99 {found['p99']:.1f} ms, longest {found['longest']:.1f} ms"
        )
    return {
        "events_per_s": round(rest["events_per_s"]),
        "p50_ms": round(rest["p50"], 1),
        "p99_ms": round(rest["p99"], 1),
        "longest_ms": round(rest["longest"], 1),
        "p50_ms_during_rfm": round(busy["p50"], 1),
        "p99_ms_during_rfm": round(busy["p99"], 1),
        "events_per_s_during_rfm": round(busy["events_per_s"]),
        "rfm_runs": runs.count,
    }


def prepare() -> list[tuple[str, int]]:
    """An app user for each of the members that are active or will be probes: (identity, member id)."""
    Source.objects.get_or_create(key="bench")
    for key in (*TYPES, PROBE):
        EventType.objects.get_or_create(key=key)
    probes = sum((2 * SECONDS + WARM_UP) * RATE // batch for batch in BATCHES)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO members_identity (kind, value, member_id)
            SELECT 'app_user', 'rt-' || id, id FROM members_member WHERE status = 'active' ORDER BY id LIMIT %s
            ON CONFLICT DO NOTHING
            """,
            [ACTIVE + probes],
        )
        cursor.execute(
            "SELECT value, member_id FROM members_identity WHERE kind = 'app_user' AND value LIKE 'rt-%%' ORDER BY 2"
        )
        found: list[tuple[str, int]] = cursor.fetchall()
    if len(found) < ACTIVE + probes:
        raise SystemExit(f"{len(found):,} members are too few for {probes:,} probes")
    remember([member_id for _, member_id in found[:ACTIVE]])
    # Probes must not get the ordinary events: the last ones are theirs.
    return found


def remember(member_ids: list[int]) -> None:
    """What the active members did before, so that most rules have made up their minds about them."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO members_event (member_id, source_id, type_id, message_id, occurred_at, properties)
            SELECT m.id, (SELECT id FROM members_source WHERE key = 'bench'), types.ids[1 + (m.id * 7 + n * n) %% 10],
                   'history-' || n, now() - ((m.id * 31 + n * 137) %% 864000) * interval '1 second',
                   jsonb_build_object('title', words.list[1 + (m.id + n) %% 10] || '必读', 'page', '/a/' || n)
            FROM unnest(%s::bigint[]) AS m (id) CROSS JOIN generate_series(1, %s) AS n
            CROSS JOIN (SELECT array_agg(id ORDER BY id) AS ids FROM members_eventtype WHERE key = ANY(%s)) types
            CROSS JOIN (SELECT %s::text[] AS list) words
            """,
            [member_ids, HISTORY, TYPES, WORDS],
        )


def make_rules() -> tuple[int, int]:
    """Fifty enabled rules of the usual kinds, and the tag that the probes get."""
    group = TagGroup.objects.create(name="bench")
    leaves: list[Any] = [{"field": "event.count", "op": "ge", "value": 1, "with": {"type": [PROBE]}}]
    week, month = {"last": {"n": 7, "unit": "day"}}, {"last": {"n": 30, "unit": "day"}}
    for number, kind in enumerate(TYPES):
        leaves += [
            {"field": "event.count", "op": "ge", "value": 3, "with": {"type": [kind]}, "window": week},
            {"all": [{"field": "event", "op": "true", "with": {"type": [kind]}, "window": month},
                     {"field": "order.count", "op": "ge", "value": 1 + number % 4}]},
            {"field": "event", "op": "true", "window": month,
             "with": {"type": [kind], "where": [{"property": "title", "op": "contains", "value": WORDS[number]}]}},
            {"field": "event.weight", "op": "ge", "value": 3, "with": {"type": [kind], "half_life_days": 14}},
        ]  # fmt: skip
    leaves += [
        {"all": [{"field": "order.sum", "op": "ge", "value": 10_000 + 1_000 * number},
                 {"none": [{"field": "event", "op": "true", "with": {"type": [TYPES[number]]}, "window": week}]}]}
        for number in range(RULES - len(leaves))
    ]  # fmt: skip
    tags: list[int] = []
    slowest = 0.0
    for number, condition in enumerate(leaves):
        tag = Tag.objects.create(group=group, name=f"bench {number}")
        rule = automatic.create(tag_id=tag.pk, form="condition", definition={"condition": condition}, now=clock.now())
        automatic.enable(rule_id=rule.pk, now=clock.now())
        started = time.perf_counter()
        watch_runs.evaluate_everyone(watch_id=rule.watch_id, now=clock.now())
        slowest = max(slowest, time.perf_counter() - started)
        tags.append(tag.pk)
    print(f"{len(tags)} rules; everyone evaluated in at most {slowest:.1f} s each")
    return tags[0], len(tags)


def drive(
    port: int, secret: str, people: list[tuple[str, int]], probes: Any, probe_tag: int, *, batch: int, seconds: int
) -> dict[str, float]:
    """Send for so long, from a process of its own, and sum up what it saw."""
    count = seconds * RATE // batch
    plan = {
        "port": port,
        "batch": batch,
        "secret": secret,
        "people": [name for name, _ in people[:ACTIVE]],
        "probes": list(itertools.islice(probes, count)),
        "tag": probe_tag,
        "run": f"{time.time():.3f}",
        "conninfo": connection.get_connection_params() | {"cursor_factory": None, "context": None},
    }
    plan["conninfo"] = {
        name: value
        for name, value in plan["conninfo"].items()
        if name in ("dbname", "user", "password", "host", "port") and value
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plan.json"
        path.write_text(json.dumps(plan))
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.realtime_load", str(path)], check=True, stdout=subprocess.PIPE, text=True
        )
    answer: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return answer


class Beside:
    """Work in a thread of its own for as long as the block lasts; what it raises is raised when the block ends."""

    def __enter__(self) -> Self:
        self.stop = threading.Event()
        self.failure: BaseException | None = None
        self.thread = threading.Thread(target=self._guarded)
        self.thread.start()
        return self

    def _guarded(self) -> None:
        try:
            self.run()
        except BaseException as error:
            self.failure = error
        finally:
            connection.close()

    def run(self) -> None:
        raise NotImplementedError

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join()
        if self.failure is not None:
            raise self.failure


class Clock(Beside):
    """The ticks of the product's clock that follow facts (`scrm/schedule.py`)."""

    swept = folded = 0

    def run(self) -> None:
        for tick in itertools.count():
            if self.stop.wait(1.0):
                return
            self.swept += watches.sweep_due()
            if tick % 2:
                self.folded += folding.fold_everything()


class RfmRuns(Beside):
    """Full RFM runs one after another."""

    count = 0

    def run(self) -> None:
        model = rfm_models.ensure_default()
        day = clock.shop_date(clock.now())
        while not self.stop.is_set():
            # Every other run looks a week back, so that each publication has scores to change.
            rfm.run(model_id=model.pk, as_of=day - timedelta(days=7 * (self.count % 2)), actor=SYSTEM)
            self.count += 1


def clean() -> None:
    """Remove what a run has made."""
    intake.clean()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM members_identity WHERE kind = 'app_user' AND value LIKE 'rt-%%'")
        cursor.execute("SELECT id FROM tags_tag WHERE name LIKE 'bench %%'")
        tags = [row[0] for row in cursor.fetchall()]
        cursor.execute("SELECT watch_id FROM tags_tagrule WHERE tag_id = ANY(%s)", [tags])
        watch_ids = [row[0] for row in cursor.fetchall()]
        cursor.execute("DELETE FROM tags_tagrule WHERE tag_id = ANY(%s)", [tags])
        for table in ("tags_watchmember", "tags_watchflip"):
            cursor.execute(f"DELETE FROM {table} WHERE watch_id = ANY(%s)", [watch_ids])
        cursor.execute("DELETE FROM tags_watch WHERE id = ANY(%s)", [watch_ids])
        cursor.execute("DELETE FROM tags_membertag WHERE tag_id = ANY(%s)", [tags])
        cursor.execute("DELETE FROM tags_tagstatistic WHERE tag_id = ANY(%s)", [tags])
        cursor.execute("DELETE FROM tags_tag WHERE id = ANY(%s)", [tags])
        cursor.execute("DELETE FROM tags_taggroup WHERE name = 'bench'")
