"""Compute RFM here and now: `manage.py run_rfm`, `manage.py run_rfm --source online-retail --as-of 2011-12-10`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.dateparse import parse_date

from analytics.operations import rfm, rfm_models
from analytics.queries.rfm import models
from analytics.queries.summary import find_source
from scrm.common import clock
from scrm.common.access import SYSTEM
from scrm.common.errors import DomainError


class Command(BaseCommand):
    help = "Compute RFM scores and publish them. A source gets a model of its own when it has none."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--model", help="the model's name (default: the default model)")
        parser.add_argument("--source", help="a source's key: only its orders")
        parser.add_argument("--as-of", type=parse_date, help="YYYY-MM-DD (default: today)")

    def handle(self, *args: Any, **options: Any) -> None:
        now = clock.now()
        try:
            if options["model"]:
                model = next((entry for entry in models() if entry.name == options["model"]), None)
                if model is None:
                    raise CommandError(f"there is no RFM model called {options['model']!r}")
            elif options["source"]:
                source = find_source(options["source"])
                model = rfm_models.ensure_for_source(source_id=source.id, name=source.name or source.key)
            else:
                model = rfm_models.ensure_default()
            run = rfm.run(model_id=model.pk, as_of=options["as_of"] or clock.shop_date(now), actor=SYSTEM, now=now)
        except DomainError as error:
            raise CommandError(f"{error.code}: {error}") from error
        self.stdout.write(f"{model.name}, as of {run.as_of}: {run.buyers:,} buyers, {run.changed:,} scores changed")
        for name, (members, _net) in sorted(run.distribution["classes"].items()):
            self.stdout.write(f"  {name}: {members:,}")
