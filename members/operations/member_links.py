"""Making the links that open a member's own pages."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from members.queries import member_links
from members.rules import member_links as rules
from members.rules.member_links import Link
from scrm.common import audit
from scrm.common.errors import Invalid
from scrm.common.transactions import atomic

LONGEST_DAYS = 365


def issue(*, member_id: int, days: int, now: datetime) -> tuple[str, datetime]:
    """A token for the member's pages and the instant at which it ends, `days` (1 to 365) from now.

    Who holds it sees the member's points, tier, benefits and tasks and can claim for them: it is audited.
    """
    if not 1 <= days <= LONGEST_DAYS:
        raise Invalid(_("A link lasts 1 to 365 days."), code="out_of_range", field="days")
    ends = (now + timedelta(days=days)).replace(microsecond=0)
    with atomic():
        audit.record(
            action="link",
            object_type="members_member",
            object_id=member_id,
            detail={"ends": ends.isoformat()},
        )
    return rules.sign(member_links.key(), Link(member_id, ends)), ends
