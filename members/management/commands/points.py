from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from members.operations import points_rebuild
from members.queries import points_check


class Command(BaseCommand):
    """Prove every promise of the points ledger, or recompute balances and lots from entries and allocations."""

    help = "Check the points ledger against its invariants, or rebuild balances and lots from its entries."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=["check", "rebuild"])
        parser.add_argument("--member", type=int, help="check one member only")

    def handle(self, *args: Any, **options: Any) -> None:
        started = time.perf_counter()
        if options["action"] == "rebuild":
            wrong = points_rebuild.rebuild()
            self.stdout.write(f"{wrong} accounts were wrong; {time.perf_counter() - started:.1f} s")
            return
        member = options["member"]
        findings = 0
        for finding in points_check.check(first=member, last=member):
            self.stdout.write(f"  {finding}")
            findings += 1
        if member is None:
            for told in points_check.unbalanced():
                self.stdout.write(f"  {told}")
                findings += 1
            for (currency, account), amount in points_check.programme().items():
                self.stdout.write(f"{currency} {account}: {amount:,}")
        if findings:
            raise CommandError(f"{findings} findings; `points rebuild` mends balances and lots")
        self.stdout.write(f"every promise is kept; {time.perf_counter() - started:.1f} s")
