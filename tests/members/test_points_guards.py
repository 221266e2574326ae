"""What the database refuses to plain SQL, and what the checker finds when balances were tampered with all the same."""

from __future__ import annotations

import re

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from members.enums import EntryKind, PointsAccountName
from members.models import Member, PointsAccount, PointsAllocation, PointsEntry, PointsLot
from members.operations import currencies, points, points_moves, points_rebuild
from members.queries import points_check, points_ledger
from tests.factories import NOW, make_member

pytestmark = pytest.mark.django_db


@pytest.fixture
def member() -> Member:
    """Earned 100, spent 60, 20 of it given back."""
    currencies.get("points")
    member = make_member()
    points.earn(member_id=member.pk, amount=100, reference="e", source="order:1", now=NOW)
    points.spend(member_id=member.pk, amount=60, reference="s", now=NOW)
    points.refund(member_id=member.pk, spent="s", amount=20, reference="r", now=NOW)
    return member


def run(statement: str, **values: int) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
        cursor.execute(statement, values)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


ENTRY = """
    INSERT INTO members_pointsentry (member_id, currency_id, number, transaction, kind, debit, credit, amount,
        available_after, reference, detail, actor, occurred_at, booked_at, lot)
    SELECT member_id, currency_id, {number}, {number}, {kind}, {amount}, 60, 'x', '{{"spent": "s"}}', 'me', now(),
           now(), {lot}
    FROM members_pointsaccount WHERE member_id = %(member)s
"""
TAKING = """
    INSERT INTO members_pointsallocation (member_id, currency_id, entry, lot, origin, taken)
    SELECT member_id, currency_id, {values} FROM members_pointsaccount WHERE member_id = %(member)s
"""
REFUND = "'refund', 'redeemed', 'available'"


@pytest.mark.parametrize("table", ["members_pointsentry", "members_pointsallocation"])
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "UPDATE {} SET member_id = member_id", "TRUNCATE {} CASCADE"])
def test_what_was_booked_is_neither_changed_nor_deleted_nor_emptied(member: Member, table: str, statement: str) -> None:
    # The suite empties tables between tests; the product's database never does.
    run(f"ALTER TABLE {table} ENABLE TRIGGER points_never_emptied")
    with pytest.raises(DatabaseError, match="never emptied|Cannot update or delete"):
        run(statement.format(table))
    run(f"ALTER TABLE {table} DISABLE TRIGGER points_never_emptied")


@pytest.mark.parametrize("number", [0, 2, 3, 5, 9])
def test_entries_come_in_order(member: Member, number: int) -> None:
    entry = ENTRY.format(number=number, kind="'spend', 'available', 'redeemed'", amount=1, lot="NULL")
    with pytest.raises(DatabaseError):
        run(entry, member=member.pk)


@pytest.mark.parametrize(
    ("kind", "amount"),
    [
        ("'spend', 'issued', 'redeemed'", 1),  # nobody's points on either side
        ("'spend', 'available', 'available'", 1),
        ("'gift', 'available', 'redeemed'", 1),
        ("'spend', 'available', 'redeemed'", 0),
        ("'spend', 'available', 'redeemed'", 10**12 + 1),
        ("'earn', 'issued', 'available'", -5),
    ],
)
def test_an_entry_has_two_sides_and_an_amount(member: Member, kind: str, amount: int) -> None:
    with pytest.raises(DatabaseError):
        run(ENTRY.format(number=4, kind=kind, amount=amount, lot="NULL"), member=member.pk)


@pytest.mark.parametrize(
    ("amount", "takings"),
    [
        (40, []),  # gives nothing back
        (40, ["4, 1, 2, -30"]),  # less than it says
        (41, ["4, 1, 2, -41"]),  # more than is left of the spending
        (40, ["4, 1, 1, -40"]),  # of what was no spending
        (40, ["4, 1, 2, -40", "4, 1, 4, 41"]),  # and takes more than it moved
    ],
)
def test_a_refund_never_exceeds_what_was_spent(member: Member, amount: int, takings: list[str]) -> None:
    refund = ENTRY.format(number=4, kind=REFUND, amount=amount, lot="NULL")
    with pytest.raises(DatabaseError):
        run(";".join([refund, *(TAKING.format(values=one) for one in takings)]), member=member.pk)


def test_an_honest_refund_by_hand_is_taken(member: Member) -> None:
    refund = ENTRY.format(number=4, kind=REFUND, amount=40, lot="NULL")
    run(refund + ";" + TAKING.format(values="4, 1, 2, -40"), member=member.pk)
    assert points_rebuild.rebuild() == 1
    assert PointsAccount.objects.get(member=member).available == 100


@pytest.mark.parametrize("values", ["2, 1, 2, 1", "3, 1, 3, 30", "4, 1, 4, 1", "3, 1, 3, 21"])
def test_only_the_newest_entry_takes_and_no_more_than_it_moved(member: Member, values: str) -> None:
    with pytest.raises(DatabaseError):
        run(TAKING.format(values=values), member=member.pk)


SPEND = "'spend', 'available', 'redeemed'"


