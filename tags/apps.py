from django.apps import AppConfig


class TagsConfig(AppConfig):
    name = "tags"

    def ready(self) -> None:
        """Registers what the app offers to the condition language."""
        from tags.queries import fields  # noqa: F401, PLC0415  # models exist only now
