"""Histories of points, played on the ledger and on an independent model: both say the same after every step.

`make test-long` plays 10,000 of them.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from members.models import PointsCurrency, PointsMove
from members.operations import currencies, points, points_moves, points_rebuild
from members.operations.currencies import Content
from members.operations.points import Credit
from members.queries import points_check
from scrm.common.errors import DomainError
from tests.factories import NOW, make_member
from tests.properties.ledger_model import NEVER, Ledger, Policy, Refused

pytestmark = pytest.mark.django_db

LONG = os.environ.get("SCRM_LONG") == "1"
CURRENCIES = ["points", "coins"]
WHO, CURRENCY = st.sampled_from([0, 0, 0, 1]), st.sampled_from(["points", "points", "points", "coins"])
AMOUNT = st.one_of(st.integers(1, 12), st.sampled_from([1, 50, 10**12]))
SMALL = st.integers(1, 20)
# Blank: one that was not used yet.
REFERENCE, SOURCE = st.sampled_from(["", "", "", "", "a", "b"]), st.sampled_from(["order:1", "order:1", "order:2", ""])
PICK = st.integers(0, 2)
DAYS = st.sampled_from([None, 1, 2, 5, 40])
POLICY = st.builds(
    Policy,
    pending_days=st.sampled_from([0, 0, 2]),
    reversal=st.sampled_from(["arrears", "arrears", "within_balance", "pending_only"]),
    grace_days=st.sampled_from([0, 1, 7]),
    idle_days=st.sampled_from([None, None, 3]),
)


class Abort(Exception):
    """Raised in the middle of a transaction."""


class LedgerMachine(RuleBasedStateMachine):
    @initialize(policies=st.tuples(POLICY, POLICY))
    def begin(self, policies: tuple[Policy, Policy]) -> None:
        self.history = transaction.atomic()
        self.history.__enter__()
        self.now = NOW
        self.model = Ledger(dict(zip(CURRENCIES, policies, strict=True)))
        self.members = [make_member().pk for _ in range(3)]
        self.moves: list[int] = []
        self.aborts = False
        self.serial = 0
        for key, policy in self.model.policies.items():
            content = Content(
                name=key, pending_days=policy.pending_days, reversal=policy.reversal, grace_days=policy.grace_days,
                expiry="never" if policy.idle_days is None else "inactivity", expiry_count=policy.idle_days or 0,
            )  # fmt: skip
            currencies.change(key=key, content=content)
        self.currency_ids = dict(PointsCurrency.objects.values_list("pk", "key"))
        for days in (3, None):  # something to begin with
            self._earn(0, days, True, currency="points", amount=15, reference="", source="order:1")

    def named(self, reference: str) -> str:
        self.serial += not reference
        return reference or f"n{self.serial}"

    def used(self, kinds: str, pick: int) -> str:
        """A reference under which something was held or spent, mostly one of the last."""
        found = [ref for one in self.model.accounts.values() for kind, ref in one.booked if kind in kinds.split()]
        return found[-1 - pick % len(found)] if found else "a"

    def both(self, real: Callable[[], Any], modelled: Callable[[Ledger], Any]) -> None:
        """Do it in the database and in the model: the same answer or the same refusal, and the same ledger after it."""
        if self.aborts:
            self.aborts = False
            try:
                with transaction.atomic():
                    real()
                    raise Abort
            except (Abort, DomainError):
                self.compare()
        try:
            with transaction.atomic():
                answer = real()
            answer = tuple(answer)[1:] if isinstance(answer, points.Movement) else answer
        except DomainError as error:
            answer = error.code
        trial = copy.deepcopy(self.model)
        try:
            expected = modelled(trial)
            self.model = trial
        except Refused as error:
            expected = str(error)
        assert answer == expected
        self.compare()

    def compare(self) -> None:
        found: dict[tuple[int, str], tuple[tuple[int, ...], list[Any]]] = {}
        with connection.cursor() as cursor:
            cursor.execute(
                """
                SELECT member_id, currency_id, pending, available, held, ARRAY(
                    SELECT ROW(remaining, held, active, expires_at, source)::text FROM members_pointslot l
                    WHERE l.member_id = a.member_id AND l.currency_id = a.currency_id AND remaining > 0
                ) FROM members_pointsaccount a WHERE member_id = ANY(%s)
                """,
                [self.members],
            )
            for member, currency, pending, available, held, lots in cursor.fetchall():
                found[member, self.currency_ids[currency]] = ((pending, available, held), sorted(lots))
        for (member, currency), account in self.model.accounts.items():
            lots = sorted(self.told(lot) for lot in account.lots if lot.left)
            assert found.pop((member, currency), ((0, 0, 0), [])) == (account.balances(), lots)
        assert all(one == ((0, 0, 0), []) for one in found.values())

    @staticmethod
    def told(lot: Any) -> str:
        expires = "" if lot.expires_at == NEVER else f'"{lot.expires_at:%Y-%m-%d %H:%M:%S}+00"'
        source, active = lot.source or '""', "t" if lot.active else "f"
        return f"({lot.left},{lot.held},{active},{expires},{source})"

    @rule()
    def abort_the_next(self) -> None:
        self.aborts = True

    @rule(hours=st.sampled_from([1, 12, 24, 36, 72, 24 * 8]))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule(who=WHO, currency=CURRENCY, amount=AMOUNT, reference=REFERENCE, source=SOURCE, days=DAYS, late=st.booleans())
    def earn(self, who: int, days: int | None, late: bool, **values: Any) -> None:
        self._earn(who, days, late, **values)

    def _earn(self, who: int, days: int | None, late: bool, **values: Any) -> None:
        now, member = self.now, self.members[who]
        occurred = now - timedelta(days=2) if late else now
        pending = self.model.policies[values["currency"]].pending_days
        expires: datetime | None = occurred + timedelta(days=days + pending) if days else None
        values |= {"occurred_at": occurred, "expires_at": expires, "now": now}
        values["reference"] = self.named(values["reference"])
        self.both(lambda: points.earn(member_id=member, **values), lambda model: model.earn(member=member, **values))

    @rule(currency=CURRENCY, amounts=st.tuples(SMALL, SMALL), reference=REFERENCE, source=SOURCE)
    def earn_many(self, currency: str, amounts: tuple[int, int], reference: str, source: str) -> None:
        reference = self.named(reference)
        credits = [(self.members[who], amount, reference, source) for who, amount in enumerate(amounts)]
        self.both(
            lambda: points.earn_many(currency=currency, credits=[Credit(*one) for one in credits], now=self.now),
            lambda model: model.earn_many(currency=currency, credits=credits, now=self.now),
        )

    @rule(who=WHO, currency=CURRENCY, amount=SMALL, reference=REFERENCE)
    def spend(self, who: int, **values: Any) -> None:
        now, member = self.now, self.members[who]
        values["reference"] = self.named(values["reference"])
        self.both(
            lambda: points.spend(member_id=member, now=now, **values),
            lambda model: model.spend(member=member, now=now, **values),
        )

    @rule(who=WHO, currency=CURRENCY, amount=SMALL, reference=REFERENCE, minutes=st.sampled_from([30, 1_600, 9_000]))
    def hold(self, who: int, **values: Any) -> None:
        now, member = self.now, self.members[who]
        values["reference"] = self.named(values["reference"])
        self.both(
            lambda: points.hold(member_id=member, now=now, **values),
            lambda model: model.hold(member=member, now=now, **values),
        )

    @rule(who=WHO, currency=CURRENCY, amount=st.integers(0, 20), pick=PICK)
    def resolve(self, who: int, amount: int, pick: int, **values: Any) -> None:
        now, member = self.now, self.members[who]
        values["reference"] = self.used("hold", pick)
        if amount:
            real = lambda: points.post(member_id=member, amount=amount, now=now, **values)  # noqa: E731
        else:
            real = lambda: points.void(member_id=member, now=now, **values)  # noqa: E731
        self.both(real, lambda model: model.resolve(member=member, amount=amount, now=now, **values))

    @rule(who=WHO, currency=CURRENCY, amount=SMALL, pick=PICK, reference=REFERENCE)
    def refund(self, who: int, pick: int, **values: Any) -> None:
        now, member = self.now, self.members[who]
        values |= {"spent": self.used("spend hold", pick), "reference": self.named(values["reference"])}
        self.both(
            lambda: points.refund(member_id=member, now=now, **values),
            lambda model: model.refund(member=member, now=now, **values),
        )

    @rule(who=WHO, currency=CURRENCY, amount=SMALL, source=st.sampled_from(["order:1", "order:2"]), reference=REFERENCE)
    def reverse(self, who: int, **values: Any) -> None:
        now, member = self.now, self.members[who]
        values["reference"] = self.named(values["reference"])
        self.both(
            lambda: points.reverse(member_id=member, now=now, **values),
            lambda model: model.reverse(member=member, now=now, **values),
        )

    @rule(who=WHO, amount=SMALL)
    def hold_and_forget(self, who: int, amount: int) -> None:
        """Lots expire and the hold times out before anybody looks again."""
        self.hold(who, currency="points", amount=amount, reference="", minutes=9_000)
        self.now += timedelta(days=8)
        self.adjust(who, currency="points", amount=1, reference="")

    @rule(who=WHO, reference=st.just(""))
    def fall_into_arrears(self, who: int, reference: str) -> None:
        """Everything is spent, then what earned it is reversed."""
        account = self.model.accounts.get((self.members[who], "points"))
        if account is not None and 0 < account.available <= 10**12:
            self.spend(who, currency="points", amount=account.available, reference=reference)
            self.reverse(who, currency="points", amount=9, source="order:1", reference=reference)

    @rule(who=WHO, currency=CURRENCY, amount=st.integers(-12, 12).filter(bool), reference=REFERENCE)
    def adjust(self, who: int, **values: Any) -> None:
        now, member = self.now, self.members[who]
        values["reference"] = self.named(values["reference"])
        self.both(
            lambda: points.adjust(member_id=member, reason="by hand", now=now, **values),
            lambda model: model.adjust(member=member, now=now, **values),
        )

    @rule(pair=st.sampled_from([(0, 1), (1, 0), (0, 1), (1, 2), (0, 2)]))
    def move(self, pair: tuple[int, int]) -> None:
        origin, to = (self.members[who] for who in pair)
        before = len(self.model.moves)
        self.both(
            lambda: points_moves.move(from_member=origin, to_member=to, now=self.now) and None,
            lambda model: model.move(origin=origin, to=to, now=self.now),
        )
        if len(self.model.moves) > before:
            self.moves.append(PointsMove.objects.filter(member_id=origin).latest("pk").pk)

    @precondition(lambda self: self.moves)
    @rule(data=st.data())
    def undo(self, data: st.DataObject) -> None:
        self._undo(data.draw(st.integers(0, len(self.moves) - 1)))

    def _undo(self, number: int) -> None:
        self.both(
            lambda: points_moves.undo(move_id=self.moves[number], now=self.now),
            lambda model: model.undo(number=number, now=self.now),
        )

    @rule(repaid=st.sampled_from([0, 0, 3, 12]))
    def carry_arrears_there_and_back(self, repaid: int) -> None:
        """Somebody in arrears is moved, a part of them may be repaid, and the move is undone."""
        self.fall_into_arrears(0, "")
        self.move((0, 1))
        if repaid:
            self._earn(1, None, False, currency="points", amount=repaid, reference="", source="order:2")
        if self.moves:
            self._undo(len(self.moves) - 1)

    def teardown(self) -> None:
        if not hasattr(self, "history"):
            return
        try:
            bounds = {"first": min(self.members), "last": max(self.members)}
            assert list(map(str, points_check.check(**bounds))) == []
            assert points_rebuild.rebuild() == 0
            assert points_check.unbalanced() == []
        finally:
            transaction.set_rollback(True)
            self.history.__exit__(None, None, None)


def play(histories: int, *, derandomize: bool) -> None:
    currencies.get("points")
    currencies.create(key="coins", spendable=True, content=Content(name="金币"))
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        LedgerMachine,
        settings=settings(
            max_examples=histories,
            stateful_step_count=12 if histories <= 500 else 25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=derandomize,
        ),
    )


def test_every_history_ends_as_the_model_says() -> None:
    play(500, derandomize=True)


@pytest.mark.long
@pytest.mark.parametrize("part", range(4))
def test_ten_thousand_histories_end_as_the_model_says(part: int) -> None:
    """In parts, each drawn anew, that several workers share."""
    play(2_500, derandomize=False)
