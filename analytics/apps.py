from django.apps import AppConfig


class AnalyticsConfig(AppConfig):
    name = "analytics"

    def ready(self) -> None:
        """Registers what the app offers to the condition language."""
        from analytics.queries import fields  # noqa: F401, PLC0415  # models exist only now
