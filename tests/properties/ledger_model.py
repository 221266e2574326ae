"""What the ledger of points promises, said a second time: in memory, from the words of the decision and the semantics.

Nothing here looks at the database or its functions. Amounts are whole points, times are instants.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

NEVER = datetime.max.replace(tzinfo=UTC)
LARGEST, FULL = 10**12, 10**15
Taking = list[tuple["Lot", int]]


class Refused(Exception):
    """With the code of the typed failure."""


@dataclass(frozen=True)
class Policy:
    pending_days: int = 0
    reversal: str = "arrears"
    grace_days: int = 7
    idle_days: int | None = None
    spendable: bool = True


@dataclass(eq=False)
class Lot:
    order: int
    left: int
    active: bool
    earned_at: datetime
    activates_at: datetime
    expires_at: datetime
    source: str
    held: int = 0

    @property
    def free(self) -> int:
        return self.left - self.held if self.active else 0

    @property
    def turn(self) -> tuple[datetime, datetime, int]:
        """Whose turn it is to be spent: what expires first."""
        return (self.expires_at, self.earned_at, self.order)


@dataclass(eq=False)
class Hold:
    reference: str
    amount: int
    ends_at: datetime
    reserved: Taking
    state: str = "open"
    posted: int = 0


@dataclass(eq=False)
class Spending:
    amount: int
    taken: Taking
    back: int = 0


@dataclass(eq=False)
class Account:
    policy: Policy
    lots: list[Lot] = field(default_factory=list)
    holds: dict[str, Hold] = field(default_factory=dict)
    spendings: dict[str, Spending] = field(default_factory=dict)
    # What was booked under a reference, and what the call asked for.
    booked: dict[tuple[str, str], tuple[Any, int]] = field(default_factory=dict)
    earned: dict[str, int] = field(default_factory=dict)  # by source, as are the next two
    reversed: dict[str, int] = field(default_factory=dict)
    lapsed: dict[str, int] = field(default_factory=dict)
    arrears: int = 0
    idle_at: datetime = NEVER
    closed: bool = False
    serial: int = 0

    @property
    def pending(self) -> int:
        return sum(lot.left for lot in self.lots if not lot.active)

    @property
    def held(self) -> int:
        return sum(lot.held for lot in self.lots)

    @property
    def available(self) -> int:
        return sum(lot.free for lot in self.lots) - self.arrears

    def balances(self) -> tuple[int, int, int]:
        return self.pending, self.available, self.held

    def add_lot(self, **values: Any) -> Lot:
        self.serial += 1
        lot = Lot(order=self.serial, **values)
        self.lots.append(lot)
        return lot

    def take(self, amount: int, source: str | None = None) -> Taking:
        """Take from free lots in turn, as much as there is."""
        taken = []
        for lot in sorted(self.lots, key=lambda lot: lot.turn):
            part = min(amount, lot.free)
            if part and source in (None, lot.source):
                lot.left -= part
                amount -= part
                taken.append((lot, part))
        return taken

    def repay(self, at_most: int) -> None:
        """What has become free repays arrears before anything else."""
        for _lot, part in self.take(min(self.arrears, at_most)):
            self.arrears -= part

    def give_time(self, lot: Lot, now: datetime) -> None:
        """What is given back to an expired lot can be spent for the days of grace."""
        if lot.expires_at <= now and self.policy.grace_days:
            lot.expires_at = now + timedelta(days=self.policy.grace_days)

    def rouse(self, now: datetime) -> None:
        """And the same where everything has expired for want of activity."""
        if self.idle_at <= now and self.policy.grace_days:
            self.idle_at = now + timedelta(days=self.policy.grace_days)

    def act(self, now: datetime) -> None:
        """Earning and spending are activity."""
        if self.policy.idle_days is None:
            self.idle_at = NEVER
        else:
            later = now + timedelta(days=self.policy.idle_days)
            self.idle_at = later if self.idle_at == NEVER else max(self.idle_at, later)

    def pass_time(self, now: datetime) -> None:
        """Everything that happened by itself until now, one thing after the other."""
        while True:
            coming: list[tuple[datetime, int, int, Callable[[], None]]] = []
            for lot in self.lots:
                end = min(lot.expires_at, self.idle_at)
                if lot.free and end <= now:
                    coming.append((end, 1, lot.order, lambda lot=lot: self._lapse(lot)))  # type: ignore[misc]
                if lot.left and not lot.active and lot.activates_at <= now:
                    coming.append((lot.activates_at, 3, lot.order, lambda lot=lot: self._activate(lot)))  # type: ignore[misc]
            for number, hold in enumerate(self.holds.values()):
                if hold.state == "open" and hold.ends_at <= now:
                    coming.append((hold.ends_at, 2, number, lambda hold=hold: self._time_out(hold)))  # type: ignore[misc]
            if not coming:
                return
            min(coming, key=lambda one: one[:3])[3]()

    def _lapse(self, lot: Lot) -> None:
        self.lapsed[lot.source] = self.lapsed.get(lot.source, 0) + lot.free
        lot.left -= lot.free

    def _activate(self, lot: Lot) -> None:
        lot.active = True
        self.repay(lot.left)
        if self.policy.idle_days is not None:
            later = lot.activates_at + timedelta(days=self.policy.idle_days)
            self.idle_at = later if self.idle_at == NEVER else max(self.idle_at, later)

    def _time_out(self, hold: Hold) -> None:
        self.release(hold, hold.ends_at)
        hold.state = "timed_out"
        self.rouse(hold.ends_at)

    def release(self, hold: Hold, now: datetime) -> None:
        amount = 0
        for lot, part in hold.reserved:
            lot.held -= part
            amount += part
            if part:
                self.give_time(lot, now)
        hold.reserved = []
        self.repay(amount)


@dataclass(eq=False)
class Moved:
    origin: int
    to: int
    at: datetime
    pairs: dict[str, list[tuple[Lot, Lot]]] = field(default_factory=dict)
    holds: dict[str, list[tuple[Hold, Hold]]] = field(default_factory=dict)
    arrears: dict[str, int] = field(default_factory=dict)
    undone: bool = False


class Ledger:
    """All members' accounts. Movements answer (duplicate, booked, pending, available, held)."""

    def __init__(self, policies: dict[str, Policy]) -> None:
        self.policies = policies
        self.accounts: dict[tuple[int, str], Account] = {}
        self.moves: list[Moved] = []

    def account(self, member: int, currency: str, now: datetime) -> Account:
        account = self.accounts.setdefault((member, currency), Account(self.policies[currency]))
        account.pass_time(now)
        return account

    def origins(self, member: int) -> list[int]:
        """Whose ledgers this member has, the member's own first."""
        found = [member]
        for one in found:
            found += [move.origin for move in self.moves if move.to == one and not move.undone]
        return found

    def related(self, member: int) -> list[int]:
        found = [member]
        for one in found:
            for move in self.moves:
                found += [
                    other
                    for mine, other in ((move.to, move.origin), (move.origin, move.to))
                    if mine == one and other not in found
                ]
        return found

    def _all(self, members: list[int], currency: str) -> list[Account]:
        return [self.accounts[one, currency] for one in members if (one, currency) in self.accounts]

    def _known(self, account: Account, member: int, currency: str, kinds: list[str], reference: str, asked: Any) -> Any:
        for one in self._all(self.origins(member), currency):
            for kind in kinds:
                if (kind, reference) in one.booked:
                    before, booked = one.booked[kind, reference]
                    if kind != kinds[0] or before != asked:
                        raise Refused("reference_reused")
                    return (True, booked, *account.balances())
        return None

    @staticmethod
    def _check(account: Account) -> None:
        if account.closed:
            raise Refused("account_moved")

    def earn(
        self, *, member: int, currency: str, amount: int, reference: str, source: str = "",
        occurred_at: datetime | None = None, expires_at: datetime | None = None, now: datetime, kind: str = "earn",
    ) -> Any:  # fmt: skip
        account = self.account(member, currency, now)
        known = self._known(account, member, currency, [kind], reference, (amount, "up"))
        if known:
            return known
        self._check(account)
        if sum(account.balances()) + amount > FULL:
            raise Refused("balance_out_of_range")
        at = occurred_at or now
        activates = at + timedelta(days=account.policy.pending_days)
        account.add_lot(
            left=amount, active=activates <= now, earned_at=at, activates_at=activates,
            expires_at=expires_at or NEVER, source=source,
        )  # fmt: skip
        if kind == "earn":
            account.earned[source] = account.earned.get(source, 0) + amount
        if activates <= now:
            account.repay(amount)
        account.act(now)
        account.pass_time(now)
        account.booked[kind, reference] = ((amount, "up"), amount)
        return (False, amount, *account.balances())

    def earn_many(self, *, currency: str, credits: list[tuple[int, int, str, str]], now: datetime) -> dict[int, bool]:
        answer = {}
        for member, amount, reference, source in credits:
            account = self.account(member, currency, now)
            if account.closed:
                continue
            held = any(("earn", reference) in one.booked for one in self._all(self.origins(member), currency))
            if not held:
                self.earn(member=member, currency=currency, amount=amount, reference=reference, source=source, now=now)
            answer[member] = not held
        return answer

    def _ready(self, account: Account, amount: int, *, spending: bool) -> None:
        self._check(account)
        if spending and not account.policy.spendable:
            raise Refused("not_spendable")
        if account.available < 0:
            raise Refused("in_arrears")
        if account.available < amount:
            raise Refused("not_enough_points")

    def spend(self, *, member: int, currency: str, amount: int, reference: str, now: datetime) -> Any:
        account = self.account(member, currency, now)
        known = self._known(account, member, currency, ["spend", "hold"], reference, amount)
        if known:
            return known
        self._ready(account, amount, spending=True)
        account.spendings[reference] = Spending(amount, account.take(amount))
        account.act(now)
        account.booked["spend", reference] = (amount, amount)
        return (False, amount, *account.balances())

    def adjust(self, *, member: int, currency: str, amount: int, reference: str, now: datetime) -> Any:
        if amount > 0:
            return self.earn(
                member=member, currency=currency, amount=amount, reference=reference, now=now, kind="adjust"
            )
        account = self.account(member, currency, now)
        known = self._known(account, member, currency, ["adjust"], reference, (-amount, "down"))
        if known:
            return known
        self._ready(account, -amount, spending=False)
        account.take(-amount)
        account.booked["adjust", reference] = ((-amount, "down"), -amount)
        return (False, -amount, *account.balances())

    def hold(self, *, member: int, currency: str, amount: int, reference: str, minutes: int, now: datetime) -> Any:
        account = self.account(member, currency, now)
        known = self._known(account, member, currency, ["hold", "spend"], reference, amount)
        if known:
            return known
        self._ready(account, amount, spending=True)
        reserved, rest = [], amount
        for lot in sorted(account.lots, key=lambda lot: lot.turn):
            part = min(rest, lot.free)
            if part:
                lot.held += part
                rest -= part
                reserved.append((lot, part))
        account.holds[reference] = Hold(reference, amount, now + timedelta(minutes=minutes), reserved)
        account.booked["hold", reference] = (amount, amount)
        return (False, amount, *account.balances())

    def resolve(self, *, member: int, currency: str, amount: int, reference: str, now: datetime) -> Any:
        account = self.account(member, currency, now)
        hold = account.holds.get(reference)
        for one in self._all(self.origins(member), currency):
            other = one.holds.get(reference)
            if hold is None and other and other.state not in ("open", "moved"):
                hold = other
        if hold is None:
            raise Refused("unknown_hold")
        if hold.state == "moved" or account.closed:
            raise Refused("account_moved")
        if amount > hold.amount:
            raise Refused("above_hold")
        if hold.state != "open":
            if hold.posted != amount:
                raise Refused("hold_resolved")
            return (True, amount, *account.balances())
        taken, rest = [], amount
        for lot, part in sorted(hold.reserved, key=lambda one: one[0].turn):
            now_taken = min(rest, part)
            if now_taken:
                lot.left -= now_taken
                lot.held -= now_taken
                rest -= now_taken
                taken.append((lot, now_taken))
        kept = dict(taken)
        hold.reserved = [(lot, part - kept.get(lot, 0)) for lot, part in hold.reserved]
        hold.state, hold.posted = ("posted", amount) if amount else ("voided", 0)
        if amount:
            account.spendings[reference] = Spending(amount, taken)
        account.release(hold, now)
        if amount and account.policy.idle_days is not None:
            account.act(now)
        else:
            account.rouse(now)
        account.pass_time(now)
        return (False, amount, *account.balances())

    def refund(self, *, member: int, currency: str, spent: str, amount: int, reference: str, now: datetime) -> Any:
        account = self.account(member, currency, now)
        known = self._known(account, member, currency, ["refund"], reference, (amount, spent))
        if known:
            return known
        self._check(account)
        for origin in self.origins(member):
            there = self.accounts.get((origin, currency))
            if there is None or spent not in there.spendings:
                continue
            spending = there.spendings[spent]
            if amount > spending.amount - spending.back:
                raise Refused("above_original")
            spending.back += amount
            if origin != member:
                there.idle_at = account.idle_at
            rest = amount
            for number, (lot, part) in sorted(enumerate(spending.taken), key=lambda one: one[1][0].turn, reverse=True):
                given = min(rest, part)
                if given:
                    lot.left += given
                    rest -= given
                    there.give_time(lot, now)
                    spending.taken[number] = (lot, part - given)
            there.repay(amount)
            there.rouse(now)
            there.pass_time(now)
            there.booked["refund", reference] = ((amount, spent), amount)
            while origin != member:
                (move,) = [one for one in self.moves if one.origin == origin and not one.undone]
                self._carry(move, currency, now)
                origin = move.to
            return (False, amount, *account.balances())
        raise Refused("unknown_spending")

    def reverse(self, *, member: int, currency: str, source: str, amount: int, reference: str, now: datetime) -> Any:
        account = self.account(member, currency, now)
        known = self._known(account, member, currency, ["reverse"], reference, (amount, source))
        if known:
            return known
        self._check(account)
        everybody = self._all(self.related(member), currency)
        earned, back, lapsed = (
            sum(getattr(one, name).get(source, 0) for one in everybody) for name in ("earned", "reversed", "lapsed")
        )
        if amount > earned - back:
            raise Refused("above_original")
        left = sum(lot.left - lot.held for one in everybody for lot in one.lots if lot.source == source)
        spent = max(earned - back - lapsed - left, 0)
        rest = amount
        for lot in account.lots:
            if lot.source == source and not lot.active:
                part = min(rest, lot.left)
                lot.left -= part
                rest -= part
        if account.policy.reversal != "pending_only":
            rest -= sum(part for _lot, part in account.take(rest, source))
            beyond = min(rest, spent)
            if account.policy.reversal == "within_balance":
                beyond = min(beyond, max(account.available, 0))
            rest -= beyond
            account.arrears += beyond - sum(part for _lot, part in account.take(beyond))
        booked = amount - rest
        if booked:
            account.reversed[source] = account.reversed.get(source, 0) + booked
            account.booked["reverse", reference] = ((amount, source), booked)
        return (False, booked, *account.balances())

    def move(self, *, origin: int, to: int, now: datetime) -> None:
        if any(not move.undone and move.origin in (origin, to) for move in self.moves):
            raise Refused("account_moved")
        for currency in self.policies:
            mine, theirs = self.account(origin, currency, now), self.account(to, currency, now)
            for hold in mine.holds.values():
                used = {reference for kind, reference in theirs.booked if kind in ("hold", "spend")} | set(theirs.holds)
                if hold.state == "open" and hold.reference in used:
                    raise Refused("same_hold")
        move = Moved(origin, to, now)
        self.moves.append(move)
        for currency in self.policies:
            self._carry(move, currency, now)
            self.accounts[origin, currency].closed = True

    def _carry(self, move: Moved, currency: str, now: datetime) -> None:
        """Everything that is at the origin goes to the other member."""
        mine, theirs = self.accounts[move.origin, currency], self.accounts[move.to, currency]
        became: dict[Lot, Lot] = {}
        for lot in mine.lots:
            if lot.left:
                became[lot] = theirs.add_lot(
                    left=lot.left, held=lot.held, active=lot.active, earned_at=lot.earned_at,
                    activates_at=lot.activates_at, expires_at=lot.expires_at, source=lot.source,
                )  # fmt: skip
                theirs.repay(became[lot].free)
                lot.left = lot.held = 0
        move.pairs.setdefault(currency, []).extend(became.items())
        for hold in mine.holds.values():
            if hold.state == "open":
                reserved = [(became[lot], part) for lot, part in hold.reserved]
                copy = Hold(hold.reference, hold.amount, hold.ends_at, reserved)
                theirs.holds[hold.reference] = copy
                theirs.booked["hold", hold.reference] = (hold.amount, hold.amount)
                hold.state = "moved"
                move.holds.setdefault(currency, []).append((hold, copy))
        if mine.arrears:
            move.arrears[currency] = move.arrears.get(currency, 0) + mine.arrears
            theirs.arrears += mine.arrears
            theirs.repay(mine.arrears)
            mine.arrears = 0
        if mine.idle_at != NEVER:
            theirs.idle_at = mine.idle_at if theirs.idle_at == NEVER else max(mine.idle_at, theirs.idle_at)
        theirs.pass_time(now)

    def undo(self, *, number: int, now: datetime) -> None:
        move = self.moves[number]
        if move.undone:
            raise Refused("undone_already")
        if now > move.at + timedelta(days=30):
            raise Refused("too_late")
        if any(one.origin == move.to and not one.undone for one in self.moves):
            raise Refused("account_moved")
        for currency in self.policies:
            mine, theirs = self.accounts[move.origin, currency], self.account(move.to, currency, now)
            back = {copy: lot for lot, copy in move.pairs.get(currency, [])}
            for hold, copy in move.holds.get(currency, []):
                if copy.state == "open":
                    for lot, part in copy.reserved:
                        lot.left -= part
                        lot.held -= part
                        back[lot].left += part
                        back[lot].held += part
                        back[lot].active = True
                    hold.reserved = [(back[lot], part) for lot, part in copy.reserved]
                    copy.state, hold.state, copy.reserved = "moved", "open", []
            for lot, copy in move.pairs.get(currency, []):
                free = copy.left - copy.held
                copy.left -= free
                lot.left += free
                lot.active = lot.active or copy.active
                lot.expires_at = max(lot.expires_at, copy.expires_at)
            unpaid = min(move.arrears.get(currency, 0), theirs.arrears)
            theirs.arrears -= unpaid
            mine.arrears += unpaid
            mine.repay(unpaid)
            if theirs.idle_at != NEVER:
                mine.idle_at = theirs.idle_at if mine.idle_at == NEVER else max(mine.idle_at, theirs.idle_at)
            mine.closed = False
            mine.pass_time(now)
            theirs.pass_time(now)
        move.undone = True
