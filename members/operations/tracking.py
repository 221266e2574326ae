"""Tracking calls come in: their facts to the timeline, the traits of an identify to the profile."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from members.operations import intake
from members.rules.intake import Outcome
from members.rules.tracking import Message
from scrm.common.transactions import atomic


def land_messages(*, messages: Sequence[Message], now: datetime) -> list[Outcome]:
    """Store the calls, in one transaction. Answers in their order: accepted, duplicate or rejected.

    Idempotent by message id: an identify that was known already changes no profile, so a late repetition of an old
    one cannot undo a newer one.
    """
    with atomic():
        outcomes = intake.land_events(items=[message.event for message in messages], now=now)
        profiles = [
            (index, message.profile)
            for index, (message, outcome) in enumerate(zip(messages, outcomes, strict=True))
            if message.profile is not None and outcome.status == "accepted"
        ]
        landed = intake.land_members(items=[profile for _, profile in profiles], now=now)
        for (index, _), outcome in zip(profiles, landed, strict=True):
            if outcome.status == "rejected":
                outcomes[index] = outcome
    return outcomes
