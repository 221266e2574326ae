from django.apps import AppConfig


class TagsConfig(AppConfig):
    name = "tags"

    def ready(self) -> None:
        """Registers what the app offers to the condition language and to the member list."""
        from tags.queries import fields, member_list  # noqa: F401, PLC0415  # models exist only now
