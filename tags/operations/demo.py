"""Tagging the demo brand's members, set-based: no timeline entries, as if the tags had always been there."""

from __future__ import annotations

from datetime import datetime

from django.db import connection

from scrm.common.transactions import atomic
from tags.models import MemberTag, Tag, TagGroup
from tags.rules import demo


def load(*, seed: int, now: datetime) -> int:
    """Create the demo's tag groups and assign their tags; answers the number of assignments."""
    total = 0
    with atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        for position, (group_name, choice, colour, tags) in enumerate(demo.GROUPS):
            group, _ = TagGroup.objects.get_or_create(
                name=group_name, defaults={"choice": choice, "colour": colour, "position": position}
            )
            for tag in tags:
                row, _ = Tag.objects.get_or_create(group=group, name=tag.name)
                cursor.execute(
                    f"""
                    INSERT INTO {MemberTag._meta.db_table} (member_id, tag_id, source, reason, assigned_at)
                    SELECT id, %(tag)s, 'manual', '', %(now)s FROM ({tag.members}) AS chosen (id)
                    ON CONFLICT DO NOTHING
                    """,
                    {"tag": row.pk, "now": now, "salt": seed},
                )
                total += cursor.rowcount
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {MemberTag._meta.db_table}")
    return total
