"""`manage.py condition_docs`: write the published schema and the tables of the condition language into docs/."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from scrm.common import conditions
from scrm.common.conditions import reference

DOCS = Path(settings.BASE_DIR) / "docs"
SCHEMA = DOCS / "condition.schema.json"
GUIDE = DOCS / "conditions.md"
_FROM, _TO = "<!-- written by manage.py condition_docs -->", "<!-- end -->"


def schema_text() -> str:
    """What the schema file holds."""
    return json.dumps(conditions.json_schema(), indent=1, ensure_ascii=False) + "\n"


def guide_text(present: str) -> str:
    """The guide with its tables brought up to date."""
    before, rest = present.split(_FROM)
    _, after = rest.split(_TO)
    return f"{before}{_FROM}\n\n{reference.tables()}\n\n{_TO}{after}"


class Command(BaseCommand):
    help = "Writes docs/condition.schema.json and the tables of docs/conditions.md from the registered fields."

    def handle(self, *args: Any, **options: Any) -> None:
        SCHEMA.write_text(schema_text())
        GUIDE.write_text(guide_text(GUIDE.read_text()))
        self.stdout.write("written")