@pytest.mark.parametrize(
    ("kind", "lot"),
    [(SPEND, 0), (SPEND, 4), ("'hold', 'available', 'held'", 1), ("'expire', 'available', 'expired'", 1),
     ("'spend', 'held', 'redeemed'", 1), ("'adjust', 'adjusted', 'available'", 1)],
)  # fmt: skip
def test_only_what_is_spent_or_adjusted_away_names_its_lot_in_the_entry(member: Member, kind: str, lot: int) -> None:
    with pytest.raises(IntegrityError, match="points_entry_fits"):
        run(ENTRY.format(number=4, kind=kind, amount=1, lot=lot), member=member.pk)


@pytest.mark.parametrize("taken", [1, 5, -1])
def test_an_entry_that_names_its_lot_takes_nothing_beside(member: Member, taken: int) -> None:
    spending = ENTRY.format(number=4, kind=SPEND, amount=5, lot=1)
    run(spending, member=member.pk)
    with pytest.raises(DatabaseError, match="takes more than it moved"):
        run(TAKING.format(values=f"4, 1, 4, {taken}"), member=member.pk)


def test_a_lot_is_rebuilt_from_the_entries_that_took_of_it_alone_and_from_allocations(member: Member) -> None:
    assert list(PointsEntry.objects.order_by("number").values_list("kind", "lot")) == [
        ("earn", None), ("spend", 1), ("refund", None),
    ]  # fmt: skip
    points.earn(member_id=member.pk, amount=5, reference="e2", now=NOW)
    points.spend(member_id=member.pk, amount=65, reference="s2", now=NOW)  # all of the first lot and of the second
    assert PointsEntry.objects.get(reference="s2").lot is None
    taken = PointsAllocation.objects.filter(entry=5).order_by("lot")
    assert list(taken.values_list("lot", "taken")) == [(1, 60), (4, 5)]
    run("UPDATE members_pointslot SET remaining = earned")
    assert points_rebuild.rebuild() == 1
    assert set(PointsLot.objects.values_list("number", "remaining")) == {(1, 0), (4, 0)}
    assert list(points_check.check()) == []


def test_which_lots_entries_took_from_is_found_by_their_keys(member: Member) -> None:
    entries = list(PointsEntry.objects.filter(member=member))
    with CaptureQueriesContext(connection) as queries:
        assert {key[2]: [one.lot for one in lots] for key, lots in points_ledger.lots_of(entries).items()} == {
            2: [1], 3: [1],
        }  # fmt: skip
    with connection.cursor() as cursor:
        # So few rows would be read whole, were they looked at by their number.
        for way in ("seqscan", "hashjoin", "mergejoin"):
            cursor.execute(f"SET LOCAL enable_{way} = off")
        cursor.execute("EXPLAIN " + queries[0]["sql"])
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert re.search(r"on members_pointsentry .*\n *Index Cond: \(\(member_id = [lv]\.member_id\)", plan), plan


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE members_pointsaccount SET available = available + 1", "balances are the sums of the entries"),
        ("UPDATE members_pointsaccount SET last_number = 9", "entries are numbered without gaps"),
        ("UPDATE members_pointslot SET remaining = remaining - 1", "lots are what was earned less what was taken"),
        ("UPDATE members_pointslot SET earned = earned + 1", "every credit is a lot, with what it credited"),
        ("UPDATE members_pointslot SET expires_at = now() + interval '1 day'", "nothing falls due unnoticed"),
        (
            "ALTER TABLE members_member DISABLE TRIGGER points_status_changed;"
            "UPDATE members_member SET status = 'erased';"
            "ALTER TABLE members_member ENABLE TRIGGER points_status_changed",
            "whoever is not active",
        ),
    ],
)
def test_the_checker_finds_and_rebuilding_mends(member: Member, statement: str, found: str) -> None:
    assert list(points_check.check()) == []
    run(statement)
    with pytest.raises(CommandError):
        call_command("points", "check")
    assert any(one.rule.startswith(found) and one.member_id == member.pk for one in points_check.check())
    assert points_rebuild.rebuild() == 1
    assert (list(points_check.check()), points_check.unbalanced(), points_rebuild.rebuild()) == ([], [], 0)


@pytest.mark.parametrize("values", ["3, 1, 3, 0", "2, 1, 3, 1"])
def test_an_allocation_does_something_and_gives_back_nothing_of_what_is_to_come(member: Member, values: str) -> None:
    with pytest.raises(IntegrityError, match="points_allocation_sound"):
        run(TAKING.format(values=values), member=member.pk)


def test_an_account_is_booked_in_steps_while_its_member_is_not_active_or_has_a_ledger_of_another(
    member: Member,
) -> None:
    def in_steps() -> dict[int, bool]:
        return dict(PointsAccount.objects.values_list("member_id", "in_steps"))

    ben, cem = make_member(), make_member(status="erased")
    run("INSERT INTO members_pointsaccount (member_id, currency_id) SELECT %(cem)s, currency_id"
        " FROM members_pointsaccount", cem=cem.pk)  # fmt: skip
    assert in_steps() == {member.pk: False, cem.pk: True}
    Member.objects.filter(pk=member.pk).update(status="erased")
    Member.objects.filter(pk=cem.pk).update(status="active")
    assert in_steps() == {member.pk: True, cem.pk: False}
    Member.objects.filter(pk=member.pk).update(status="active")
    move = points_moves.move(from_member=member.pk, to_member=ben.pk, now=NOW)
    assert in_steps() == {member.pk: False, ben.pk: True, cem.pk: False}
    points_moves.undo(move_id=move, now=NOW)
    assert in_steps() == {member.pk: False, ben.pk: False, cem.pk: False}


