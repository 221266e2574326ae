from django.apps import AppConfig

from scrm.common import reactions


class ConsoleConfig(AppConfig):
    name = "scrm.console"
    label = "console"

    def ready(self) -> None:
        from scrm.reactions import REACTIONS  # noqa: PLC0415  # reactions import models, which exist from here on

        reactions.install(REACTIONS)
