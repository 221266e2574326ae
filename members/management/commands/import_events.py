"""Import events from a file."""

from __future__ import annotations

from members.enums import ImportKind
from members.management.importing import ImportCommand


class Command(ImportCommand):
    help = "Import events from a CSV (plain or gzip) or XLSX file, and say what was taken and what was not"
    kind = ImportKind.EVENTS.value