OPEN = "INSERT INTO members_pointsaccount (member_id, currency_id) SELECT {}, {} FROM members_pointsaccount"


@pytest.mark.parametrize(
    "statement",
    [
        OPEN.format("-5", "currency_id"),
        OPEN.format("%(member)s", "-5"),
        "DELETE FROM members_membersummary; DELETE FROM members_member WHERE id = %(member)s",
        "UPDATE members_member SET id = -5 WHERE id = %(member)s",
        "DELETE FROM members_pointscurrency WHERE id = (SELECT currency_id FROM members_pointsaccount)",
    ],
    ids=["no member", "no currency", "member deleted", "member renumbered", "currency deleted"],
)
def test_an_account_is_of_a_member_and_a_currency_and_keeps_them(member: Member, statement: str) -> None:
    with pytest.raises(IntegrityError, match="an account is of|there are accounts of it"):
        run(statement, member=member.pk)


def test_a_lot_that_was_deleted_is_found(member: Member) -> None:
    run("DELETE FROM members_pointslot")
    assert {one.rule for one in points_check.check()} >= {"every credit is a lot, with what it credited"}
    assert not PointsLot.objects.exists()


def test_the_programme_and_the_members_add_up_to_nothing(member: Member, capsys: pytest.CaptureFixture[str]) -> None:
    assert points_check.programme() == {
        ("points", "issued"): -100, ("points", "redeemed"): 40, ("points", "members"): 60,
    }  # fmt: skip
    call_command("points", "check")
    call_command("points", "rebuild")
    assert "every promise is kept" in capsys.readouterr().out


def fits(member: Member, kind: str, debit: str, credit: str, amount: int = 1, began: int = 4) -> bool:
    """Whether this is taken as the member's fourth entry. Nothing is left of it."""
    before = transaction.savepoint()
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO members_pointsentry (member_id, currency_id, number, transaction, kind, debit, credit,
                    amount, available_after, reference, actor, occurred_at, booked_at)
                SELECT member_id, currency_id, 4, %s, %s, %s, %s, %s, 60, 'x', 'me', now(), now()
                FROM members_pointsaccount WHERE member_id = %s
                """,
                [began, kind, debit, credit, amount, member.pk],
            )
    except IntegrityError as error:
        if "points_entry_fits" not in str(error):
            raise
        return False
    finally:
        transaction.savepoint_rollback(before)
    return True


def test_an_entry_is_of_a_known_kind_between_two_known_accounts_of_which_one_is_the_members(member: Member) -> None:
    assert [kind for kind in EntryKind.values if not fits(member, kind, "issued", "available")] == []
    assert not fits(member, "gift", "issued", "available")
    own = {"pending", "available", "held"}
    for debit in [*PointsAccountName.values, "nowhere"]:
        for credit in [*PointsAccountName.values, "nowhere"]:
            known = "nowhere" not in (debit, credit)
            assert fits(member, "earn", debit, credit) == (known and debit != credit and bool({debit, credit} & own))


@pytest.mark.parametrize(
    ("amount", "began", "fitting"),
    [(10**12, 4, True), (1, 3, True), (0, 4, False), (10**12 + 1, 4, False), (1, 0, False), (1, 5, False)],
)
def test_an_entry_moves_something_within_range(member: Member, amount: int, began: int, fitting: bool) -> None:
    assert fits(member, "earn", "issued", "available", amount, began) is fitting


@pytest.mark.parametrize(
    "values",
    ["pending = -1", "held = -1", "last_number = -1", "available = -1000000000000001", "pending = 2000000000000001",
     "available = 2000000000000001", "held = 2000000000000001"],
)  # fmt: skip
def test_balances_stay_within_range(member: Member, values: str) -> None:
    with pytest.raises(IntegrityError, match="points_account_fits"):
        run(f"UPDATE members_pointsaccount SET {values} WHERE member_id = %(member)s", member=member.pk)


@pytest.mark.parametrize("values", ["remaining = -1", "remaining = earned + 1", "held = -1", "held = 61", "earned = 0"])
def test_a_lot_holds_no_more_than_remains_and_keeps_no_more_than_was_earned(member: Member, values: str) -> None:
    with pytest.raises(IntegrityError, match="points_lot_fits"):
        run(f"UPDATE members_pointslot SET {values} WHERE member_id = %(member)s", member=member.pk)


def test_an_entry_that_does_not_fit_is_refused(member: Member) -> None:
    entry = ENTRY.format(number=4, kind="'gift', 'issued', 'available'", amount=1, lot="NULL")
    with pytest.raises(IntegrityError, match="points_entry_fits"):
        run(entry, member=member.pk)
