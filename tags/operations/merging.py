"""Merging one tag into another: who has it, and what names it, mean the other one afterwards.

The merged tag stays, archived, as a signpost: timelines keep telling what was put on at the time. While a large merge
is under way a member may have both tags, never neither: they are put on first, then conditions are rewritten in one
transaction, and only then the old assignments go.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from members.operations import summaries
from scrm.common import clock, dependents, jobs
from scrm.common.access import Actor
from scrm.common.conditions.named import replace_tag
from scrm.common.dependents import Replacement, Thing
from scrm.common.errors import Conflict, Invalid
from scrm.common.transactions import atomic
from tags.enums import Choice
from tags.models import MemberTag, Tag
from tags.operations import automatic, catalogue, mirroring, watches
from tags.queries import merged, tag_dependents
from tags.queries.merged import JOB_KIND, REWRITTEN

# So many assignments are moved while the person waits.
AT_ONCE = 5_000
CHUNK = 5_000


@dataclass(frozen=True, slots=True)
class Merged:
    """What was done: assignments moved and things rewritten that name the tag; or the job that does it."""

    moved: int
    rewritten: int
    job_id: int | None = None


def merge(*, tag_id: int, into_id: int, actor: Actor, now: datetime) -> Merged:
    """Merge a tag into another one, at once when few have it, else as a job.

    A member with both keeps one assignment: the earlier start, the later end. Raises `NotFound`, `Invalid`
    (`same_tag`), `Conflict` (`tag_merged`, `merge_running`, `tag_archived`, `model_tag`, `members_with_several`).
    """
    with atomic():
        if not _are_many(tag_id):
            _hold_members(tag_id)
            dependents.hold(Thing.TAG, tag_id)
        # In the order of their ids, as every other merge locks them.
        locked = {pk: catalogue.locked_tag(pk) for pk in sorted({tag_id, into_id})}
        _check(locked[tag_id], locked[into_id])
        _close(locked[tag_id], locked[into_id], now)
        label = _("Merge “%(name)s” into “%(into)s”") % {"name": locked[tag_id].name, "into": locked[into_id].name}
        if _are_many(tag_id):
            params = {"tag_id": tag_id, "into_id": into_id}
            total = MemberTag.objects.filter(tag_id=tag_id).count()
            return Merged(0, 0, jobs.create(kind=JOB_KIND, label=label, params=params, actor=actor, total=total).pk)
        _last, moved = copy_chunk(tag_id=tag_id, into_id=into_id, after=0, size=AT_ONCE, now=now)
        rewritten = rewrite(tag_id=tag_id, into_id=into_id, why=label, now=now)
        clear_chunk(tag_id=tag_id, size=AT_ONCE)
        return Merged(moved, rewritten)


def copy_chunk(*, tag_id: int, into_id: int, after: int, size: int = CHUNK, now: datetime) -> tuple[int, int]:
    """Put the other tag on the next members above `after`; (last member, members), (0, 0) at the end.

    Safe to repeat.
    """
    with atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT member_id FROM tags_membertag WHERE tag_id = %s AND member_id > %s ORDER BY member_id LIMIT %s",
            [tag_id, after, size],
        )
        members = [row[0] for row in cursor.fetchall()]
        if not members:
            return 0, 0
        # As tagging locks them: of a single-choice group nobody gets two tags by crossing a merge.
        _lock_members(members)
        cursor.execute(
            "DELETE FROM tags_membertag WHERE tag_id = %s AND member_id = ANY(%s) AND expires_at <= %s",
            [into_id, members, now],
        )
        cursor.execute(
            """
            INSERT INTO tags_membertag AS kept
                (member_id, tag_id, source, reason, weight, weight_at, half_life_days, assigned_at, expires_at)
            SELECT member_id, %s, source, reason, weight, weight_at, half_life_days, assigned_at, expires_at
            FROM tags_membertag
            WHERE tag_id = %s AND member_id = ANY(%s) AND (expires_at IS NULL OR expires_at > %s)
            ORDER BY member_id
            ON CONFLICT (member_id, tag_id) DO UPDATE SET
                assigned_at = LEAST(kept.assigned_at, excluded.assigned_at),
                expires_at = CASE WHEN kept.expires_at IS NULL OR excluded.expires_at IS NULL THEN NULL
                                  ELSE GREATEST(kept.expires_at, excluded.expires_at) END
            """,
            [into_id, tag_id, members, now],
        )
        watches.refresh(topics={"tag"}, member_ids=members, now=now)
        return members[-1], len(members)


def rewrite(*, tag_id: int, into_id: int, why: str, now: datetime) -> int:
    """Let everything that names the one tag name the other; answers how many changed. Safe to repeat.

    Segments and tag rules here, what other apps have by what they registered in `dependents`.
    """
    with atomic():
        dependents.hold(Thing.TAG, tag_id)
        number = 0
        for segment in tag_dependents.naming_segments(tag_id):
            segment.condition = replace_tag(segment.condition, old=tag_id, new=into_id)
            segment.version += 1
            segment.updated_at = now
            segment.save(update_fields=["condition", "version", "updated_at"])
            if segment.watch_id is not None:
                watches.change(watch_id=segment.watch_id, condition=segment.condition, now=now)
            number += 1
        for rule in tag_dependents.naming_rules(tag_id):
            rule.definition = _replaced_definition(rule.definition, tag_id, into_id)
            rule.version += 1
            rule.updated_at = now
            rule.save(update_fields=["definition", "version", "updated_at"])
            condition = replace_tag(rule.watch.condition, old=tag_id, new=into_id)
            watches.change(watch_id=rule.watch_id, condition=condition, now=now)
            number += 1
        return number + dependents.rewrite(Thing.TAG, Replacement(tag_id, into_id, why, now))


def clear_chunk(*, tag_id: int, size: int = CHUNK) -> int:
    """Take the merged tag off the next members; answers of how many. Timelines keep telling that they had it."""
    with atomic(), connection.cursor() as cursor:
        cursor.execute(
            """
            DELETE FROM tags_membertag WHERE tag_id = %s AND member_id IN (
                SELECT member_id FROM tags_membertag WHERE tag_id = %s ORDER BY member_id LIMIT %s)
            """,
            [tag_id, tag_id, size],
        )
        return int(cursor.rowcount)


def run(*, params: dict[str, Any], progress: jobs.Progress) -> None:
    """Do a large merge, from the start or from where it stood. Each chunk is committed by itself."""
    tag_id, into_id = params["tag_id"], params["into_id"]
    after, counts = progress.checkpoint.get("after", 0), progress.checkpoint.get("counts") or {"moved": 0}
    while True:
        last, moved = copy_chunk(tag_id=tag_id, into_id=into_id, after=after, now=clock.now())
        if not moved:
            break
        after, counts = last, {"moved": counts["moved"] + moved}
        progress.report(done=counts["moved"], counts=counts, checkpoint={"after": after, "counts": counts})
    with atomic():
        rewrite(tag_id=tag_id, into_id=into_id, why=progress.job.label, now=clock.now())
        progress.report(checkpoint={"after": after, "counts": counts, REWRITTEN: True})
    while clear_chunk(tag_id=tag_id):
        progress.report()
    progress.finish_with(result_url=f"/tags/{into_id}/")


def _are_many(tag_id: int) -> bool:
    return MemberTag.objects.filter(tag_id=tag_id)[: AT_ONCE + 1].count() > AT_ONCE


def _hold_members(tag_id: int) -> None:
    """Hold those who have the tag before anything else: a batch about one of them waits here, not behind a gate."""
    members = list(MemberTag.objects.filter(tag_id=tag_id).values_list("member_id", flat=True))
    _lock_members(members)
    summaries.hold(members)


def _lock_members(member_ids: list[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM members_member WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE",
            [member_ids],
        )


def _replaced_definition(definition: dict[str, Any], old: int, new: int) -> dict[str, Any]:
    """A rule's form holds its condition, if it has one, under `condition`."""
    if "condition" not in definition:
        return definition
    return {**definition, "condition": replace_tag(definition["condition"], old=old, new=new)}


