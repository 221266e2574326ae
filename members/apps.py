from django.apps import AppConfig
from django.db.models.signals import post_migrate


class MembersConfig(AppConfig):
    name = "members"

    def ready(self) -> None:
        """Registers what the app offers to the condition language and to the palette."""
        from members.operations import currencies, references, tasks_known  # noqa: PLC0415
        from members.queries import fields, indexes  # noqa: F401, PLC0415  # models exist only now
        from members.web import panels  # noqa: F401, PLC0415

        # Emptied or rebuilt tables (tests do that) make remembered ids wrong.
        post_migrate.connect(references.forget, sender=self)
        post_migrate.connect(currencies.forget, sender=self)
        post_migrate.connect(tasks_known.forget, sender=self)
