from django.apps import AppConfig
from django.db.models.signals import post_migrate

from scrm.common import gates


class CommonConfig(AppConfig):
    name = "scrm.common"
    label = "common"

    def ready(self) -> None:
        """Has remembered rules forgotten when tables were emptied or rebuilt, as tests do."""
        post_migrate.connect(gates.forget, sender=self)
