"""Settling watches round by round: what hangs on the facts, then what hangs on the tags that moved."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from tags.operations import watch_effects
from tags.operations.watch_breaks import settle_soundly
from tags.operations.watch_effects import Moved
from tags.operations.watch_statements import Occurred, Transition
from tags.operations.watches_known import GATE, Known

# Rules that hang on other rules' tags are evaluated in rounds. Circles are refused when rules are saved; through
# events a circle could still be made, and it ends here: the next batch goes on with it.
MOST_ROUNDS = 10


def follow(
    touched: Mapping[str, Collection[int]],
    *,
    tags: Mapping[int, Collection[int]] | None = None,
    occurred: Occurred | None = None,
    known: Known | None = None,
    now: datetime,
) -> None:
    """Settle what hangs on the touched topics, and what hangs on the tags that move thereby, round by round.

    `touched` gives the members of each topic; `tags` those of each tag, when "tag" is about certain tags only;
    `occurred` the times of new events, when nothing else is touched; `known` the watches, when the gate was passed
    already. Inside a transaction that holds the members.
    """
    watches = known or GATE.enter(now=now, by_index=True)
    for _ in range(MOST_ROUNDS):
        asked = watches.asked(touched, tags)
        if not asked:
            return
        moved = watch_effects.apply(answers(watches, asked, occurred=occurred, now=now), now=now)
        touched, tags, occurred = moved.topics, moved.tags, None
        if not touched:
            return


def follow_moves(moved: Moved, *, now: datetime) -> None:
    """Settle what hangs on tags and segment entries that were moved already."""
    if touched := moved.topics:
        follow(touched, tags=moved.tags, now=now)


def answers(
    watches: Known, asked: Mapping[int, Collection[int]], *, occurred: Occurred | None = None, now: datetime
) -> list[Transition]:
    """Evaluate each watch for its members and store what differs. After the gate, while the members are held."""
    found = []
    for block in watches.blocks:
        part = {watch_id: members for watch_id, members in asked.items() if block.covers(watch_id)}
        if part:
            found += settle_soundly(block, part, occurred=occurred, now=now)
    return found
