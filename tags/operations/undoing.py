"""Taking a tag off one member so that it can be put back as it was."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Q
from django.utils.translation import gettext as _

from scrm.common.errors import Invalid
from scrm.common.transactions import atomic
from tags.enums import TagKind
from tags.models import MemberTag, TagRule, WatchMember
from tags.operations import bulk, tagging

# What is kept of an assignment, so that undoing brings back the same one.
_KEPT = ("source", "reason", "weight", "weight_at", "half_life_days", "assigned_at", "expires_at")
_INSTANTS = ("weight_at", "assigned_at", "expires_at")


def take_off(*, member_id: int, tag_id: int, reason: str = "", now: datetime) -> dict[str, Any] | None:
    """Take a tag off by hand. Answers what it was, as JSON for `put_back`; None when the member did not have it.

    Raises `NotFound`, `Invalid`.
    """
    with atomic():
        row = MemberTag.objects.select_for_update().filter(member_id=member_id, tag_id=tag_id).first()
        bulk.by_hand(member_ids=[member_id], add=[], remove=[tag_id], reason=reason, now=now)
        if row is None or (row.expires_at is not None and row.expires_at <= now):
            return None
        values = {name: getattr(row, name) for name in _KEPT}
        for name in _INSTANTS:
            values[name] = values[name] and values[name].isoformat()
        return {"member_id": member_id, "tag_id": tag_id, **values}


def put_back(*, taken: dict[str, Any], now: datetime) -> bool:
    """Undo `take_off`: the assignment is as it was, and a rule that put it on may go on with it.

    False when the member has the tag again already. Raises what `tagging.assign` raises.
    """
    member_id, tag_id = int(taken["member_id"]), int(taken["tag_id"])
    if taken["source"] not in TagKind.values:
        raise Invalid(_("Not one of the choices."), code="bad_source")
    with atomic():
        valid = Q(expires_at=None) | Q(expires_at__gt=now)
        if MemberTag.objects.filter(valid, member_id=member_id, tag_id=tag_id).exists():
            return False
        done = tagging.assign(
            member_ids=[member_id], tag_ids=[tag_id], source=taken["source"], reason=taken["reason"], now=now
        )
        if not done.added:
            return False
        bulk.note(add=[tag_id], remove=[], members=1)
        with connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE tags_membertag SET {', '.join(f'{name} = %s' for name in _KEPT)}"
                " WHERE member_id = %s AND tag_id = %s",
                [*(taken[name] for name in _KEPT), member_id, tag_id],
            )
        rule = TagRule.objects.filter(tag_id=tag_id).first()
        if rule is not None:
            WatchMember.objects.filter(watch_id=rule.watch_id, member_id=member_id).update(suppressed=False)
        return True
