from django.apps import AppConfig


class TagsConfig(AppConfig):
    name = "tags"

    def ready(self) -> None:
        """Registers what the app offers to the condition language, to the member list and to other apps' pages."""
        from tags.queries import fields, member_list  # noqa: F401, PLC0415  # models exist only now
        from tags.web import panels  # noqa: F401, PLC0415
