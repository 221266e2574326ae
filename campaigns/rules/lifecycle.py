"""Which state a campaign may go to from which: the whole table on one screen."""

from __future__ import annotations

from dataclasses import dataclass

from campaigns.enums import CampaignState as State


@dataclass(frozen=True, slots=True)
class Act:
    """Something a person does to a campaign."""

    name: str
    sources: frozenset[str]
    target: str


SCHEDULE = Act("schedule", frozenset({State.DRAFT.value}), State.SCHEDULED.value)
UNSCHEDULE = Act("unschedule", frozenset({State.SCHEDULED.value}), State.DRAFT.value)
PAUSE = Act("pause", frozenset({State.PREPARING.value, State.SENDING.value}), State.PAUSED.value)
# A campaign that was paused before its audience was fixed goes on preparing.
RESUME = Act("resume", frozenset({State.PAUSED.value}), State.SENDING.value)
STOP = Act(
    "stop",
    frozenset({State.SCHEDULED.value, State.PREPARING.value, State.SENDING.value, State.PAUSED.value}),
    State.STOPPED.value,
)

ACTS = (SCHEDULE, UNSCHEDULE, PAUSE, RESUME, STOP)
ENDED = frozenset({State.FINISHED.value, State.STOPPED.value, State.FAILED.value})


def acts_from(state: str) -> frozenset[str]:
    """What can be done to a campaign in this state, by name."""
    return frozenset(act.name for act in ACTS if state in act.sources)
