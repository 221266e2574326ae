"""Tagging a selection of members: at once when it is small, as a background job when it is large."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import QueryDict
from django.utils.translation import gettext as _

from members.queries import directory
from scrm.common import audit, jobs
from scrm.common.access import Actor
from scrm.common.errors import Invalid
from scrm.common.transactions import atomic
from tags.operations import tagging
from tags.queries import recent as queries

JOB_KIND = "bulk_tag"
# So many members are tagged while the person waits.
AT_ONCE = 500
CHUNK = 2_000


@dataclass(frozen=True, slots=True)
class Started:
    """What became of the request: done with so many changes, or handed to a job."""

    changed: int
    job_id: int | None = None


def selection(*, actor: Actor, member_ids: Collection[int], query: str | None) -> QuerySet[Any]:
    """The members meant, limited to those the actor sees. Raises `Invalid` on a query that the list refuses."""
    if query is not None:
        return directory.matching(actor=actor, params=QueryDict(query))
    return directory.visible(actor).filter(pk__in=member_ids)


def size(*, actor: Actor, member_ids: Collection[int], query: str | None) -> int:
    """How many members are meant, exactly."""
    return selection(actor=actor, member_ids=member_ids, query=query).count()


def start(
    *,
    actor: Actor,
    member_ids: Collection[int],
    query: str | None,
    add: Sequence[int],
    remove: Sequence[int],
    reason: str,
    now: datetime,
) -> Started:
    """Tag a selection. Raises what tagging raises, before anything is queued, and `Invalid` (`nothing_selected`)."""
    if not add and not remove:
        raise Invalid(_("Choose at least one tag."), code="no_tag", field="tags")
    if set(add) & set(remove):
        raise Invalid(_("A tag is both put on and taken off."), code="contradiction", field="tags")
    chosen = selection(actor=actor, member_ids=member_ids, query=query)
    ids = list(chosen.order_by("pk").values_list("pk", flat=True)[: AT_ONCE + 1])
    if not ids:
        raise Invalid(_("No member is selected."), code="nothing_selected", field="id")
    if len(ids) <= AT_ONCE:
        return Started(by_hand(member_ids=ids, add=add, remove=remove, reason=reason, now=now))
    # On nobody: only to refuse now what would fail later.
    change(member_ids=[], add=add, remove=remove, reason=reason, now=now)
    params = {
        "query": query,
        "member_ids": None if query is not None else sorted(member_ids),
        "add": list(add),
        "remove": list(remove),
        "reason": reason,
    }
    total = len(member_ids) if query is None else chosen.count()
    with atomic():
        note(add=add, remove=remove, members=total)
        job = jobs.create(kind=JOB_KIND, label=_("Tag members"), params=params, actor=actor, total=total)
    return Started(0, job.pk)


def by_hand(
    *, member_ids: Collection[int], add: Sequence[int], remove: Sequence[int], reason: str, now: datetime
) -> int:
    """The same as `change`, by a person: the audit log tells who did it, and their recent tags are known by it."""
    with atomic():
        changed = change(member_ids=member_ids, add=add, remove=remove, reason=reason, now=now)
        if changed:
            note(add=add, remove=remove, members=len(member_ids))
        return changed


def note(*, add: Sequence[int], remove: Sequence[int], members: int) -> None:
    """Write to the audit log that somebody put tags on so many members, or took them off."""
    for action, tag_ids in ((queries.PUT_ON, add), (queries.TAKEN_OFF, remove)):
        for tag_id in tag_ids:
            audit.record(action=action, object_type="tags_tag", object_id=tag_id, detail={"members": members})


def change(
    *, member_ids: Collection[int], add: Sequence[int], remove: Sequence[int], reason: str, now: datetime
) -> int:
    """Put tags on and take tags off; returns how many assignments changed."""
    changed = 0
    if add:
        done = tagging.assign(member_ids=member_ids, tag_ids=add, reason=reason, now=now)
        changed += done.added + done.removed
    if remove:
        changed += tagging.remove(member_ids=member_ids, tag_ids=remove, reason=reason, now=now).removed
    return changed


def next_chunk(*, actor: Actor, params: dict[str, Any], after: int) -> list[int]:
    """The next ids of a job's selection, in order."""
    chosen = selection(actor=actor, member_ids=params["member_ids"] or (), query=params["query"])
    return list(chosen.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:CHUNK])
