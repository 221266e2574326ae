"""What follows facts and redefinitions, in order, inside their transaction. Slower work reads the timeline later."""

from __future__ import annotations

from members.operations import earning, summaries, tasks, tiers
from scrm.common.reactions import Reaction, Redefinition
from tags.operations import watches

REACTIONS: list[Reaction] = [
    earning.react,
    tiers.react,
    tasks.react,
    watches.react,
]
HOLD = summaries.hold_touched
REDEFINITIONS: list[Redefinition] = [
    watches.reconsider,
]
