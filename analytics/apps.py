from django.apps import AppConfig


class AnalyticsConfig(AppConfig):
    name = "analytics"

    def ready(self) -> None:
        """Registers what the app offers to the condition language and to the member list."""
        from analytics.queries import fields, member_list  # noqa: F401, PLC0415  # models exist only now
        from analytics.web import panels  # noqa: F401, PLC0415
