from django.apps import AppConfig


class MembersConfig(AppConfig):
    name = "members"

    def ready(self) -> None:
        """Registers what the app offers to the condition language."""
        from members.queries import fields  # noqa: F401, PLC0415  # models exist only now
