"""What the operations on segments share: reading one under a lock, checking its words, saving it, noting its size."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.utils.translation import gettext as _

from scrm.common import clock
from scrm.common.errors import Invalid, NotFound
from scrm.common.transactions import current_actor
from tags.models import Segment, SegmentSize
from tags.operations import watches
from tags.queries import segments as queries
from tags.queries.watches import hanging_on

MAX_NAME = 60
MAX_DESCRIPTION = 300


def new(*, name: str, description: str = "", now: datetime, **values: Any) -> Segment:
    """An unsaved segment of the current actor. Raises `Invalid` (`bad_name`, `bad_description`)."""
    actor = current_actor()
    return Segment(
        name=checked_name(name),
        description=checked_description(description),
        created_by_id=actor.id if actor.kind == "user" else None,
        created_at=now,
        updated_at=now,
        **values,
    )


def save(segment: Segment) -> None:
    """Raises `Invalid` (`name_taken`)."""
    try:
        with transaction.atomic():
            segment.save()
    except IntegrityError as error:
        raise Invalid(_("This name is taken."), code="name_taken", field="name") from error


def locked(segment_id: int) -> Segment:
    """The segment, which nobody else changes until the transaction ends. Raises `NotFound`."""
    segment = Segment.objects.select_for_update(no_key=True).filter(pk=segment_id).first()
    if segment is None:
        raise NotFound(_("There is no such segment."))
    return segment


def one_at_a_time() -> None:
    """Let changes of which segment uses which follow each other: two at once could close a circle unseen."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('tags.segments.uses'))")


def recount(segment: Segment, now: datetime) -> Segment:
    """Count the segment and remember it. Raises `queries.BrokenSegment` and what else counting raises."""
    return sized(segment, queries.count(segment, as_of=now), now)


def sized(segment: Segment, members: int, now: datetime) -> Segment:
    """Remember a size; the last one of a shop day stays in the history."""
    segment.member_count, segment.counted_at = members, now
    segment.save(update_fields=["member_count", "counted_at"])
    SegmentSize.objects.bulk_create(
        [SegmentSize(segment=segment, counted_on=clock.shop_date(now), members=members)],
        update_conflicts=True,
        update_fields=["members"],
        unique_fields=["segment", "counted_on"],
    )
    return segment


def members_changed(segment: Segment, member_ids: Collection[int], now: datetime) -> None:
    """Tell the watches that hang on the segment that these members entered or left it."""
    topics = {f"segment:{segment.pk}"}
    if hanging_on(topics):
        watches.refresh(topics=topics, member_ids=member_ids, now=now)


def checked_name(name: str) -> str:
    name = name.strip()
    if not name or len(name) > MAX_NAME or "\x00" in name:
        raise Invalid(_("A name has 1 to %(count)s characters.") % {"count": MAX_NAME}, code="bad_name", field="name")
    return name


def checked_description(text: str) -> str:
    text = text.strip()
    if len(text) > MAX_DESCRIPTION or "\x00" in text:
        raise Invalid(
            _("The description is at most %(count)s characters long.") % {"count": MAX_DESCRIPTION},
            code="bad_description",
            field="description",
        )
    return text