def _check(tag: Tag, into: Tag) -> None:
    if tag.pk == into.pk:
        raise Invalid(_("A tag cannot be merged into itself."), code="same_tag", field="into")
    if tag.merged_into_id is not None:
        raise Conflict(_("The tag was merged into another one and stays as a signpost."), code="tag_merged")
    # Its row is locked, so that no merge into it begins meanwhile.
    if merged.under_way(tag.pk):
        raise Conflict(
            _("Members of another tag are still being given “%(name)s”. Merge it when that has finished.")
            % {"name": tag.name},
            code="merge_running",
        )
    if into.archived_at is not None:
        raise Conflict(_("The tag “%(name)s” is archived.") % {"name": into.name}, code="tag_archived")
    for one in (tag, into):
        catalogue.refuse_model(one)
    if into.group.choice == Choice.SINGLE and into.group_id != tag.group_id:
        catalogue.refuse_several([into.group_id], instead={tag.pk: into.pk})


def _close(tag: Tag, into: Tag, now: datetime) -> None:
    """From here on nobody gets the tag; its rule goes. Its place in WeCom passes to the other one if that has none."""
    automatic.release(tag_id=tag.pk, now=now)
    mirrored = tag.wecom_tag_id
    tag.merged_into, tag.archived_at, tag.wecom_tag_id = into, tag.archived_at or now, ""
    tag.save(update_fields=["merged_into", "archived_at", "wecom_tag_id"])
    if mirrored and not into.wecom_tag_id and len(into.name) <= mirroring.LONGEST_TAG:
        into.wecom_tag_id = mirrored
        into.save(update_fields=["wecom_tag_id"])
    # Signposts point at the end of the road, not at each other.
    Tag.objects.filter(merged_into=tag).update(merged_into=into)
