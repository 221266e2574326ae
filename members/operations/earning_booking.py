"""What facts have earned, as it is kept, and the bookings that bring the ledger there."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.db import connection

from members.operations import columns, currencies, earning_budgets, holders, points_many, summaries
from members.operations.earning_budgets import Ask
from members.operations.points import Credit
from members.operations.points_many import Reversal
from members.queries.earning_facts import answer_document, answer_of
from members.queries.earning_versions import Known
from members.rules import earning as rules
from members.rules import earning_caps
from members.rules.earning import Answer, Fact, Line
from scrm.common import clock

Key = tuple[int, str]  # member id, source


@dataclass(slots=True)
class Stand:
    """What a fact has earned in a currency so far (`stood`, `booked`), and what it is to earn (`points`)."""

    member_id: int
    source: str
    at: datetime
    amount: int = 0
    net: int = 0
    gross: int = 0
    points: int = 0
    booked: int = 0
    revision: int = 0
    lines: list[Line] = field(default_factory=list)
    answers: dict[int, Answer] = field(default_factory=dict)
    # What each rule with a programme budget asked for and was given.
    budgets: dict[int, tuple[int, int]] = field(default_factory=dict)
    number: str = ""  # of the fact, as others know it
    stood: int = 0
    was_at: datetime = field(init=False)
    rules: frozenset[int] = field(init=False)  # that give, or gave, something
    _asks: list[tuple[Line, int, Ask]] = field(default_factory=list)
    _said: list[dict[str, Any]] | None = None
    _was: Any = None

    def __post_init__(self) -> None:
        self.was_at = self.at
        self.stood = self.points
        self.rules = frozenset(line.rule_id for line in self.lines)

    def propose(self, fact: Fact, lines: list[Line]) -> None:
        """What the fact is now, and what its rules give before the limits that look beyond it."""
        self.at, self.amount, self.net, self.number = fact.at, fact.amount, fact.net, fact.number
        self.rules |= {line.rule_id for line in lines}
        self.lines = lines

    def settle_budgets(self) -> list[Ask]:
        """What is wanted of budgets beyond what was asked before; what is wanted less is given back."""
        self._asks = []
        gone = dict(self.budgets)
        for line in self.lines:
            if "budget" not in line.caps:
                continue
            asked, given = gone.pop(line.rule_id, (0, 0))
            more = line.points - asked if line.points > asked else min(line.points - given, 0)
            self._asks.append((line, given, Ask(line.rule_id, line.caps["budget"], more)))
            self.budgets[line.rule_id] = (line.points, given)
        returned = []
        for rule_id, (_, given) in gone.items():
            del self.budgets[rule_id]
            returned.append(Ask(rule_id, 0, -given))
        return [*returned, *(ask for _, _, ask in self._asks if ask.more)]

    def add_up(self) -> None:
        """What is to be booked, now that every limit is known."""
        for line, given, ask in self._asks:
            wanted = line.points
            line.points = given + ask.given
            self.budgets[line.rule_id] = (wanted, line.points)
            line.limits = tuple(one for one in line.limits if one != "budget")
            if line.points < wanted:
                line.limits += ("budget",)
        self.gross = sum(line.points for line in self.lines)
        self.points = rules.left_after_refunds(self.gross, self.amount, self.net)
        self._said = None

    def reference(self) -> str:
        """Of the next booking of this fact."""
        self.revision += 1
        return f"{self.source}:{self.revision}"

    def document(self) -> list[dict[str, Any]]:
        """The explanation: its points add up to `points`. Worked out once: entry, row and comparison all say it."""
        if self._said is None:
            self._said = [line.document() for line in self.lines]
            if self.points != self.gross:
                self._said.append({"refund": self.amount - self.net, "points": self.points - self.gross})
        return self._said

    def kept(self) -> dict[str, Any]:
        """What was true when the fact first counted, and what budgets gave."""
        said: dict[str, Any] = {
            "answers": {str(pk): answer_document(one) for pk, one in self.answers.items()},
            "number": self.number,
        }
        if self.budgets:
            said["budgets"] = {str(rule_id): list(pair) for rule_id, pair in self.budgets.items()}
        return said

    @property
    def place(self) -> tuple[datetime, str, str]:
        """By which facts come one after the other: not by when they arrived."""
        return self.at, self.number, self.source

    @property
    def state(self) -> tuple[Any, ...]:
        """What is stored."""
        return (
            self.at, self.amount, self.net, self.gross, self.points, self.booked, self.revision, self.document(),
            self.kept(),
        )  # fmt: skip

    @property
    def differs(self) -> bool:
        return self._was is None or self._was != self.state

    def stored(self) -> None:
        """It is what stands in its row."""
        self._was = self.state


def load(currency: str, keys: Iterable[Key]) -> dict[Key, Stand]:
    """What is kept of these facts."""
    listed = list(keys)
    return _load(
        f"""
        SELECT {_COLUMNS} FROM unnest(%s::bigint[], {columns.TEXTS}) AS k (member_id, source)
        JOIN members_pointsearning e ON e.member_id = k.member_id AND e.currency_id = %s AND e.source = k.source
        """,
        [
            columns.integers(member_id for member_id, _ in listed),
            columns.texts(source for _, source in listed),
            currencies.currency_id(currency),
        ],
    )


_COLUMNS = (
    "e.member_id, e.source, e.occurred_at, e.amount, e.net, e.gross, e.points, e.booked, e.revision, e.lines::text, "
    "e.kept::text"
)


def _load(statement: str, params: Sequence[Any]) -> dict[Key, Stand]:
    zone = clock.shop_zone()
    found = {}
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        for member_id, source, at, amount, net, gross, stood, booked, revision, lines, kept in cursor.fetchall():
            kept = json.loads(kept)
            stand = found[member_id, source] = Stand(
                member_id, source, at.astimezone(zone), amount, net, gross, stood, booked, revision,
                [rules.line_of(said) for said in json.loads(lines) if "rule_id" in said],
                {int(pk): answer_of(said) for pk, said in kept.get("answers", {}).items()},
                {int(pk): (asked, given) for pk, (asked, given) in kept.get("budgets", {}).items()},
                kept["number"],
            )  # fmt: skip
            stand.stored()
    return found


def write(currency: str, stands: Sequence[Stand], *, known: Known, now: datetime) -> int:
    """Apply the limits, book the differences, and keep what each fact has earned. Answers how many movements."""
    limited = [stand for stand in stands if known.limited & stand.rules]
    every = list(stands)
    if limited:
        beside = _beside(currency, limited, every, known)
        every += beside
        _limit({stand.member_id for stand in limited}, every)
    earning_budgets.take(_asks(every))
    for stand in every:
        stand.add_up()
    booked = _book(currency, every, now)
    _store(currency, [stand for stand in every if stand.differs], now)
    return booked


def _beside(currency: str, limited: Sequence[Stand], stands: Sequence[Stand], known: Known) -> list[Stand]:
    """What the same members earned in the months of these facts, and ever where a limit counts for ever."""
    spans: dict[int, tuple[datetime | None, datetime | None]] = {}
    for stand in limited:
        for at in (stand.at, stand.was_at):
            first = at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
            last = (first + timedelta(days=32)).replace(day=1)
            since, until = spans.get(stand.member_id, (first, last))
            ever = since is None or until is None or bool(known.limited_ever & stand.rules)
            spans[stand.member_id] = (None, None) if ever else (min(since, first), max(until, last))  # type: ignore[type-var]  # neither is None
    found = _load(
        f"""
        SELECT {_COLUMNS} FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[]) AS k (member_id, since, until)
        JOIN members_pointsearning e ON e.member_id = k.member_id AND e.currency_id = %s
         AND e.occurred_at >= COALESCE(k.since, '-infinity') AND e.occurred_at < COALESCE(k.until, 'infinity')
        """,
        [
            columns.integers(spans),
            columns.instants(since for since, _ in spans.values()),
            columns.instants(until for _, until in spans.values()),
            currencies.currency_id(currency),
        ],
    )
    mine = {(stand.member_id, stand.source) for stand in stands}
    return [stand for key, stand in found.items() if key not in mine]


def _limit(member_ids: Collection[int], stands: Sequence[Stand]) -> None:
    history: dict[int, list[Stand]] = {}
    for stand in stands:
        if stand.member_id in member_ids:
            history.setdefault(stand.member_id, []).append(stand)
    for of_member in history.values():
        of_member.sort(key=lambda stand: stand.place)
        earning_caps.apply([(stand.at.date(), stand.lines) for stand in of_member])


def _asks(stands: Sequence[Stand]) -> list[Ask]:
    """What is wanted of the programmes' budgets, as far as that is not what was wanted before; earlier facts first."""
    asks = []
    for stand in sorted(stands, key=lambda stand: stand.place):
        asks += stand.settle_budgets()
    return asks


