"""Who of a chunk is written to now: the last word, spoken in the transaction of the claim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime

from campaigns.enums import QuietAction, SkipReason


@dataclass(frozen=True, slots=True)
class Standing:
    """What was just read about the members of a chunk."""

    audience: Set[int]
    consenting: Set[int]
    addressed: Set[int]
    touches: Mapping[int, int]  # in the days of the cap, over all campaigns
    quiet_until: Mapping[int, datetime]  # only those for whom it is quiet now


@dataclass(slots=True)
class Verdict:
    send: list[int] = field(default_factory=list)
    skip: dict[int, SkipReason] = field(default_factory=dict)
    hold: dict[int, datetime] = field(default_factory=dict)  # stays pending until then


def decide(member_ids: Sequence[int], standing: Standing, *, cap: int | None, quiet_action: str) -> Verdict:
    """One verdict per member. Of several reasons to skip, the first in this order is given:
    not in the audience any more, no consent, no address, cap reached, quiet hours.
    """
    verdict = Verdict()
    for member in member_ids:
        if member not in standing.audience:
            verdict.skip[member] = SkipReason.LEFT_AUDIENCE
        elif member not in standing.consenting:
            verdict.skip[member] = SkipReason.NO_CONSENT
        elif member not in standing.addressed:
            verdict.skip[member] = SkipReason.NO_ADDRESS
        elif cap is not None and standing.touches.get(member, 0) >= cap:
            verdict.skip[member] = SkipReason.CAPPED
        elif member not in standing.quiet_until:
            verdict.send.append(member)
        elif quiet_action == QuietAction.SKIP:
            verdict.skip[member] = SkipReason.QUIET_HOURS
        else:
            verdict.hold[member] = standing.quiet_until[member]
    return verdict
