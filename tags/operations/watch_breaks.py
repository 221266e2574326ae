"""Watches that can no longer be evaluated: they stop by themselves, say why, and hold nobody up."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

import psycopg
from django.db import DatabaseError, InterfaceError, OperationalError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from scrm.common.errors import DomainError, Invalid
from scrm.common.models import Notification
from tags.enums import RuleState
from tags.models import Segment, TagRule, Watch
from tags.operations.watch_statements import Block, Occurred, Transition

_LONGEST = 300


def settle_soundly(
    block: Block, members_of: Mapping[int, Collection[int]], *, occurred: Occurred | None = None, now: datetime
) -> list[Transition]:
    """`block.settle`; a watch at which it fails is marked broken and left out, the others go on."""
    try:
        return block.settle(members_of, occurred=occurred, now=now, prepared=len(block.watches) > 1)
    except (DatabaseError, DomainError) as error:
        why = reason(error)
        if why is None:
            raise
        if len(block.watches) == 1:
            mark(block.watches[0].id, why)
            return []
    found = []
    for watched in block.watches:
        if watched.id in members_of:
            found += settle_soundly(Block([watched]), {watched.id: members_of[watched.id]}, now=now)
    return found


def try_out(block: Block, *, now: datetime) -> None:
    """Run a statement for nobody. Raises `Invalid` (`unusable`), or what compiling raises."""
    try:
        block.settle({}, now=now, prepared=False)
    except DatabaseError as error:
        if reason(error) is None:
            raise
        raise Invalid(_("The condition cannot be evaluated."), code="unusable", field="condition") from error


def reason(error: Exception) -> str | None:
    """Why a condition cannot be evaluated; None when the error is not its fault (a deadlock, a lost connection)."""
    if isinstance(error, DomainError):
        return str(error.message)
    lost = OperationalError | InterfaceError | psycopg.errors.InvalidSqlStatementName
    if isinstance(error, DatabaseError) and not isinstance(error, lost) and not isinstance(error.__cause__, lost):
        return (str(error).splitlines() or [type(error).__name__])[0]
    return None


def mark(watch_id: int, reason: str) -> None:
    """Stop a watch that cannot be evaluated and tell its author why. Inside a transaction. Twice changes nothing."""
    stopped = Watch.objects.filter(pk=watch_id, enabled=True).update(enabled=False, broken=reason[:_LONGEST])
    if not stopped:
        return
    rule = TagRule.objects.filter(watch_id=watch_id).select_related("tag").first()
    if rule is not None:
        rule.state = RuleState.BROKEN
        rule.save(update_fields=["state"])
        _tell(
            rule.created_by_id,
            gettext_noop("The rule of the tag “%(name)s” has stopped: %(reason)s"),
            {"name": rule.tag.name, "reason": reason[:_LONGEST]},
            f"/tags/{rule.tag_id}/",
        )
    segment = Segment.objects.filter(watch_id=watch_id).first()
    if segment is not None:
        _tell(
            segment.created_by_id,
            gettext_noop("Entries into “%(name)s” are no longer noted: %(reason)s"),
            {"name": segment.name, "reason": reason[:_LONGEST]},
            f"/segments/{segment.pk}/",
        )


def _tell(user_id: int | None, message: str, values: dict[str, str], url: str) -> None:
    if user_id is not None:
        Notification.objects.create(user_id=user_id, level="danger", message=message, values=values, url=url)