def _book(currency: str, stands: Sequence[Stand], now: datetime) -> int:
    """Earn or reverse what differs from what is booked. What a policy did not take back is not tried again.

    Of a member whose ledger was moved it is booked in the ledger that has their points now.
    """
    # Earlier facts first: so the ledger tells them, and lots of one day are spent in their order.
    ordered = sorted(stands, key=lambda stand: stand.place)
    more = [stand for stand in ordered if stand.points > stand.stood and stand.points > stand.booked]
    back = [stand for stand in stands if stand.points < stand.stood and stand.points < stand.booked]
    if not more and not back:
        return 0
    moved = summaries.hold_holders({stand.member_id for stand in (*more, *back)})
    credits: dict[tuple[int, str], tuple[Stand, Credit]] = {}
    for stand in more:
        holder = moved.get(stand.member_id, stand.member_id)
        credit = Credit(
            holder, stand.points - stand.booked, stand.reference(), stand.source, min(stand.at, now),
            holders.detail({"lines": stand.document()}, of_member=stand.member_id, holder=holder),
        )  # fmt: skip
        credits[holder, credit.reference] = (stand, credit)
    booked = points_many.earn_all(currency=currency, credits=[credit for _, credit in credits.values()], now=now)
    for key in booked:
        stand = credits[key][0]
        stand.booked = stand.points
    reversals: dict[tuple[int, str], tuple[Stand, Reversal]] = {}
    for stand in back:
        holder = moved.get(stand.member_id, stand.member_id)
        reversal = Reversal(
            holder, stand.source, stand.booked - stand.points, stand.reference(),
            holders.detail({"lines": stand.document()}, of_member=stand.member_id, holder=holder), now,
        )  # fmt: skip
        reversals[holder, stand.source] = (stand, reversal)
    taken = points_many.reverse_many(
        currency=currency, reversals=[reversal for _, reversal in reversals.values()], now=now
    )
    for key, (stand, _) in reversals.items():
        stand.booked -= taken[key]
    return len(booked) + len(back)


