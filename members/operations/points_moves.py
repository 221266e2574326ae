"""Moving a member's whole ledger to another member, and back: what a merge of two members does with their points."""

from __future__ import annotations

import json
from datetime import datetime

from django.db import connection
from django.utils.translation import gettext as _

from members.enums import MemberStatus
from members.models import PointsCurrency, PointsMove
from members.operations import holders, tiers
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
    The old accounts are closed: bookings are refused there (`account_moved`). What facts of the first member earn and
    take back from then on is booked in the ledger where it is (`operations.holders`).

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

    What facts of the member have earned since, where the ledger was, comes along as far as it is still there and the
    currency lets it be taken back; of a member who is not active it stays.

    Raises `NotFound` (`unknown_move`), `Conflict` (`undone_already`, `too_late`; `account_moved` when the ledger has
    moved on: the later move is undone first).
    """
    with refusing(), atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT points_unmove(%s, %s)", [move_id, now])
        moved = PointsMove.objects.select_related("member").get(pk=move_id)
        if moved.member.status == MemberStatus.ACTIVE:
            _bring_along(moved, now)
        _react(moved.member_id, moved.to_member_id, now)


# What facts of a member, and of those whose ledger had come to that member, have earned in another one's ledger.
_EARNED_THERE = f"""
    SELECT l.currency_id, l.number, l.source, CASE WHEN l.active THEN l.remaining - l.held ELSE l.remaining END,
           l.earned_at, l.activates_at, l.expires_at, e.detail
    FROM members_pointslot l
    JOIN members_pointsentry e ON e.member_id = l.member_id AND e.currency_id = l.currency_id AND e.number = l.number
    WHERE l.member_id = %(there)s AND l.remaining > l.held AND l.source <> '' AND e.kind = 'earn'
      AND e.member_id::text <> {holders.whose("e")}
      AND {holders.whose("e")} IN (
          SELECT %(member)s::text UNION ALL SELECT origin::text FROM points_moved_among(ARRAY[%(member)s]::bigint[]))
    ORDER BY l.currency_id, l.number
"""


def _bring_along(moved: PointsMove, now: datetime) -> None:
    """Reverse there, and earn here, what is left of what facts of the member have earned since the move."""
    with connection.cursor() as cursor:
        cursor.execute(_EARNED_THERE, {"member": moved.member_id, "there": moved.to_member_id})
        for currency, lot, source, amount, *times, detail in cursor.fetchall():
            name, said = f"move:{moved.pk}:{lot}", json.loads(detail)
            cursor.execute(
                "SELECT booked FROM points_reverse(%s, %s, %s, %s, %s, '', %s, %s, %s)",
                [
                    moved.to_member_id, currency, source, amount, name,
                    json.dumps({holders.OF_MEMBER: said[holders.OF_MEMBER], "unmove": moved.pk}), now, now,
                ],
            )  # fmt: skip
            (booked,) = cursor.fetchone()
            if booked:
                if said[holders.OF_MEMBER] == moved.member_id:
                    del said[holders.OF_MEMBER]
                cursor.execute(
                    "SELECT points_earn(%s, %s, %s, 'earn', %s, %s, %s, %s, %s, '', %s, %s)",
                    [moved.member_id, currency, booked, name, source, *times, json.dumps(said), now],
                )


def _react(from_member: int, to_member: int, now: datetime) -> None:
    tiers.follow_move(from_member=from_member, to_member=to_member, now=now)
    keys = PointsCurrency.objects.values_list("key", flat=True)
    topics = frozenset(topic(key) for key in keys)
    reactions.run(Facts(now=now, member_ids=sorted([from_member, to_member]), topics=topics))
