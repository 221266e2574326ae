"""What a rule would do, before it does it: now, and over the last days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from scrm.common.access import Actor


@dataclass(frozen=True, slots=True)
class DryRun:
    """What enabling would change now; of all members, regardless of the data scope, save the samples.

    `matching` fulfil the condition, `everyone` are the active members. `kept` have the tag by hand and would keep it
    although they do not match; `suppressed` match, but somebody took the tag off.
    """

    as_of: datetime
    everyone: int
    matching: int
    add: int
    remove: int
    kept: int
    suppressed: int
    add_sample_ids: list[int]
    remove_sample_ids: list[int]

    @property
    def share(self) -> float:
        """Per cent of everyone who would match."""
        return 100 * self.matching / self.everyone if self.everyone else 0.0


@dataclass(frozen=True, slots=True)
class ReplayDay:
    """A shop day: how many fulfilled the condition at its end, and how many began and ceased to that day."""

    day: date
    matching: int
    added: int
    removed: int


@dataclass(frozen=True, slots=True)
class Replay:
    """The days in order. `exact` is false when the condition looks at what is only known as it is now (profile, tags,
    scores), so that past days are answered with today's values. When the brand is large the work is left to a job:
    then `days` is empty and `job_id` is set; call again when the job has finished."""

    days: list[ReplayDay]
    exact: bool
    job_id: int | None = None


def dry_run(*, form: str, definition: dict[str, Any], tag_id: int | None = None, actor: Actor, now: datetime) -> DryRun:
    """What a rule would do to a tag (or to a new one) now. Writes nothing. Raises as `create` does."""
    raise NotImplementedError


def replay(
    *, form: str, definition: dict[str, Any], tag_id: int | None = None, days: int = 30, actor: Actor, now: datetime
) -> Replay:
    """What the rule would have done at the end of each of the last `days` (1–90) shop days. Raises as `create` does."""
    raise NotImplementedError
