"""What follows a landed batch of facts, in order, inside its transaction. Slower work reads the timeline later."""

from __future__ import annotations

from members.operations import tasks
from scrm.common.reactions import Reaction
from tags.operations import watches

REACTIONS: list[Reaction] = [
    tasks.react,
    watches.react,
]
