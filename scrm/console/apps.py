from django.apps import AppConfig

from scrm.common import reactions


class ConsoleConfig(AppConfig):
    name = "scrm.console"
    label = "console"

    def ready(self) -> None:
        # Tasks sent from a page or a command go to the project's broker only once its Celery application exists.
        from scrm import celery  # noqa: F401, PLC0415
        from scrm.reactions import HOLD, REACTIONS, REDEFINITIONS  # noqa: PLC0415  # reactions import models, which exist from here on

        reactions.install(REACTIONS, redefinitions=REDEFINITIONS, hold=HOLD)
