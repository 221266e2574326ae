"""Compile the translations; needs no gettext programs."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from scrm.console import translations


class Command(BaseCommand):
    help = "Write the binary catalogues that Django reads."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        translations.compile_all()
