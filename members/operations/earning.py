"""Points for facts: what a batch of orders and events earns, booked in the transaction that lands it.

Nothing is added up as facts come: what each fact is to earn is worked out anew from what it is now, and the difference
to what is booked is earned or reversed. Late, repeated and changed facts, and refunds before their order, so end at
the same points. Rules are those in force when the fact happened; what they ask about the member is answered when the
fact first counts, and kept.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from django.db import connection

from members.operations import earning_booking, earning_gate
from members.operations.earning_booking import Stand
from members.queries import earning_facts
from members.queries.earning_versions import Known
from members.rules import earning as rules
from members.rules.earning import Answer, Fact, Version
from scrm.common.gates import Signatures
from scrm.common.reactions import Facts

# (currency, fact, the versions that are about it)
Concerned = tuple[str, Fact, list[Version]]


def react(facts: Facts, signatures: Signatures) -> None:
    """Book what new and changed orders and new events earn, inside the transaction that lands them.

    The members are held already.
    """
    if facts.orders or facts.events:
        known = earning_gate.GATE.known(signatures)
        if known.counting:
            keys = [key for kind in known.event_types & facts.events.keys() for key in facts.events[kind]]
            settle(
                order_ids=facts.orders, member_ids=facts.touched("order"), event_keys=keys, known=known, now=facts.now
            )


def settle(
    *,
    order_ids: Collection[UUID] = (),
    member_ids: Collection[int] = (),
    event_keys: Collection[earning_facts.EventKey] = (),
    known: Known,
    now: datetime,
) -> int:
    """Bring the points of these facts to what they are to be; answers how many movements were booked.

    `member_ids` are those whose orders they are.

    Their members are held (`summaries.hold`). Twice books nothing.
    """
    found: list[Fact] = []
    if (order_ids and known.order_currencies) or event_keys:
        with connection.cursor() as cursor:
            cursor.execute(earning_facts.FEW)
    if order_ids and known.order_currencies:
        found += earning_facts.orders(
            order_ids, member_ids=member_ids, lines=known.looks_at_lines, currency=earning_facts.shop_currency()
        )  # fmt: skip
    if event_keys:
        found += earning_facts.events(event_keys, counting=known.counting)
    return book(found, known=known, now=now)


def book(found: Sequence[Fact], *, known: Known, now: datetime) -> int:
    """The same for facts that were read already."""
    booked = 0
    for currency in sorted(known.by_currency):
        concerned = [
            (currency, fact, versions)
            for fact in found
            if (versions := _about(known, currency, fact)) or fact.source.startswith("order:")
        ]
        if concerned:
            booked += _book(currency, concerned, known, now)
    return booked


def _about(known: Known, currency: str, fact: Fact) -> list[Version]:
    trigger = "event" if fact.source.startswith("event:") else "order"
    return [version for version in known.at(currency, trigger, fact.at) if rules.concerns(version, fact)]


def _book(currency: str, concerned: Sequence[Concerned], known: Known, now: datetime) -> int:
    stands = earning_booking.load(currency, [(fact.member_id, fact.source) for _, fact, _ in concerned])
    # An order that never earned and that no rule is about leaves no trace.
    work = [
        (stands.setdefault((fact.member_id, fact.source), Stand(fact.member_id, fact.source, fact.at)), fact, versions)
        for _, fact, versions in concerned
        if (versions and fact.earns) or (fact.member_id, fact.source) in stands
    ]
    if not work:
        return 0
    _answer([(stand, versions) for stand, fact, versions in work if fact.earns], known, now)
    for stand, fact, versions in work:
        lines = rules.award(versions, fact, stand.answers) if fact.earns else []
        stand.propose(fact, lines)
    return earning_booking.write(currency, [stand for stand, _, _ in work], known=known, now=now)


def _answer(work: Sequence[tuple[Stand, list[Version]]], known: Known, now: datetime) -> None:
    """Ask what has not been answered yet for these facts: each version for the members that need it."""
    wanted: dict[int, set[int]] = {}
    for stand, versions in work:
        for version in versions:
            if version.id not in stand.answers:
                wanted.setdefault(version.id, set()).add(stand.member_id)
    if not wanted:
        return
    answers = earning_facts.answers(
        [known.by_id[pk] for pk in sorted(wanted)],
        {member_id for members in wanted.values() for member_id in members},
        as_of=now,
    )
    for stand, versions in work:
        for version in versions:
            if version.id not in stand.answers:
                answer: Answer | None = answers.get(version.id, {}).get(stand.member_id)
                if answer is not None:
                    stand.answers[version.id] = answer
