"""Tag rules: write them, try them out, switch them on and off.

How a rule and people get along:

- A tag that somebody took off by hand stays off until the rule turns false and true again.
- A tag that was put on by hand is never taken off by the rule; putting it on by hand over the rule makes it so.
- In a single-choice group a tag put on by hand keeps the place. Among rules of one group the one that was made first
  wins; when it ceases to hold, the next one that holds takes over.
- Validity. Of a condition rule: the tag lapses so many days after it was put on and comes back when the rule turns
  false and true again. Of keyword and interest rules: it lapses so many days after the last matching event, and a new
  matching event brings it back.
- Pausing leaves the tags as they are; enabling again brings them up to date.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tags.models import TagGroup, TagRule
from tags.operations.automatic_trials import DryRun, Replay, ReplayDay, dry_run, replay

__all__ = [
    "DryRun", "Replay", "ReplayDay", "apply_preset", "create", "delete", "dry_run", "enable", "pause", "release",
    "replay", "update", "validity_changed",
]  # fmt: skip


def create(*, tag_id: int, form: str, definition: dict[str, Any], now: datetime) -> TagRule:
    """A new rule for a tag that has none, as a draft. The tag's kind follows the form.

    Raises `NotFound`, `Conflict` (`has_rule`, `tag_archived`, `model_tag`), `Invalid` (`cycle`: the rule hangs on its
    own tag; `too_deep`; or what the definition lacks, `field` naming it), `conditions.BadCondition`.
    """
    raise NotImplementedError


def update(*, rule_id: int, version: int, form: str, definition: dict[str, Any], now: datetime) -> TagRule:
    """Change a rule. An enabled one goes on with the new definition, and everyone is evaluated again.

    `version` is the one the editor started from. Raises `Conflict` (`stale`), else as `create`. A broken rule
    becomes a draft again.
    """
    raise NotImplementedError


def enable(*, rule_id: int, now: datetime) -> TagRule:
    """Let the rule work from now on; everyone is evaluated in the background.

    Raises `NotFound`, `Conflict` (`tag_archived`), `conditions.BadCondition` when it can no longer be used.
    """
    raise NotImplementedError


def pause(*, rule_id: int, now: datetime) -> TagRule:
    """Stop the rule. Tags stay as they are. Twice changes nothing."""
    raise NotImplementedError


def delete(*, rule_id: int, now: datetime) -> None:
    """Remove the rule. Its tags stay on their members; the tag is then put on by hand only."""
    raise NotImplementedError


def release(*, tag_id: int, now: datetime) -> None:
    """Take the rule, if any, away from a tag that is being merged or archived. Assignments stay as they are."""
    raise NotImplementedError


def validity_changed(*, tag_id: int, now: datetime) -> None:
    """The validity (`valid_days`) of a tag was changed: its keyword or interest rule follows."""
    raise NotImplementedError


def apply_preset(*, key: str, enabled: bool = True, now: datetime) -> TagGroup:
    """Make the group, the tags and the rules of a preset, and enable them. What is there already is left as it is.

    Raises `NotFound` for an unknown key.
    """
    raise NotImplementedError
