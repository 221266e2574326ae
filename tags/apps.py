from django.apps import AppConfig


class TagsConfig(AppConfig):
    name = "tags"

    def ready(self) -> None:
        """Registers what the app offers to the condition language, to the member list and to other apps' pages."""
        from members.operations import tier_schemes  # noqa: PLC0415  # models exist only now
        from tags.operations import watches  # noqa: PLC0415
        from tags.queries import (  # noqa: PLC0415  # models exist only now
            fields,  # noqa: F401
            indexes,  # noqa: F401
            member_list,  # noqa: F401
            segment_indexes,  # noqa: F401
        )
        from tags.web import panels  # noqa: F401, PLC0415

        tier_schemes.register_follower(lambda now: watches.reconsider(topics={"tier"}, now=now))
