"""Tags that models put on members: system groups and tags, and publishing what a run concluded, set-based."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from members.operations import summaries, timeline
from scrm.common.transactions import atomic
from tags.enums import Choice, TagKind
from tags.models import Tag, TagGroup

MAX_NAME = 40


def ensure_group(*, name: str, choice: str = Choice.SINGLE, colour: str) -> int:
    """The id of the group that models of this name put their tags into; a group of people's own keeps its name."""
    with atomic():
        names = (name, _("%(name)s (model)") % {"name": name})
        for candidate in names:
            group = TagGroup.objects.filter(name=candidate).first()
            if group is not None and not group.tags.exclude(kind=TagKind.MODEL).exists():
                return group.pk
        free = next((one for one in names if not TagGroup.objects.filter(name=one).exists()), names[1])
        last = TagGroup.objects.order_by("-position").values_list("position", flat=True).first() or 0
        group, _created = TagGroup.objects.get_or_create(
            name=free, defaults={"choice": choice, "colour": colour, "position": min(last + 1, 32_767)}
        )
        return group.pk


def ensure_tag(*, group_id: int, name: str, description: str = "") -> int:
    """The id of the model tag of this name in the group."""
    name = name.strip()[:MAX_NAME]
    tag, _created = Tag.objects.get_or_create(
        group_id=group_id, name=name, defaults={"kind": TagKind.MODEL, "description": description[:200]}
    )
    return tag.pk


def group_of(*, tag_id: int) -> int:
    """The group of a tag."""
    return Tag.objects.values_list("group_id", flat=True).get(pk=tag_id)


# Merged tags hand on what is meant for them; archived ones are put on nobody.
_STAGE = """
    CREATE TEMP TABLE model_tag_moves ON COMMIT DROP AS
    SELECT move.member_id, coalesce(t.merged_into_id, t.id) AS tag_id, move.added, left(move.reason, 200) AS reason,
           target.archived_at IS NULL AS usable, target.valid_days
    FROM ({moves}) AS move (member_id, tag_id, added, reason)
    JOIN tags_tag t ON t.id = move.tag_id
    JOIN tags_tag target ON target.id = coalesce(t.merged_into_id, t.id)
"""


def publish(*, moves: str, params: dict[str, Any], noted: bool, now: datetime) -> int:
    """Put on and take off the tags that a statement answers as (member id, tag id, whether added, reason).

    Only tags that a model put on are taken off. `noted`: the moves go to the timelines, too. Inside the caller's
    transaction; returns how many assignments changed.
    """
    with atomic(), connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS model_tag_moves")
        cursor.execute(_STAGE.format(moves=moves), params)
        # In the order in which watches want it, see tags/operations/watches.py; of two writers to one single-choice
        # group the later one wins whole.
        cursor.execute(
            "SELECT id FROM members_member WHERE id IN (SELECT member_id FROM model_tag_moves)"
            " ORDER BY id FOR NO KEY UPDATE"
        )
        summaries.hold([row[0] for row in cursor.fetchall()])
        cursor.execute(
            """
            WITH gone AS (
                DELETE FROM tags_membertag mt USING model_tag_moves d
                WHERE NOT d.added AND mt.member_id = d.member_id AND mt.tag_id = d.tag_id AND mt.source = %(model)s
                RETURNING mt.member_id, mt.tag_id, d.reason
            ), fresh AS (
                INSERT INTO tags_membertag (member_id, tag_id, source, reason, assigned_at, expires_at)
                SELECT member_id, tag_id, %(model)s, reason, %(now)s, %(now)s + valid_days * interval '1 day'
                FROM model_tag_moves WHERE added AND usable ORDER BY 1, 2
                ON CONFLICT DO NOTHING RETURNING member_id, tag_id, reason
            )
            SELECT FALSE, member_id, tag_id, reason FROM gone WHERE %(noted)s
            UNION ALL SELECT TRUE, member_id, tag_id, reason FROM fresh WHERE %(noted)s
            UNION ALL SELECT NULL, (SELECT count(*) FROM gone) + (SELECT count(*) FROM fresh), 0, ''
            """,
            {"model": TagKind.MODEL.value, "now": now, "noted": noted},
        )
        rows = cursor.fetchall()
    changed = next(count for added, count, _tag, _reason in rows if added is None)
    _note([row for row in rows if row[0] is not None], now=now)
    return int(changed)


def _note(rows: list[tuple[bool, int, int, str]], *, now: datetime) -> None:
    tags = {tag.pk: tag for tag in Tag.objects.filter(pk__in={row[2] for row in rows}).select_related("group")}
    stamp = now.isoformat()
    for kind, wanted in (("tag.removed", False), ("tag.added", True)):
        timeline.append(
            source="tags",
            type=kind,
            rows=[
                (
                    member_id,
                    f"{kind}:{tag_id}:{stamp}",
                    now,
                    {
                        "tag_id": tag_id,
                        "tag": tags[tag_id].name,
                        "group": tags[tag_id].group.name,
                        "by": "model",
                        **({"reason": reason} if reason else {}),
                    },
                )
                for added, member_id, tag_id, reason in rows
                if added is wanted
            ],
            now=now,
        )
