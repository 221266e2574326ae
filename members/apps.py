from django.apps import AppConfig
from django.db.models.signals import post_migrate


class MembersConfig(AppConfig):
    name = "members"

    def ready(self) -> None:
        """Registers what the app offers to the condition language and to the palette."""
        from members.operations import currencies, references, tag_references  # noqa: F401, PLC0415

        # Models exist only now.
        from members.queries import earning_spending, fields, indexes, loyalty_uses, points_fields  # noqa: F401, PLC0415
        from members.web import panels, tier_members  # noqa: F401, PLC0415

        # Emptied or rebuilt tables (tests do that) make remembered ids wrong.
        post_migrate.connect(references.forget, sender=self)
        post_migrate.connect(currencies.make_first, sender=self)
