"""Corrections of balances by hand: whom an actor sees, what waits, what was attached."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from members.enums import AdjustmentState
from members.models import PointsAdjustment
from members.queries import scopes
from scrm.common.access import Actor
from scrm.common.errors import NotFound


def visible(actor: Actor) -> QuerySet[PointsAdjustment]:
    """Those of members whom the actor may see."""
    rows = PointsAdjustment.objects.select_related("currency", "member")
    return rows.filter(scopes.members_of(actor, "member__"))


def get(adjustment_id: int, *, actor: Actor) -> PointsAdjustment:
    """One of them. Raises `NotFound`."""
    found = visible(actor).filter(pk=adjustment_id).first()
    if found is None:
        raise NotFound(_("There is no such adjustment."))
    return found


def waiting_count(actor: Actor) -> int:
    """How many wait for a second person."""
    return visible(actor).filter(state=AdjustmentState.PROPOSED).count()


def attachment_path(adjustment: PointsAdjustment) -> Path:
    """Where the kept file is. Raises `NotFound` when there is none (any more)."""
    path = Path(settings.MEDIA_ROOT) / adjustment.file
    if not adjustment.file or not path.is_file():
        raise NotFound(_("There is nothing here."))
    return path


def waiting_for(member_id: int, *, actor: Actor) -> list[PointsAdjustment]:
    """What waits for a second person about one member, the latest first."""
    return list(visible(actor).filter(member_id=member_id, state=AdjustmentState.PROPOSED).order_by("-pk")[:20])
