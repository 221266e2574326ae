"""Load the demo brand: `manage.py seed_demo --members 20000 --seed 1`."""

from __future__ import annotations

import os
import secrets
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import translation
from django.utils.dateparse import parse_date

from members.operations import demo
from scrm.common import clock
from scrm.common.errors import DomainError
from scrm.console import demo_setup


class Command(BaseCommand):
    help = "Fill an empty installation with a believable retail brand, deterministic for a seed and a day."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--members", type=int, default=20_000)
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--orders-per-member", type=float, default=5.0)
        parser.add_argument("--until", type=parse_date, help="the last day with orders (default: today)")
        parser.add_argument("--if-empty", action="store_true", help="do nothing when there are members already")
        parser.add_argument("--facts-only", action="store_true", help="members and orders only: no tags, scores, users")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["if_empty"] and not demo.is_empty():
            self.stderr.write("seed_demo: there are members already, nothing done")
            return
        started = time.monotonic()
        now = clock.now() if options["until"] is None else clock.day_end(options["until"])
        try:
            with translation.override("zh-hans"):
                counts = demo.load(
                    members=options["members"],
                    seed=options["seed"],
                    now=now,
                    orders_per_member=options["orders_per_member"],
                    report=lambda line: self.stderr.write(f"seed_demo: {line}"),
                )
                if not options["facts_only"]:
                    password = os.environ.get("DEMO_PASSWORD") or secrets.token_urlsafe(9)
                    demo_setup.finish(
                        now=now,
                        seed=options["seed"],
                        password=password,
                        report=lambda line: self.stderr.write(f"seed_demo: {line}"),
                    )
        except DomainError as error:
            raise CommandError(str(error)) from error
        seconds = time.monotonic() - started
        self.stdout.write(", ".join(f"{value:,} {name}" for name, value in counts.items()) + f" in {seconds:.1f} s")
