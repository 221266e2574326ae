"""Counting who has each tag, day by day, and telling people when a share drifts."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from django.utils.translation import gettext_noop

from scrm.common import clock
from scrm.common.models import Notification
from scrm.common.transactions import atomic
from tags.models import Tag, TagRule
from tags.queries import statistics as queries
from tags.queries.statistics import Drift

# Nobody is told of the same tag again sooner.
_QUIET = timedelta(days=7)

# Who got a tag today and has it still is told by the assignment; who lost it, by what is missing since the last count.
_COUNT = """
    INSERT INTO tags_tagstatistic AS s (tag_id, counted_on, members, added, removed)
    SELECT t.id, %(day)s, COALESCE(c.members, 0), COALESCE(c.added, 0),
           GREATEST(COALESCE(p.members, 0) + COALESCE(c.added, 0) - COALESCE(c.members, 0), 0)
    FROM tags_tag t
    LEFT JOIN (
        SELECT mt.tag_id, count(*) AS members, count(*) FILTER (WHERE mt.assigned_at >= %(start)s) AS added
        FROM tags_membertag mt JOIN members_member m ON m.id = mt.member_id AND m.status = 'active'
        WHERE mt.expires_at IS NULL OR mt.expires_at > %(now)s GROUP BY mt.tag_id
    ) c ON c.tag_id = t.id
    LEFT JOIN LATERAL (
        SELECT members FROM tags_tagstatistic WHERE tag_id = t.id AND counted_on < %(day)s
        ORDER BY counted_on DESC LIMIT 1
    ) p ON TRUE
    WHERE t.merged_into_id IS NULL AND (t.archived_at IS NULL OR c.members > 0)
    ON CONFLICT (tag_id, counted_on) DO UPDATE SET
        members = EXCLUDED.members, added = EXCLUDED.added, removed = EXCLUDED.removed
"""


def count(*, now: datetime) -> int:
    """Count every tag for the shop day of `now`; the last count of a day stays. Answers how many tags were counted.

    Added are those who were given the tag that day and have it still; removed those missing since the day before.
    """
    day = clock.shop_date(now)
    with atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(_COUNT, {"day": day, "start": clock.day_start(day), "now": now})
        return int(cursor.rowcount)


def alert(*, now: datetime) -> list[Drift]:
    """Tell the owner of each tag (else who made its rule) that its share moved by more than `TAG_DRIFT_ALERT`.

    Once a week per tag and person. Answers the drifts that somebody was told of.
    """
    told = []
    with atomic():
        for drift in queries.drifts(now=now, threshold=settings.TAG_DRIFT_ALERT):
            tag = Tag.objects.get(pk=drift.tag_id)
            rule = TagRule.objects.filter(tag=tag).first()
            user_id = tag.owner_id or (rule.created_by_id if rule is not None else None)
            url = f"/tags/{tag.pk}/"
            if (
                user_id is None
                or Notification.objects.filter(
                    user_id=user_id, url=url, level="warning", created_at__gt=now - _QUIET
                ).exists()
            ):
                continue
            Notification.objects.create(
                user_id=user_id,
                level="warning",
                message=gettext_noop("“%(name)s”: %(before)s members %(days)s days ago, %(members)s now"),
                values={"name": tag.name, "before": drift.before, "days": drift.days, "members": drift.members},
                url=url,
                created_at=now,
            )
            told.append(drift)
    return told
