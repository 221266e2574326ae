from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from scrm.common.bitmaps import checking, families, folding


class Command(BaseCommand):
    """Build the bitmaps that answer conditions anew, or compare every one of them with the rows."""

    help = "Build the bitmaps of tags, scores and profiles anew, or compare them with the rows."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=["rebuild", "check"])
        parser.add_argument(
            "--family",
            action="append",
            choices=[family.name for family in families.every()],
            help="only this family; may be given several times",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        names = options["family"] or [family.name for family in families.every()]
        if options["action"] == "rebuild":
            for name in names:
                started = time.perf_counter()
                folding.rebuild(name)
                self.stdout.write(f"{name}: built in {time.perf_counter() - started:.1f} s")
            return
        differences = 0
        for name in names:
            try:
                found = checking.check(name)
            except checking.NotBuilt:
                self.stdout.write(f"{name}: not built; answers come from the rows")
                continue
            self.stdout.write(f"{name}: {'as the rows' if not found else f'{len(found)} differences'}")
            for difference in found:
                self.stdout.write(f"  {difference}")
            differences += len(found)
        if differences:
            raise CommandError(f"{differences} bitmaps differ from the rows; `bitmaps rebuild` makes them anew")
