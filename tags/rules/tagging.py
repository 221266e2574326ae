"""What a set of tags may look like together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable


def crowded_groups(choices: Iterable[tuple[int, bool]]) -> set[int]:
    """Groups of which only one tag may be held, but more than one is given.

    `choices` are (group id, whether the group is single-choice), one per tag.
    """
    given = Counter(group for group, single in choices if single)
    return {group for group, number in given.items() if number > 1}
