from django.apps import AppConfig


class AnalyticsConfig(AppConfig):
    name = "analytics"

    def ready(self) -> None:
        """Registers what the app offers to the condition language and to the member list."""
        from analytics.queries import (  # noqa: PLC0415  # models exist only now
            fields,  # noqa: F401
            indexes,  # noqa: F401
            member_list,  # noqa: F401
            model_fields,  # noqa: F401
            model_filters,  # noqa: F401
        )
        from analytics.web import panels  # noqa: F401, PLC0415
