"""Who stands behind a login."""

from __future__ import annotations

from members.models import Staff
from scrm.common.transactions import atomic


def link_user(*, user_id: int, staff_id: int | None) -> None:
    """Make `staff_id` (or nobody) the staff member behind a console user; a former link is taken away."""
    with atomic():
        Staff.objects.filter(user_id=user_id).exclude(pk=staff_id).update(user=None)
        if staff_id is not None:
            Staff.objects.filter(pk=staff_id).update(user_id=user_id)
