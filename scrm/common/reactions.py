"""What follows a landed batch of facts, or a changed meaning of what conditions name, inside the same transaction.

The intake calls `run`, and who redefines a thing calls `redefined`, without knowing who is on the lists, which
`scrm/reactions.py` fills in order at start-up. A reaction is set-based: it gets the whole batch, never one row.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from scrm.common import gates
from scrm.common.gates import Signatures


@dataclass(frozen=True, slots=True)
class Facts:
    """What one intake batch changed.

    `member_ids` are distinct and sorted; the counts are of rows that were new.
    """

    now: datetime
    member_ids: Sequence[int]
    event_count: int = 0
    order_count: int = 0
    created_member_ids: Sequence[int] = field(default=())
    # What was touched, in the words of `conditions.dependencies`: "order", "profile", "event:page" …
    topics: frozenset[str] = frozenset()
    # Of which members, where a topic was not touched of all of them.
    members_of: Mapping[str, Collection[int]] = field(default_factory=dict)
    # When the new events of each member occurred, the first and the last.
    occurred: Mapping[int, tuple[datetime, datetime]] = field(default_factory=dict)
    # The orders that are new or changed, also by a refund.
    orders: Collection[UUID] = field(default=())
    # The new events by type: (member id, source id, message id).
    events: Mapping[str, Collection[tuple[int, int, str]]] = field(default_factory=dict)

    def touched(self, topic: str) -> Collection[int]:
        """The members of whom the topic was touched."""
        if topic not in self.topics:
            return ()
        return self.members_of.get(topic, self.member_ids)


class Redefinition(Protocol):
    """Called after answers of conditions may have changed for any number of members, who are not known."""

    def __call__(self, *, topics: Collection[str], now: datetime) -> object: ...


Reaction = Callable[[Facts, Signatures], None]
_hold: list[Callable[[Facts], None]] = []
_reactions: list[Reaction] = []
_redefinitions: list[Redefinition] = []


def install(
    reactions: Sequence[Reaction],
    *,
    redefinitions: Sequence[Redefinition] | None = None,
    hold: Callable[[Facts], None] | None = None,
) -> None:
    """Set the lists and what holds a batch's members; what is not given stays. Called once, by the composition root."""
    _reactions[:] = reactions
    if redefinitions is not None:
        _redefinitions[:] = redefinitions
    if hold is not None:
        _hold[:] = [hold]


def run(facts: Facts, signatures: Signatures | None = None) -> None:
    """Call every reaction in order, each with the rules that count; an exception rolls the whole batch back.

    The members are held before the gates are passed: who is inside waits for no member whom somebody holds that waits
    outside. `signatures`: the members are held and the gates were passed already.
    """
    if not facts.member_ids:
        return
    if signatures is None:
        for hold in _hold:
            hold(facts)
        signatures = gates.enter(now=facts.now, by_index=True)
    for reaction in _reactions:
        reaction(facts, signatures)


def redefined(*, topics: Collection[str], now: datetime) -> None:
    """Something that conditions hang on means something else now: a store's region, a custom field.

    `topics` say what, in the words of `conditions.dependencies`. Inside the transaction that changed it; what takes
    long is left to the background.
    """
    for reaction in _redefinitions:
        reaction(topics=topics, now=now)
