"""Compute lifecycle and AIPL stages here and now: `manage.py run_lifecycle`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from analytics.operations import lifecycle
from scrm.common import clock
from scrm.common.access import SYSTEM
from scrm.common.errors import DomainError


class Command(BaseCommand):
    help = "Compute the lifecycle and AIPL stages of every member, as of today."

    def handle(self, *args: Any, **options: Any) -> None:
        now = clock.now()
        try:
            run = lifecycle.run(as_of=clock.shop_date(now), actor=SYSTEM, now=now)
        except DomainError as error:
            raise CommandError(f"{error.code}: {error}") from error
        self.stdout.write(f"as of {run.as_of}: {run.distribution['members']:,} members, {run.changed:,} changed")
