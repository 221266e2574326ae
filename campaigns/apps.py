from __future__ import annotations

from importlib import import_module
from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class CampaignsConfig(AppConfig):
    name = "campaigns"

    def ready(self) -> None:
        """Show messages to lower apps, on pages and in conditions, and give every database its accounts."""
        import_module("campaigns.queries.fields")
        import_module("campaigns.web.panels")
        post_migrate.connect(_ensure_accounts, sender=self)


def _ensure_accounts(**_: Any) -> None:
    import_module("campaigns.operations.accounts").ensure_defaults()
