"""Moving a member's whole ledger to another member, and back: what a merge of two members does with their points."""

from __future__ import annotations

from datetime import datetime

from django.db import connection
from django.utils.translation import gettext as _

from members.models import PointsCurrency, PointsMove
from members.operations import tiers
from members.operations.points_calls import refusing, topic
from scrm.common import reactions
from scrm.common.errors import Invalid
from scrm.common.reactions import Facts
from scrm.common.transactions import atomic


def move(*, from_member: int, to_member: int, now: datetime) -> int:
    """Move everything of one member, in every currency, to another; answers the number of the move, for `undo`.

    Lots keep their expiry and source, pending ones their day, open holds their references and their end; arrears go
    along and are repaid by what the other member has. What was spent can still be refunded, and what was earned still
    be reversed, at the member who has the ledger now, over any number of moves; references that were used stay used.
    The old accounts are closed, also in currencies that come later: bookings are refused there (`account_moved`). What
    facts of the first member earn and take back from then on is booked where the ledger is (`operations.holders`).

    Raises `Invalid` (`same_member`), `NotFound` (`unknown_member`: also when the receiving member is not active),
    `Conflict` (`account_moved`, `same_hold`, `balance_out_of_range`).
    """
    if from_member == to_member:
        raise Invalid(_("That is the same member."), code="same_member", field="to_member")
    with refusing(), atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT points_move(%s, %s, %s)", [from_member, to_member, now])
        ((number,),) = cursor.fetchall()
        _react(from_member, to_member, now)
    return int(number)


def undo(*, move_id: int, now: datetime) -> None:
    """Take a move back within 30 days: what is left of what was moved returns, lot by lot, and so do holds that are
    still open and arrears that have not been repaid. What was spent since stays spent, and belongs to who spent it.

    What facts of the member have earned since, where the ledger was, comes along as far as it is still there. Nothing
    goes back to a member who is not active: whoever takes a merge of members back makes them active first.

    Raises `NotFound` (`unknown_move`), `Conflict` (`undone_already`, `too_late`, `member_inactive`; `account_moved`
    when the ledger has moved on: the later move is undone first).
    """
    with refusing(), atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT points_unmove(%s, %s)", [move_id, now])
        moved = PointsMove.objects.get(pk=move_id)
        _react(moved.member_id, moved.to_member_id, now)


def _react(from_member: int, to_member: int, now: datetime) -> None:
    tiers.follow_move(from_member=from_member, to_member=to_member, now=now)
    keys = PointsCurrency.objects.values_list("key", flat=True)
    topics = frozenset(topic(key) for key in keys)
    reactions.run(Facts(now=now, member_ids=sorted([from_member, to_member]), topics=topics))