def _store(currency: str, stands: Sequence[Stand], now: datetime) -> None:
    if not stands:
        return
    ordered = sorted(stands, key=lambda stand: (stand.member_id, stand.source))
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO members_pointsearning AS e (member_id, currency_id, source, occurred_at, amount, net, gross,
                                                    points, booked, revision, lines, kept, updated_at)
            SELECT t.member_id, %s, t.source, t.occurred_at, t.amount, t.net, t.gross, t.points, t.booked, t.revision,
                   t.lines::jsonb, t.kept::jsonb, %s
            FROM unnest(%s::bigint[], {columns.TEXTS}, %s::timestamptz[], %s::bigint[], %s::bigint[], %s::bigint[],
                        %s::bigint[], %s::bigint[], %s::int[], {columns.TEXTS}, {columns.TEXTS})
                 AS t (member_id, source, occurred_at, amount, net, gross, points, booked, revision, lines, kept)
            ON CONFLICT (member_id, currency_id, source) DO UPDATE
            SET occurred_at = EXCLUDED.occurred_at, amount = EXCLUDED.amount, net = EXCLUDED.net,
                gross = EXCLUDED.gross, points = EXCLUDED.points, booked = EXCLUDED.booked,
                revision = EXCLUDED.revision, lines = EXCLUDED.lines, kept = EXCLUDED.kept,
                updated_at = EXCLUDED.updated_at
            """,
            [
                currencies.currency_id(currency),
                now,
                columns.integers(stand.member_id for stand in ordered),
                columns.texts(stand.source for stand in ordered),
                columns.instants(stand.at for stand in ordered),
                columns.integers(stand.amount for stand in ordered),
                columns.integers(stand.net for stand in ordered),
                columns.integers(stand.gross for stand in ordered),
                columns.integers(stand.points for stand in ordered),
                columns.integers(stand.booked for stand in ordered),
                columns.integers(stand.revision for stand in ordered),
                columns.texts(_dumps(stand.document()) for stand in ordered),
                columns.texts(_dumps(stand.kept()) for stand in ordered),
            ],
        )


def _dumps(said: Any) -> str:
    return msgspec.json.encode(said).decode()
