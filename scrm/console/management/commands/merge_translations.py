"""Bring the catalogue up to date with what templates and code use."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from scrm.console import translations


class Command(BaseCommand):
    help = "Rewrite locale/zh_Hans with every message in use, keeping what is translated, and compile it."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        lacking = translations.merge()
        translations.compile_all()
        for msgid, place in translations.missing().items():
            self.stdout.write(f"missing: {msgid!r} ({place})")
        self.stdout.write(f"{lacking} messages lack a translation")
